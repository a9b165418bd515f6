/** Which swarms have something to do: thousands that only wait for somebody to come cost next to nothing. @module */
import type { Clock, Timer } from "../api/mod.ts";

// A timer can't be set for much longer than this (ms); who wakes early rests again.
const LONGEST_REST = 24 * 60 * 60_000;

/** What may rest. */
export interface Sleeper {
  /** When it next has something to do, if nothing happens to it before; `now` or less while it has. Infinity is never. */
  idleUntil(now: number): number;
}

export class Awake<S extends Sleeper> {
  readonly #clock: Clock;
  readonly #awake = new Set<S>();
  /** What wakes those that rest, if time alone does. */
  readonly #alarms = new Map<S, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  [Symbol.iterator](): Iterator<S> {
    return this.#awake.values();
  }

  has(sleeper: S): boolean {
    return this.#awake.has(sleeper);
  }

  /** Something happened to it, or may have. */
  wake(sleeper: S): void {
    if (this.#awake.has(sleeper)) return;
    this.#disarm(sleeper);
    this.#awake.add(sleeper);
  }

  /** Lets it rest if it has nothing to do. Returns whether it does. */
  rest(sleeper: S, now: number): boolean {
    const until = sleeper.idleUntil(now);
    if (until <= now) return false;
    this.#awake.delete(sleeper);
    if (until === Infinity) return true;
    this.#alarms.set(sleeper, this.#clock.after(Math.min(until - now, LONGEST_REST), () => this.wake(sleeper)));
    return true;
  }

  delete(sleeper: S): void {
    this.#disarm(sleeper);
    this.#awake.delete(sleeper);
  }

  clear(): void {
    for (const timer of this.#alarms.values()) timer.cancel();
    this.#alarms.clear();
    this.#awake.clear();
  }

  #disarm(sleeper: S): void {
    this.#alarms.get(sleeper)?.cancel();
    this.#alarms.delete(sleeper);
  }
}
