/** A plugin's scope: owns all that one generation of an entry acquires, and undoes it in reverse. @module */
import {
  type Clock,
  type EgressGrant,
  faultText,
  type Handler,
  type Hook,
  type Lend,
  type Logger,
  type PluginError,
  type PluginNet,
  type PluginScope,
  type PluginState,
  type Random,
  type SwarmsView,
  type Timer,
  type UdpPort,
  type Verb,
} from "../api/mod.ts";
import { type Owner, registerHandler, registerValue, type Registration } from "../bus/mod.ts";
import { withDeadline } from "../net/mod.ts";

// Nobody waits longer for one plugin to let go of one thing (ms), at shutdown above all.
const CLEANUP_TIMEOUT = 5_000;

/** Whom a scope tells of what becomes of it. */
export interface ScopeHooks {
  /** The generation before, which goes on running meanwhile. */
  readonly before?: Scope;
  /** The registrations changed after the entry was committed. */
  changed(): void;
  /** One of its handlers failed. */
  failed?(failure: PluginError): void;
  /** It logged an error. */
  erred?(message: string): void;
}

/** What a scope gives its plugin. */
export interface ScopeOptions extends ScopeHooks {
  readonly name: string;
  readonly config: unknown;
  /** The plugin wants `private`; false if not given. */
  readonly seesPrivate?: boolean;
  /** What it may reach; see {@link Owner}. */
  readonly egress?: EgressGrant;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly swarms: SwarmsView;
  net(scope: Scope): PluginNet;
  udp(scope: Scope): UdpPort & Disposable;
  readonly state: PluginState;
}

/** The scope of one generation of one entry of the profile. */
export class Scope implements PluginScope<unknown>, Owner, AsyncDisposable {
  readonly name: string;
  readonly config: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly net: PluginNet;
  readonly log: Logger;
  readonly swarms: SwarmsView;
  readonly udp: UdpPort;
  readonly state: PluginState;
  /** See {@link Owner}: set while the entry is quarantined. */
  barred: string | undefined;
  readonly seesPrivate: boolean;
  readonly egress: EgressGrant | undefined;
  readonly #options: ScopeOptions;
  readonly #abort = new AbortController();
  readonly #registrations = new Set<Registration>();
  readonly #timers = new Set<Timer>();
  readonly #cleanup: (() => unknown)[] = [];
  readonly #carried = new Map<string, { readonly version: number; save(): unknown }>();
  readonly #disposed = Promise.withResolvers<void>();
  #life: "running" | "draining" | "over" = "running";
  #holds = 0;
  #calls = 0;
  #before: Scope | undefined;
  #committed = false;

  constructor(options: ScopeOptions) {
    this.#options = options;
    this.#before = options.before;
    this.name = options.name;
    this.config = options.config;
    this.seesPrivate = options.seesPrivate ?? false;
    this.egress = options.egress;
    this.random = options.random;
    const { log } = options;
    this.log = {
      ...log,
      error: (message) => {
        options.erred?.(message);
        log.error(message);
      },
    };
    this.swarms = options.swarms;
    this.net = options.net(this);
    const udp = options.udp(this);
    this.udp = udp;
    this.state = options.state;
    this.#cleanup.push(() => udp[Symbol.dispose]());
    this.clock = {
      now: () => options.clock.now(),
      wall: () => options.clock.wall(),
      after: (milliseconds, run) => this.#after(milliseconds, run),
      turn: () => options.clock.turn(),
    };
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** It is in use: committed, and not disposed of. */
  get live(): boolean {
    return this.#committed && this.#life !== "over";
  }

  /** Its handlers and values, in the order in which they were registered. */
  get registrations(): Iterable<Registration> {
    return this.#registrations;
  }

  /** What it gave and that is in use: streams, and calls under way. */
  get holds(): number {
    return this.#holds + this.#calls;
  }

  on<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
    handler: NoInfer<Handler<V, In, Out>>,
  ): Disposable {
    if (typeof handler !== "function") throw new TypeError(`A handler for ${hook.name} must be a function`);
    const { lends, mayBePrivate } = hook.contract;
    if (mayBePrivate && !this.seesPrivate) {
      throw new Error(
        `Cannot attach to ${hook.name}: it may be about private swarms; add wants: ["private"] to the plugin`,
      );
    }
    if (hook.verb !== "around" || !lends) return this.#register(registerHandler(this, hook, handler));
    const wrap = handler as Handler<"around", In, Out>;
    const lending = async (input: In, next: (input: In) => Promise<Out>): Promise<Out> =>
      lends(await wrap(input, next), this.#lend);
    return this.#register(registerHandler(this, hook, lending as Handler<V, In, Out>));
  }

  provide<In, Out>(hook: Hook<"keyed", In, Out>, key: string, value: NoInfer<Out>): Disposable {
    const { lends } = hook.contract;
    return this.#register(registerValue(this, hook, key, lends ? lends(value, this.#lend) : value));
  }

  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    const dispose = async (): Promise<void> => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else (resource as Disposable)[Symbol.dispose]();
    };
    try {
      this.defer(dispose);
    } catch (error) {
      // Acquired too late, such as after an await in setup: nobody else would let go of it.
      void this.#contain(dispose, "Cannot clean up");
      throw error;
    }
    return resource;
  }

  defer(run: () => void | Promise<void>): void {
    if (this.#life === "over") throw new Error(`Cannot acquire anything for "${this.name}": the entry is retired`);
    this.#cleanup.push(run);
  }

  carry<Data>(key: string, version: number, save: () => Data): Data | undefined {
    this.#carried.set(key, { version, save });
    const kept = this.#before === undefined ? undefined : this.#before.#carried.get(key);
    if (kept?.version !== version) return undefined;
    try {
      return structuredClone(kept.save()) as Data;
    } catch (error) {
      this.log.error(`Cannot carry "${key}" over: ${faultText(error)}`);
      return undefined;
    }
  }

  hold(): Disposable {
    this.#holds++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holds--;
        this.#whenIdle();
      },
    };
  }

  callBegan(): void {
    this.#calls++;
  }

  callEnded(): void {
    this.#calls--;
    this.#whenIdle();
  }

  failed(failure: PluginError): void {
    this.#options.failed?.(failure);
  }

  /** It was committed: it is in use from now on, and nothing of the generation before is needed any more. */
  committed(): void {
    this.#committed = true;
    this.#before = undefined;
  }

  /**
   * Takes the entry out: it gets no new calls, and is disposed of once nothing that it gave is in use, at the latest
   * after `drain` milliseconds.
   */
  async retire(drain: number): Promise<void> {
    if (this.#life === "running") {
      this.#life = "draining";
      this.#registrations.clear();
      this.#carried.clear();
      this.#before = undefined;
      const drainTimer = this.#options.clock.after(drain, () => void this[Symbol.asyncDispose]());
      this.#timers.add(drainTimer);
      this.#whenIdle();
    }
    await this.#disposed.promise;
  }

  /** Ends the entry now: the signal aborts, timers stop, and everything is disposed of, last first. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#life === "over") return await this.#disposed.promise;
    this.#life = "over";
    this.#registrations.clear();
    this.#carried.clear();
    this.#before = undefined;
    this.#abort.abort(new Error(`the entry "${this.name}" is retired`));
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const run of this.#cleanup.reverse()) {
      try {
        await withDeadline(this.#options.clock, CLEANUP_TIMEOUT, "it did not end", run);
      } catch (error) {
        this.log.error(`Cannot clean up: ${faultText(error)}`);
      }
    }
    this.#cleanup.length = 0;
    this.#disposed.resolve();
  }

  #whenIdle(): void {
    if (this.#life === "draining" && this.holds === 0) void this[Symbol.asyncDispose]();
  }

  /** Counts what it gave until nobody uses it any more. What is no stream or promise is the caller's to find out. */
  readonly #lend: Lend = {
    stream: (stream) => {
      if (typeof stream?.close !== "function" || !Object.isExtensible(stream)) return stream;
      const held = this.hold();
      const close = stream.close;
      stream.close = (reason) => {
        held[Symbol.dispose]();
        close.call(stream, reason);
      };
      return stream;
    },
    during: (promise) => {
      if (!(promise instanceof Promise)) return promise;
      const held = this.hold();
      const release = (): void => held[Symbol.dispose]();
      promise.then(release, release);
      return promise;
    },
  };

  #register(registration: Registration): Disposable {
    if (this.#life !== "running") {
      throw new Error(`Cannot register for ${registration.hook.name}: "${this.name}" is retired`);
    }
    this.#registrations.add(registration);
    try {
      this.#options.changed();
    } catch (error) {
      // Such as a key that another entry provides: what runs stays as it was.
      this.#registrations.delete(registration);
      throw error;
    }
    return {
      [Symbol.dispose]: () => {
        if (this.#registrations.delete(registration)) this.#options.changed();
      },
    };
  }

  /** Runs what nobody waits for: what it throws must not end the process. */
  async #contain(run: () => unknown, what: string): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.log.error(`${what}: ${faultText(error)}`);
    }
  }

  #after(milliseconds: number, run: () => void): Timer {
    if (this.#life === "over") return { cancel: () => {} };
    const timer = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(timer);
      void this.#contain(run, "A timer failed");
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
