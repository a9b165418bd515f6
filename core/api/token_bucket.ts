/** How much of something is still allowed: so much at once, and so much more a second. */
export class TokenBucket {
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #at: number;

  /** @param now milliseconds; it begins full */
  constructor(now: number, { most, perSecond }: { readonly most: number; readonly perSecond: number }) {
    this.#most = this.#left = most;
    this.#perMs = perSecond / 1_000;
    this.#at = now;
  }

  /** Takes `count`, or nothing where fewer are left. */
  take(now: number, count = 1): boolean {
    this.#fill(now);
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }

  /** Takes up to `wanted`, and returns how many (whole ones) were left to take. */
  takeUpTo(now: number, wanted: number): number {
    this.#fill(now);
    const taken = Math.max(0, Math.min(wanted, Math.floor(this.#left)));
    this.#left -= taken;
    return taken;
  }

  /** Takes `count` whether they are left or not: what is missing is owed. */
  spend(now: number, count: number): void {
    this.#fill(now);
    this.#left -= count;
  }

  /** Adds what was earned otherwise than by time. */
  earn(count: number): void {
    this.#left = Math.min(this.#most, this.#left + count);
  }

  /** Milliseconds until nothing is owed any more. */
  debt(now: number): number {
    this.#fill(now);
    return this.#left >= 0 ? 0 : -this.#left / this.#perMs;
  }

  #fill(now: number): void {
    if (now <= this.#at) return;
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
