/** The buffers that writes are encrypted into: a stream needs one only while it writes. @module */

// Messages; a batch of blocks, as sessions write them.
const SIZES = [4 * 1024, 256 * 1024];
// How many of each size are kept: as many as write at once on a busy machine, and 1 MiB in all.
const KEPT = 4;

export class WriteBuffers {
  readonly #free: readonly Uint8Array[][] = SIZES.map(() => []);

  /** A buffer of at least so many bytes, with whatever it held. */
  take(length: number): Uint8Array {
    const size = SIZES.findIndex((size) => size >= length);
    return size < 0 ? new Uint8Array(length) : this.#free[size].pop() ?? new Uint8Array(SIZES[size]);
  }

  /** Gives one back that nobody reads any more. */
  give(buffer: Uint8Array): void {
    const free = this.#free[SIZES.indexOf(buffer.length)];
    if (free && free.length < KEPT) free.push(buffer);
  }
}
