import { type Clock, PluginError, type Timer } from "../api/mod.ts";
import type { Registration } from "./registration.ts";

/** What ended a call from outside: its deadline (`expired`), or the caller's signal. */
export interface Stop {
  readonly expired: boolean;
  readonly reason: unknown;
}

/** The handler was not called, since its owner takes no calls: not a fault of the handler's. */
export class Barred extends PluginError {}

/**
 * Waits for a place for a call of the handler. From here on its owner is in use, until {@link Call.end}.
 *
 * @throws {Barred} when the owner takes no calls; the signal's reason when it aborts first
 */
export async function enterCall({ owner, hook, gate }: Registration, caller?: AbortSignal): Promise<void> {
  if (owner.barred !== undefined) throw new Barred(owner.name, hook.name, owner.barred);
  owner.callBegan();
  try {
    await gate?.enter(caller);
  } catch (error) {
    owner.callEnded();
    throw error;
  }
  if (owner.barred === undefined) return;
  // It was barred while this call waited.
  gate?.leave();
  owner.callEnded();
  throw new Barred(owner.name, hook.name, owner.barred);
}

/**
 * One call of one handler, once {@link enterCall} let it in. Its clock runs only while it is the handler's turn: not inside `next`, and not while a
 * generator waits for its reader, so that nobody is blamed for the slowness of others.
 */
export class Call {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #registration: Registration;
  readonly #caller: AbortSignal | undefined;
  readonly #onStop: (stop: Stop) => void;
  #timer: Timer | undefined;
  #used = 0;
  #since: number | undefined;
  #pauses = 0;
  #over = false;

  /** Starts the clock. `onStop` is called, at most once, when the call is ended from outside. */
  constructor(
    clock: Clock,
    registration: Registration,
    caller: AbortSignal | undefined,
    onStop: (stop: Stop) => void,
  ) {
    this.#clock = clock;
    this.#registration = registration;
    this.#caller = caller;
    this.#onStop = onStop;
    registration.stats.calls++;
    caller?.addEventListener("abort", this.#abort, { once: true });
    this.#start();
    if (caller?.aborted) this.#abort();
  }

  /** Aborts when the deadline passes or the caller's signal does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get over(): boolean {
    return this.#over;
  }

  /** It is not the handler's turn. Pauses nest. */
  pause(): void {
    if (this.#pauses++ === 0 && this.#since !== undefined) {
      this.#used += this.#clock.now() - this.#since;
      this.#since = undefined;
    }
  }

  /** Ends the last {@link pause}. */
  resume(): void {
    if (--this.#pauses === 0 && !this.#over) this.#start();
  }

  /** The call is over: frees its timer, its listener, its place and its owner. Twice is fine. */
  end(): void {
    if (this.#over) return;
    this.pause();
    this.#over = true;
    this.#timer?.cancel();
    this.#caller?.removeEventListener("abort", this.#abort);
    this.#registration.stats.time += this.#used;
    this.#registration.gate?.leave();
    this.#registration.owner.callEnded();
  }

  #start(): void {
    this.#since = this.#clock.now();
    const { deadline } = this.#registration.hook.contract;
    // One timer outlives many short pauses: it looks at what was used only when it fires.
    if (deadline !== undefined) this.#timer ??= this.#clock.after(deadline - this.#used, this.#expire);
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    if (this.#since === undefined) return; // paused: resuming arms it again
    const now = this.#clock.now();
    this.#used += now - this.#since;
    this.#since = now;
    const deadline = this.#registration.hook.contract.deadline!;
    if (this.#used < deadline) this.#start();
    else this.#stop({ expired: true, reason: new Error(`no answer within ${deadline} ms`) });
  };

  readonly #abort = (): void => this.#stop({ expired: false, reason: this.#caller?.reason });

  #stop(stop: Stop): void {
    if (this.#over) return;
    this.end();
    this.#controller.abort(stop.reason);
    this.#onStop(stop);
  }
}
