import type { Clock } from "../api/mod.ts";

/** So many at once, and so many a second after that. */
export class Rate {
  readonly #clock: Pick<Clock, "now">;
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(clock: Pick<Clock, "now">, burst: number, perSecond: number) {
    this.#clock = clock;
    this.#burst = this.#left = burst;
    this.#perSecond = perSecond;
    this.#at = clock.now();
  }

  /** Whether one more, or something that counts as `cost`, may pass now. */
  take(cost = 1): boolean {
    const now = this.#clock.now();
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) / 1000 * this.#perSecond);
    this.#at = now;
    if (this.#left < cost) return false;
    this.#left -= cost;
    return true;
  }
}
