/**
 * The buffers that sessions read into: small ones for idle peers, large ones, pooled, for those that send blocks.
 *
 * @module
 */

// An idle peer's messages are a few bytes each.
const SMALL = 4 * 1024;
// Half as many reads as with 64 KiB cost about 4% less CPU in all; larger ones are no cheaper, and a read pins its buffer.
const LARGE = 128 * 1024;
// Large buffers kept for the next busy peer.
const KEPT = 8;

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
