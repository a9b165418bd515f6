/** How much of something is still allowed: so much at once, and so much more a minute. */
export class Budget {
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #at: number;

  /** @param now milliseconds; it begins full */
  constructor(now: number, { most, perMinute }: { readonly most: number; readonly perMinute: number }) {
    this.#most = most;
    this.#perMs = perMinute / 60_000;
    this.#left = most;
    this.#at = now;
  }

  /** Takes up to `wanted`, and returns how many (whole ones) were left to take. */
  take(now: number, wanted: number): number {
    this.#left = Math.min(this.#most, this.#left + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    const taken = Math.min(wanted, Math.floor(this.#left));
    this.#left -= taken;
    return taken;
  }
}
