/** Keeps a busy loop from holding up the main thread. @module */
import type { Clock } from "../api/mod.ts";

// Longer, and datagrams are lost, timers are late, and other peers wait (ms).
const SLICE = 1;

/** Shared by all loops of a runtime: after a slice of work, everybody waits for one turn of the event loop. */
export class Pacer {
  readonly #clock: Clock;
  #since = 0;
  #turn: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What a loop is to wait for before it goes on, or undefined while its slice lasts. */
  pace(): Promise<void> | undefined {
    if (this.#turn) return this.#turn;
    const now = this.#clock.now();
    if (now - this.#since < SLICE) return undefined;
    return this.#turn = this.#clock.turn().then(() => {
      this.#turn = undefined;
      this.#since = this.#clock.now();
    });
  }
}
