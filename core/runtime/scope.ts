/** A plugin's scope: owns all that an entry acquires, and undoes it in reverse. @module */
import { errorText } from "../api/errors.ts";
import type {
  Clock,
  Handler,
  Hook,
  Logger,
  PluginNet,
  PluginScope,
  Random,
  SwarmsView,
  Timer,
  Verb,
} from "../api/mod.ts";
import { registerHandler, registerValue, type Registration } from "../bus/mod.ts";
import { withDeadline } from "../swarm/deadline.ts";

// Nobody waits longer for one plugin to let go of one thing (ms), at shutdown above all.
const CLEANUP_TIMEOUT = 5_000;

/** What a scope gives its plugin. */
export interface ScopeOptions {
  readonly name: string;
  readonly config: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly swarms: SwarmsView;
  net(signal: AbortSignal): PluginNet;
  /** The registrations changed after the entry was committed. */
  changed(): void;
}

/** The scope of one entry of the profile. */
export class Scope implements PluginScope<unknown>, AsyncDisposable {
  readonly name: string;
  readonly config: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly net: PluginNet;
  readonly log: Logger;
  readonly swarms: SwarmsView;
  readonly #options: ScopeOptions;
  readonly #abort = new AbortController();
  readonly #registrations = new Set<Registration>();
  readonly #timers = new Set<Timer>();
  readonly #cleanup: (() => unknown)[] = [];
  #retired = false;

  constructor(options: ScopeOptions) {
    this.#options = options;
    this.name = options.name;
    this.config = options.config;
    this.random = options.random;
    this.log = options.log;
    this.swarms = options.swarms;
    this.net = options.net(this.#abort.signal);
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

  /** Its handlers and values, in the order in which they were registered. */
  get registrations(): Iterable<Registration> {
    return this.#registrations;
  }

  on<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
    handler: NoInfer<Handler<V, In, Out>>,
  ): Disposable {
    return this.#register(registerHandler(this.name, hook, handler));
  }

  provide<In, Out>(hook: Hook<"keyed", In, Out>, key: string, value: NoInfer<Out>): Disposable {
    return this.#register(registerValue(this.name, hook, key, value));
  }

  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    this.defer(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else (resource as Disposable)[Symbol.dispose]();
    });
    return resource;
  }

  defer(run: () => void | Promise<void>): void {
    if (this.#retired) throw new Error(`Cannot acquire anything for "${this.name}": the entry is retired`);
    this.#cleanup.push(run);
  }

  /** Retires the entry: the signal aborts, timers stop, and everything is disposed of, last first. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#retired) return;
    this.#retired = true;
    this.#registrations.clear();
    this.#abort.abort(new Error(`the entry "${this.name}" is retired`));
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const run of this.#cleanup.reverse()) {
      try {
        await withDeadline(this.#options.clock, CLEANUP_TIMEOUT, "it did not end", run);
      } catch (error) {
        this.log.error(`Cannot clean up: ${errorText(error)}`);
      }
    }
    this.#cleanup.length = 0;
  }

  #register(registration: Registration): Disposable {
    if (this.#retired) throw new Error(`Cannot register for ${registration.hook.name}: "${this.name}" is retired`);
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

  /** Runs a plugin's timer: what it throws must not end the process. */
  async #contain(run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.log.error(`A timer failed: ${errorText(error)}`);
    }
  }

  #after(milliseconds: number, run: () => void): Timer {
    if (this.#retired) return { cancel: () => {} };
    const timer = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(timer);
      void this.#contain(run);
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
