const CHUNK = 64 * 1024;

/** A growing run of bytes whose holes take no memory and read as zeros. */
export class SparseBytes {
  readonly #chunks = new Map<number, Uint8Array>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Fills the start of `into` from `position`; returns how many bytes there were. */
  read(into: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(into.length, this.#size - position));
    this.#each(position, length, (index, from, to, at) => {
      const chunk = this.#chunks.get(index);
      if (chunk) into.set(chunk.subarray(from, to), at);
      else into.fill(0, at, at + to - from);
    });
    return length;
  }

  write(bytes: Uint8Array, position: number): void {
    this.#each(position, bytes.length, (index, from, to, at) => {
      let chunk = this.#chunks.get(index);
      if (!chunk) this.#chunks.set(index, chunk = new Uint8Array(CHUNK));
      chunk.set(bytes.subarray(at, at + to - from), from);
    });
    this.#size = Math.max(this.#size, position + bytes.length);
  }

  truncate(size: number): void {
    if (size < this.#size) {
      const last = Math.floor(size / CHUNK);
      for (const index of this.#chunks.keys()) if (index > last) this.#chunks.delete(index);
      this.#chunks.get(last)?.fill(0, size % CHUNK);
    }
    this.#size = size;
  }

  #each(position: number, length: number, visit: (index: number, from: number, to: number, at: number) => void): void {
    for (let at = 0; at < length;) {
      const index = Math.floor((position + at) / CHUNK);
      const from = (position + at) % CHUNK;
      const to = Math.min(CHUNK, from + length - at);
      visit(index, from, to, at);
      at += to - from;
    }
  }
}
