import {
  type Clock,
  faultText,
  type Handler,
  type Hook,
  hookId,
  type HostNet,
  type Logger,
  type PluginNet,
  type PluginScope,
  type PublicSwarm,
  type Random,
  swarmAdded,
  type SwarmsView,
  type Timer,
  type UdpPort,
  type Verb,
} from "../api/mod.ts";
import { createPluginNet, Egress } from "../net/mod.ts";
import { crosses, type CrossingHook } from "./crossing.ts";
import { GuestState } from "./guest_state.ts";
import { copyPlain } from "./plain.ts";
import { type Carried, type GuestMessage, type HostMessage } from "./protocol.ts";

// What one entry carries over is read each second; state that is larger belongs into a file.
const CARRY_LIMITS = { bytes: 256 * 1024, values: 20_000 };

/** What a {@link GuestScope} is made of. */
export interface GuestScopeOptions {
  readonly name: string;
  readonly config: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly net: HostNet;
  /** What the network permissions name: the egress guard lets that pass, for the user wrote it. */
  readonly grants: readonly string[] | true;
  readonly log: Logger;
  readonly carried: readonly Carried[];
  readonly post: (message: GuestMessage) => void;
}

/** An isolated handler. */
export interface GuestHandler {
  readonly hook: CrossingHook;
  readonly handler: unknown;
}

/** A plugin's scope in a sandbox: the same as in process, but for what can't cross. */
export class GuestScope implements PluginScope<unknown> {
  readonly name: string;
  readonly config: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly net: PluginNet;
  readonly log: Logger;
  readonly swarms: GuestSwarms = new GuestSwarms(() => this.#options.post({ say: "review" }));
  readonly state: GuestState;
  /** Handlers by the number that Weft calls them by. */
  readonly handlers = new Map<number, GuestHandler>();
  readonly #options: GuestScopeOptions;
  readonly #abort = new AbortController();
  readonly #timers = new Set<Timer>();
  readonly #cleanup: (() => unknown)[] = [];
  readonly #saves = new Map<string, { readonly version: number; readonly save: () => unknown }>();
  #nextRegistration = 1;
  #nextHold = 1;

  constructor(options: GuestScopeOptions) {
    this.#options = options;
    this.name = options.name;
    this.config = options.config;
    this.random = options.random;
    this.log = options.log;
    this.state = new GuestState(options.post);
    this.clock = {
      now: () => options.clock.now(),
      wall: () => options.clock.wall(),
      after: (milliseconds, run) => this.#after(milliseconds, run),
      turn: () => options.clock.turn(),
    };
    const egress = new Egress({ allow: guardRules(options.grants), setting: "permissions.net" });
    this.net = createPluginNet({ host: { net: options.net }, egress, scopeSignal: this.#abort.signal });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get udp(): UdpPort {
    throw cannotCross("share the UDP port");
  }

  on<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
    handler: NoInfer<Handler<V, In, Out>>,
  ): Disposable {
    if (!crosses(hook)) throw cannotCross(`attach to ${hook.name}`);
    const registration = this.#nextRegistration++;
    this.handlers.set(registration, { hook, handler });
    this.#options.post({ say: "on", registration, hook: hookId(hook) });
    return {
      [Symbol.dispose]: () => {
        if (this.handlers.delete(registration)) this.#options.post({ say: "off", registration });
      },
    };
  }

  provide<In, Out>(hook: Hook<"keyed", In, Out>, key: string, _value: NoInfer<Out>): Disposable {
    throw cannotCross(`provide "${key}" for ${hook.name}`);
  }

  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    this.defer(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else (resource as Disposable)[Symbol.dispose]();
    });
    return resource;
  }

  defer(run: () => void | Promise<void>): void {
    if (this.signal.aborted) throw new Error(`Cannot acquire anything for "${this.name}": the entry is retired`);
    this.#cleanup.push(run);
  }

  carry<Data>(key: string, version: number, save: () => Data): Data | undefined {
    this.#saves.set(key, { version, save });
    return this.#options.carried.find((each) => each.key === key && each.version === version)?.data as Data | undefined;
  }

  hold(): Disposable {
    const hold = this.#nextHold++;
    let held = true;
    this.#options.post({ say: "hold", hold });
    return {
      [Symbol.dispose]: () => {
        if (held) this.#options.post({ say: "release", hold });
        held = false;
      },
    };
  }

  /** What the next generation shall find, asked now; undefined when nothing is carried. */
  saved(): Carried[] | undefined {
    if (this.#saves.size === 0) return undefined;
    const carried: Carried[] = [];
    for (const [key, { version, save }] of this.#saves) {
      try {
        carried.push({ key, version, data: copyPlain(save(), CARRY_LIMITS) });
      } catch (error) {
        this.#saves.delete(key); // said once
        this.log.error(`Cannot carry "${key}": ${faultText(error)}`);
      }
    }
    return carried;
  }

  /** Retires it: the signal aborts, timers stop, and everything is disposed of, last first. */
  async retire(): Promise<void> {
    this.#abort.abort(new Error(`the entry "${this.name}" is retired`));
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const run of this.#cleanup.splice(0).reverse()) await this.#contain("Cannot clean up", run);
  }

  async #contain(what: string, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.log.error(`${what}: ${faultText(error)}`);
    }
  }

  #after(milliseconds: number, run: () => void): Timer {
    if (this.signal.aborted) return { cancel: () => {} };
    const timer = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(timer);
      void this.#contain("A timer failed", run);
    });
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.cancel();
      },
    };
  }
}

/** The swarms that Weft told of. */
class GuestSwarms implements SwarmsView {
  readonly review: () => void;
  readonly #swarms = new Map<string, PublicSwarm>();
  port = 0;

  constructor(review: () => void) {
    this.review = review;
  }

  get size(): number {
    return this.#swarms.size;
  }

  get(wireIdHex: string): PublicSwarm | undefined {
    for (const swarm of this) if (swarm.id.wireIds.some(({ hex }) => hex === wireIdHex)) return swarm;
  }

  [Symbol.iterator](): Iterator<PublicSwarm> {
    return this.#swarms.values();
  }

  /** Takes what changed. */
  change({ added, removed, port }: Extract<HostMessage, { do: "swarms" }>): void {
    this.port = port;
    for (const key of removed) this.#swarms.delete(key);
    for (const { key, event, seeding, nodes } of added) {
      const { id, name } = swarmAdded.contract.codec!.decodeInput(event);
      this.#swarms.set(key, { id, name, seeding, nodes });
    }
  }
}

function cannotCross(what: string): Error {
  return new Error(
    `Cannot ${what} from a sandbox: it hands out live objects, which can't cross; remove "isolate" from the entry`,
  );
}

/** Permissions in the words of the egress guard. What it has no word for (wildcards) is left to Deno's check alone. */
function guardRules(grants: readonly string[] | true): readonly string[] {
  if (grants === true) return ["loopback", "private"];
  return grants.filter((grant) => {
    try {
      new Egress({ allow: [grant] });
      return true;
    } catch {
      return false;
    }
  });
}
