const SMALLEST = 2_048;

/** Bytes first in, first out, in one ring that grows as needed. The caller bounds it. */
export class ByteQueue {
  #ring = new Uint8Array(0);
  #start = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes a copy of `bytes` in. */
  push(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#ring.length) this.#grow(this.#length + bytes.length);
    const end = (this.#start + this.#length) % this.#ring.length;
    const head = Math.min(bytes.length, this.#ring.length - end);
    if (head === bytes.length) this.#ring.set(bytes, end);
    else {
      this.#ring.set(bytes.subarray(0, head), end);
      this.#ring.set(bytes.subarray(head), 0);
    }
    this.#length += bytes.length;
  }

  /** Moves the oldest bytes to the start of `into`; returns how many. */
  shift(into: Uint8Array): number {
    const count = Math.min(into.length, this.#length);
    const head = Math.min(count, this.#ring.length - this.#start);
    into.set(this.#ring.subarray(this.#start, this.#start + head));
    if (head < count) into.set(this.#ring.subarray(0, count - head), head);
    this.#length -= count;
    this.#start = this.#length === 0 ? 0 : (this.#start + count) % this.#ring.length;
    return count;
  }

  /** Forgets everything. */
  clear(): void {
    [this.#start, this.#length] = [0, 0];
    this.trim();
  }

  /** Gives the memory back that an empty queue keeps for what comes next. */
  trim(): void {
    if (this.#length === 0) this.#ring = new Uint8Array(0);
  }

  #grow(needed: number): void {
    let size = Math.max(SMALLEST, this.#ring.length);
    while (size < needed) size *= 2;
    const ring = new Uint8Array(size);
    const head = Math.min(this.#length, this.#ring.length - this.#start);
    ring.set(this.#ring.subarray(this.#start, this.#start + head));
    ring.set(this.#ring.subarray(0, this.#length - head), head);
    [this.#ring, this.#start] = [ring, 0];
  }
}
