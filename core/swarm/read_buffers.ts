/**
 * The buffers that sessions read into: small ones for idle peers, large ones, pooled, for those that send blocks.
 *
 * @module
 */

// An idle peer's messages are a few bytes each.
const SMALL = 4 * 1024;
// Larger reads are no cheaper (measured), and a pending read pins its buffer.
const LARGE = 64 * 1024;
// Large buffers kept for the next busy peer.
const KEPT = 16;

export class ReadBuffers {
  readonly small = SMALL;
  readonly #free: Uint8Array[] = [];
  #inUse = 0;

  /** Bytes of buffers in use and kept. */
  get bytes(): number {
    return this.#inUse + this.#free.length * LARGE;
  }

  take(large: boolean): Uint8Array {
    this.#inUse += large ? LARGE : SMALL;
    return large ? this.#free.pop() ?? new Uint8Array(LARGE) : new Uint8Array(SMALL);
  }

  /** Gives a buffer back; the read that used it has settled. */
  give(buffer: Uint8Array): void {
    this.#inUse -= buffer.length;
    if (buffer.length === LARGE && this.#free.length < KEPT) this.#free.push(buffer);
  }
}
