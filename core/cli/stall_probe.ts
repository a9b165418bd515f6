/** How long the main thread was busy without a break. @module */
import type { Clock, Timer } from "../api/mod.ts";

/** Milliseconds between two looks: shorter stalls lose no datagrams, and the probe itself costs little. */
const PERIOD = 5;

/** Measures how late a timer comes: the worst is the longest stall of the main thread. */
export class StallProbe {
  #worst = 0;
  #timer: Timer | undefined;

  constructor(readonly clock: Clock) {}

  /** Starts measuring. */
  begin(): void {
    this.#timer = this.#look();
  }

  /** Stops measuring; the worst stall so far, in milliseconds with one decimal. */
  stop(): number {
    this.#timer?.cancel();
    return Math.round(this.#worst * 10) / 10;
  }

  #look(): Timer {
    const due = this.clock.now() + PERIOD;
    return this.clock.after(PERIOD, () => {
      this.#worst = Math.max(this.#worst, this.clock.now() - due);
      this.#timer = this.#look();
    });
  }
}
