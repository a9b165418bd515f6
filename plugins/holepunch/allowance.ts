/** How often something may still be done: so often at once, and so often a minute in the long run. */
export class Allowance {
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #at: number;

  /** @param now milliseconds; it begins full */
  constructor(now: number, { most, perMinute }: { readonly most: number; readonly perMinute: number }) {
    this.#most = this.#left = most;
    this.#perMs = perMinute / 60_000;
    this.#at = now;
  }

  /** Uses one, unless none is left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
