import { type Clock, faultText, type Handler, type Hook, type Logger, PluginError, type Verb } from "../api/mod.ts";
import { Barred, Call, enterCall } from "./call.ts";
import { FailureLog } from "./failure_log.ts";
import { type GatherAgain, type Gathered, gatherRound } from "./gather.ts";
import type { CallStats, HandlerRegistration, Registration } from "./registration.ts";
import { HookTable, type ProvidedValue } from "./table.ts";

/** What a bus needs. */
export interface BusOptions {
  readonly clock: Clock;
  /** Gets a warning for each failure, but only a few a minute for one plugin at one hook. */
  readonly log?: Pick<Logger, "warn">;
}

/** A swarm, as far as it decides who may be asked. */
export interface About {
  readonly private: boolean;
}

/** Statistics of one plugin at one hook. */
export interface HookStats extends Readonly<CallStats> {
  readonly plugin: string;
  readonly hook: string;
}

/** A handler of an event that has not settled. */
export interface RunningEvent {
  readonly plugin: string;
  /** Milliseconds of the clock. */
  readonly began: number;
  /** Resolves when it has, well or not. */
  readonly ended: Promise<void>;
}

/**
 * The hook bus: where the kernel calls plugins. Each call reads the table once, so a call under way keeps to the
 * handlers it began with while a new table is swapped in.
 *
 * A plugin whose owner is barred gets no calls, and its values aren't there. A call that its handler might have
 * forbidden, at a hook that refuses on failure, is refused: the handler can't say no, so nobody says yes for it.
 *
 * What says `private: true` of itself is of a private swarm, and reaches those whose owner may see such.
 */
export class Bus {
  /** Handlers of events that have not settled. */
  readonly #running = new Set<RunningEvent>();
  #table = HookTable.empty;
  readonly #clock: Clock;
  readonly #failures: FailureLog | undefined;

  constructor({ clock, log }: BusOptions) {
    this.#clock = clock;
    this.#failures = log && new FailureLog(clock, log);
  }

  get table(): HookTable {
    return this.#table;
  }

  /** Makes `table` the one that new calls see, and returns the one that was. */
  swap(table: HookTable): HookTable {
    const before = this.#table;
    this.#table = table;
    return before;
  }

  /**
   * Whether a call would matter: ask before building an event object on a hot path. A barred handler counts only where
   * the hook refuses, since there it forbids the call.
   *
   * @param about the swarm that it would be about, if it is about one
   */
  observers<V extends Exclude<Verb, "keyed">, In, Out>(hook: Hook<V, In, Out>, about?: About): boolean {
    return this.#hearing(hook, about).some(matters);
  }

  /** Tells every handler. Failures, rejections too, are logged and counted; nobody waits and nothing is thrown. */
  emit<In, Out>(hook: Hook<"event", In, Out>, input: NoInfer<In>): void {
    const handlers = this.#hearing(hook, input);
    if (handlers.length === 0) return;
    const told = hook.contract.redact?.(input) ?? input;
    for (const handler of handlers) this.#tell(handler, told);
  }

  /**
   * Asks every source and merges what they yield. A source that fails or is still busy at its deadline is left out
   * and counted. An abort of `signal` ends the round early, without an error.
   *
   * @param asks which plugins are asked; all if not given
   * @returns when the round ends, when each source wants to be asked again
   * @throws {PluginError} when a source fails or is barred and the hook refuses
   */
  gather<In, Out>(
    hook: Hook<"gather", In, Out>,
    input: NoInfer<In>,
    signal: AbortSignal,
    asks: (plugin: string) => boolean = () => true,
  ): AsyncGenerator<Gathered<Out>, GatherAgain, void> {
    const failed = (registration: Registration, error: unknown): void => void this.#failed(registration, error);
    const sources = this.#hearing(hook, input).filter(({ plugin }) => asks(plugin));
    return gatherRound({ clock: this.#clock, problem: hook.contract.problem, failed }, sources, input, signal);
  }

  /**
   * Asks handlers in order until one answers.
   *
   * @throws {PluginError} when a handler fails or is barred and the hook refuses; the signal's reason when it aborts
   */
  async first<In, Out>(
    hook: Hook<"first", In, Out>,
    input: NoInfer<In>,
    signal: AbortSignal,
  ): Promise<Out | undefined> {
    for (const registration of this.#hearing(hook, input)) {
      signal.throwIfAborted();
      const answer = await this.#ask(registration, input, signal);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /**
   * Asks all handlers at once.
   *
   * @returns their answers, in the order of the profile, without those that have none
   * @throws {PluginError} when a handler fails or is barred and the hook refuses; the signal's reason when it aborts
   */
  async every<In, Out>(
    hook: Hook<"every", In, Out>,
    input: NoInfer<In>,
    signal: AbortSignal,
  ): Promise<readonly Out[]> {
    signal.throwIfAborted();
    const handlers = this.#hearing(hook, input);
    const answers = await Promise.all(handlers.map((registration) => this.#ask(registration, input, signal)));
    return answers.filter((answer) => answer !== undefined);
  }

  /**
   * Calls `inner` inside every handler, the first one outermost. Errors of `inner` pass through, and so does a
   * ProtocolError of a handler: a peer's fault is not the plugin's. What `inner` opened is the caller's to close when
   * this rejects.
   *
   * @throws {PluginError} when a handler fails or is barred and the hook refuses
   */
  around<In, Out>(
    hook: Hook<"around", In, Out>,
    input: NoInfer<In>,
    inner: (input: In) => Promise<Out>,
  ): Promise<Out> {
    const handlers = this.#hearing(hook, input);
    const from = (i: number): (input: In) => Promise<Out> =>
      i === handlers.length ? inner : (input) => this.#wrap(handlers[i], input, from(i + 1));
    return from(0)(input);
  }

  /** Handlers of events that have not settled: nobody waits for them, but who stops may. */
  get running(): readonly RunningEvent[] {
    return [...this.#running];
  }

  /**
   * The value that a plugin provides under `key`, if any.
   *
   * @param about the swarm that it is for, if it is for one
   */
  get<In, Out>(hook: Hook<"keyed", In, Out>, key: string, about?: About): Out | undefined {
    return this.values(hook, about).find((provided) => provided.key === key)?.value;
  }

  /** All values that plugins provide, with their keys, in the order of the profile; see {@link Bus.get}. */
  values<In, Out>(hook: Hook<"keyed", In, Out>, about?: About): readonly ProvidedValue<Out>[] {
    return this.#table.values(hook).filter(({ owner }) => owner.barred === undefined && maySee(owner, about));
  }

  /** Calls, failures and milliseconds of the present table's handlers, by plugin and hook. */
  stats(): readonly HookStats[] {
    const all = new Map<string, CallStats & { plugin: string; hook: string }>();
    for (const { plugin, hook, handler, stats } of this.#table.entries) {
      if (handler === undefined) continue;
      const id = JSON.stringify([plugin, hook.name]);
      const sum = all.get(id) ?? { plugin, hook: hook.name, calls: 0, failures: 0, time: 0 };
      sum.calls += stats.calls;
      sum.failures += stats.failures;
      sum.time += stats.time;
      all.set(id, sum);
    }
    return [...all.values()];
  }

  /** The handlers that may get this input. */
  #hearing<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
    input: unknown,
  ): readonly HandlerRegistration<V, In, Out>[] {
    const handlers = this.#table.handlers(hook);
    return handlers.length > 0 && isPrivate(input) ? handlers.filter(({ owner }) => owner.seesPrivate) : handlers;
  }

  /** One handler's answer, checked; undefined also where it failed and the hook goes on without it. */
  async #ask<V extends "first" | "every", In, Out>(
    registration: HandlerRegistration<V, In, Out>,
    input: In,
    signal: AbortSignal,
  ): Promise<Out | undefined> {
    const handler = registration.handler as Handler<"first", In, Out>;
    const { problem } = registration.hook.contract as Hook<V, In, Out>["contract"];
    try {
      const answer = await this.#run(registration, signal, (call) => handler(input, call.signal));
      const wrong = answer === undefined ? undefined : problem?.(answer, input);
      if (wrong === undefined) return answer;
      throw new Error(wrong);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(registration, error);
    }
  }

  #await(plugin: string, ended: Promise<void>): void {
    const running = { plugin, began: this.#clock.now(), ended };
    this.#running.add(running);
    void ended.then(() => this.#running.delete(running));
  }

  #tell<In, Out>(registration: HandlerRegistration<"event", In, Out>, input: In): void {
    const { gate, handler, hook, owner, stats } = registration;
    if (owner.barred !== undefined) return;
    if (gate || hook.contract.deadline !== undefined) {
      const run = this.#run(registration, undefined, () => handler(input));
      this.#await(registration.plugin, run.then(() => {}, (error) => void this.#report(registration, error)));
      return;
    }
    const began = this.#clock.now();
    const done = (): void => {
      stats.time += this.#clock.now() - began;
      owner.callEnded();
    };
    stats.calls++;
    owner.callBegan();
    try {
      const result = handler(input);
      if (!(result instanceof Promise)) return done();
      const ended = result.then(done, (error) => {
        done();
        this.#report(registration, error);
      });
      this.#await(registration.plugin, ended);
    } catch (error) {
      done();
      this.#report(registration, error);
    }
  }

  async #wrap<In, Out>(
    registration: HandlerRegistration<"around", In, Out>,
    input: In,
    inner: (input: In) => Promise<Out>,
  ): Promise<Out> {
    const passed = new Set<unknown>();
    let inside: Promise<Out> | undefined;
    try {
      return await this.#run(registration, undefined, (call) => {
        const next = async (value: In): Promise<Out> => {
          if (call.over) throw new Error("its deadline has passed");
          call.pause();
          try {
            return await inner(value);
          } catch (error) {
            passed.add(error);
            throw error;
          } finally {
            call.resume();
          }
        };
        return registration.handler(input, (value) => {
          inside = next(value);
          inside.catch(() => {}); // a handler may not wait for it
          return inside;
        });
      });
    } catch (error) {
      if (passed.has(error) || isPeerFault(error)) throw error;
      this.#failed(registration, error);
      return inside ?? inner(input);
    }
  }

  /** Runs a handler within its contract: settles at the deadline or the caller's abort, whatever the handler does. */
  async #run<T>(
    registration: Registration,
    caller: AbortSignal | undefined,
    run: (call: Call) => T | Promise<T>,
  ): Promise<T> {
    await enterCall(registration, caller);
    return await new Promise<T>((resolve, reject) => {
      const call = new Call(this.#clock, registration, caller, ({ reason }) => reject(reason));
      if (call.over) return;
      const started = async (): Promise<T> => await run(call);
      started().then(resolve, reject).finally(() => call.end());
    });
  }

  /** Counts and reports a failure, unless the owner was barred; throws it if the hook's contract refuses. */
  #failed(registration: Registration, error: unknown): void {
    const failure = this.#report(registration, error);
    if (registration.hook.contract.onFailure === "refuse") throw failure;
  }

  #report({ plugin, owner, hook, stats }: Registration, error: unknown): PluginError {
    if (error instanceof Barred) return error;
    const message = faultText(error);
    const failure = new PluginError(plugin, hook.name, message, { cause: error });
    stats.failures++;
    this.#failures?.note(owner, failure);
    owner.failed(failure);
    return failure;
  }
}

/** Whether what is of a swarm may reach a plugin. */
function maySee(owner: Registration["owner"], about: unknown): boolean {
  return owner.seesPrivate || !isPrivate(about);
}

/** Whether it says of itself that it is, or is about, a private swarm. */
function isPrivate(about: unknown): boolean {
  return typeof about === "object" && about !== null && (about as Partial<About>).private === true;
}

/** Whether it would be called, or refuse. */
function matters({ owner, hook }: Registration): boolean {
  return owner.barred === undefined || hook.contract.onFailure === "refuse";
}

/** By name, so that a plugin's bundled copy of a class counts too. A stream that breaks is nobody's fault here. */
function isPeerFault(error: unknown): boolean {
  return error instanceof Error && (error.name === "ProtocolError" || error.name === "NetError");
}
