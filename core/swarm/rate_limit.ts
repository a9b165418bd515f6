/**
 * A byte budget that fills with time: a token bucket, of which several may draw on one parent.
 *
 * It starts empty and holds about a quarter of a second's worth, so that what it grants never runs ahead of its rate,
 * and lags only when nobody takes.
 */
export class RateLimiter {
  /** This limiter, its parent, and so on up. */
  readonly #chain: readonly RateLimiter[];
  #rate?: number;
  #burst = 0;
  #tokens = 0;
  #ranShort = false;
  /** When the tokens were last counted; NaN until the first call that says what time it is. */
  #countedAt = NaN;

  /** `rate` is bytes per second, undefined for unlimited; a grant also comes out of `parent`. */
  constructor(rate?: number, parent?: RateLimiter) {
    this.#chain = parent ? [this, ...parent.#chain] : [this];
    this.rate = rate;
  }

  /** Bytes per second; undefined is unlimited, 0 grants nothing. May change at any time. */
  get rate(): number | undefined {
    return this.#rate;
  }

  set rate(rate: number | undefined) {
    if (rate !== undefined && !(rate >= 0)) {
      throw new RangeError(`Cannot limit a rate: it must be 0 or more bytes per second, current value is ${rate}`);
    }
    if (this.#rate === undefined) this.#countedAt = NaN;
    this.#rate = rate;
    this.#burst = rate ? Math.max(rate * burstTime / 1_000, minBurst) : 0;
    this.#tokens = rate === undefined ? 0 : Math.min(this.#tokens, this.#burst);
  }

  /**
   * Takes up to `wanted` bytes and returns how many there were: at least `minimum` (1 if not given), or 0. A minimum
   * that the limits could never hold at once is lowered to what they can.
   */
  take(now: number, wanted: number, minimum = 1): number {
    let granted = wanted;
    let least = Math.min(minimum, wanted);
    // A child that is unlimited, under no limit, costs this loop and nothing else.
    for (const each of this.#chain) {
      if (each.#rate === undefined) continue;
      each.#count(now);
      granted = Math.min(granted, Math.floor(each.#tokens));
      least = Math.min(least, Math.max(1, Math.floor(each.#burst)));
    }
    if (granted < least || granted <= 0) {
      this.#ranShort = true;
      return 0;
    }
    this.#spend(granted);
    return granted;
  }

  /** Whether somebody asked for more than there was, since the last call. */
  ranShort(): boolean {
    const ranShort = this.#ranShort;
    this.#ranShort = false;
    return ranShort;
  }

  /** Returns bytes that were taken and not used. */
  giveBack(bytes: number): void {
    this.#spend(-bytes);
  }

  /** When `bytes` (or as many as the limits can hold at once) can be taken: `now` if they can already, Infinity if never. */
  nextAt(now: number, bytes: number): number {
    let at = now;
    for (const each of this.#chain) {
      if (each.#rate === undefined) continue;
      each.#count(now);
      if (each.#rate === 0) return Infinity;
      const missing = Math.min(bytes, Math.floor(each.#burst)) - each.#tokens;
      if (missing > 0) at = Math.max(at, now + Math.ceil(missing * 1_000 / each.#rate));
    }
    return at;
  }

  #count(now: number): void {
    if (now > this.#countedAt) {
      this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) * this.#rate! / 1_000);
      this.#countedAt = now;
    } else if (Number.isNaN(this.#countedAt)) {
      this.#countedAt = now;
    }
  }

  #spend(bytes: number): void {
    for (const each of this.#chain) {
      if (each.#rate !== undefined) each.#tokens = Math.min(each.#burst, each.#tokens - bytes);
    }
  }
}

/** Counts bytes and says how fast they came, over about the last 5 seconds. */
export class RateMeter {
  /** Bytes in each of the last {@link meterSlots} slots of time. */
  readonly #slots: number[] = new Array<number>(meterSlots).fill(0);
  #slot = 0;
  #sum = 0;
  #since = 0;
  #total = 0;

  /** All bytes ever added. */
  get total(): number {
    return this.#total;
  }

  /** Counts `bytes` at `now` (milliseconds). Allocates nothing. */
  add(now: number, bytes: number): void {
    const slot = Math.floor(now / slotTime);
    if (slot !== this.#slot) this.#advance(slot);
    if (this.#sum === 0) this.#since = now;
    this.#slots[slot % meterSlots] += bytes;
    this.#sum += bytes;
    this.#total += bytes;
  }

  /** Bytes per second. After a pause it is measured from the first new byte on, not over the pause. */
  rate(now: number): number {
    const slot = Math.floor(now / slotTime);
    if (slot !== this.#slot) this.#advance(slot);
    if (this.#sum === 0) return 0;
    const start = Math.max(this.#since, (slot - meterSlots + 1) * slotTime);
    return this.#sum * 1_000 / Math.max(now - start, slotTime);
  }

  /** Moves the window on and empties the slots that it reuses. */
  #advance(slot: number): void {
    const passed = Math.min(slot - this.#slot, meterSlots);
    for (let i = 0; i < passed; i++) {
      const reused = (slot - i) % meterSlots;
      this.#sum -= this.#slots[reused];
      this.#slots[reused] = 0;
    }
    this.#slot = slot;
  }
}

/** Milliseconds of a limit's bytes that may be taken at once: short enough to look steady, long enough for late timers. */
const burstTime = 250;
/** Bytes, two blocks: below it a low limit could never grant a whole block. */
const minBurst = 32 * 1024;
/** Milliseconds of one slot of a meter, and how many slots it averages over. */
const slotTime = 500;
const meterSlots = 10;

// Longest wait before a limit is looked at again (ms): it may have changed, or grant nothing at all.
const longestWait = 1_000;

/** How long to wait until `limit` may have `bytes`, in milliseconds: at least 1, and not for long. */
export function limitWait(limit: RateLimiter, now: number, bytes: number): number {
  return Math.min(longestWait, Math.max(1, limit.nextAt(now, bytes) - now));
}
