/** Bytes of a UDP datagram's payload that fit an Ethernet frame, and that every path has room for. */
const LIMITS = {
  4: { most: 1_472, usual: 1_400, least: 548 },
  6: { most: 1_452, usual: 1_400, least: 1_232 },
} as const;
// A size that was lost so often is taken to be too large: one loss may be chance.
const TRIES = 3;
// Not worth another probe (bytes).
const CLOSE_ENOUGH = 16;

/** The largest UDP payload that any path here carries. */
export const MAX_DATAGRAM: number = LIMITS[4].most;

/**
 * Finds the largest datagram that a path carries, by padding packets that are small enough for certain: one that is
 * lost is sent again without the padding, so that a probe costs no time and says nothing of congestion. Bytes of UDP
 * payload.
 */
export class PathMtu {
  /** What is known to arrive. */
  size: number;
  #tooLarge: number;
  #candidate: number;
  #misses = 0;
  #probing = false;
  readonly #least: number;

  constructor(family: 4 | 6) {
    const { most, usual, least } = LIMITS[family];
    this.size = this.#least = least;
    this.#tooLarge = most + 1;
    this.#candidate = usual;
  }

  /** The size to try now; undefined when there is nothing to try, or one is under way. */
  get probe(): number | undefined {
    return this.#probing || this.#candidate <= this.size ? undefined : this.#candidate;
  }

  /** The candidate is on its way. */
  sent(): void {
    this.#probing = true;
  }

  arrived(): void {
    this.size = Math.max(this.size, this.#candidate);
    this.#choose();
  }

  lost(): void {
    this.#probing = false;
    if (++this.#misses < TRIES) return;
    this.#tooLarge = Math.min(this.#tooLarge, this.#candidate);
    this.#choose();
  }

  /** What was known to arrive doesn't any more: the path changed. */
  shrink(): void {
    if (this.size === this.#least) return;
    this.#tooLarge = Math.min(this.#tooLarge, this.size);
    this.size = this.#least;
    this.#choose();
  }

  #choose(): void {
    this.#probing = false;
    this.#misses = 0;
    const most = this.#tooLarge - 1;
    // Nothing is known to be too large while the limit stands: it is the likeliest.
    const middle = this.#tooLarge === LIMITS[4].most + 1 || this.#tooLarge === LIMITS[6].most + 1
      ? most
      : this.size + most + 1 >> 1;
    this.#candidate = most - this.size >= CLOSE_ENOUGH ? middle : this.size;
  }
}
