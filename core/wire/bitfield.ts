// The bitfield of BEP 3: bit i of piece i, high bit first, spare bits at the end zero.
import { ProtocolError } from "./errors.ts";

/** Which pieces there are. `count` is kept up to date, so asking how many costs nothing. */
export class Bitfield {
  /** How many pieces it speaks of. */
  readonly length: number;
  /** The wire form, live: write through the methods only. */
  readonly bytes: Uint8Array;
  #count: number;

  /** All unset, or a copy of `bytes`. Throws RangeError when those don't fit the length or have spare bits set. */
  constructor(length: number, bytes?: Uint8Array) {
    const fault = bytes && misfit(bytes, length);
    if (fault) throw new RangeError(fault);
    this.length = length;
    this.bytes = bytes ? bytes.slice() : new Uint8Array(Math.ceil(length / 8));
    this.#count = bytes ? countBits(this.bytes) : 0;
  }

  /** Reads a peer's bitfield. Throws ProtocolError on a wrong length or set spare bits. */
  static decode(bytes: Uint8Array, length: number): Bitfield {
    const fault = misfit(bytes, length);
    if (fault) throw new ProtocolError(fault);
    return new Bitfield(length, bytes);
  }

  /** How many pieces are set. */
  get count(): number {
    return this.#count;
  }

  /** Whether every piece is set (true of no pieces at all). */
  get full(): boolean {
    return this.#count === this.length;
  }

  /** Whether no piece is set. */
  get empty(): boolean {
    return this.#count === 0;
  }

  /** Whether piece i is set; false outside the range. */
  has(i: number): boolean {
    return (this.bytes[i >> 3] & 0x80 >> (i & 7)) !== 0;
  }

  /** Sets piece i and returns whether that changed it. Throws RangeError outside the range. */
  set(i: number): boolean {
    this.#check(i);
    if (this.has(i)) return false;
    this.bytes[i >> 3] |= 0x80 >> (i & 7);
    this.#count++;
    return true;
  }

  /** Clears piece i and returns whether that changed it. Throws RangeError outside the range. */
  clear(i: number): boolean {
    this.#check(i);
    if (!this.has(i)) return false;
    this.bytes[i >> 3] &= ~(0x80 >> (i & 7));
    this.#count--;
    return true;
  }

  /** Sets every piece. */
  setAll(): void {
    this.bytes.fill(0xff);
    const spare = spareBits(this.length);
    if (spare > 0) this.bytes[this.bytes.length - 1] = 0xff << spare;
    this.#count = this.length;
  }

  /** An independent copy. */
  clone(): Bitfield {
    return new Bitfield(this.length, this.bytes);
  }

  /** The first set piece at or after `from`, or -1. */
  firstSet(from = 0): number {
    return this.#find(from, 0);
  }

  /** The first unset piece at or after `from`, or -1. */
  firstUnset(from = 0): number {
    return this.#find(from, 0xff);
  }

  /** The set pieces in order. */
  *iterate(): Generator<number> {
    for (let i = this.firstSet(); i >= 0; i = this.firstSet(i + 1)) yield i;
  }

  /** The first bit that differs from those of `skip` (0 or 0xff); whole bytes equal to it are passed at once. */
  #find(from: number, skip: 0 | 0xff): number {
    for (let at = from >> 3; at < this.bytes.length; at++) {
      let differing = this.bytes[at] ^ skip;
      if (at === from >> 3) differing &= 0xff >> (from & 7);
      if (differing === 0) continue;
      const i = at * 8 + Math.clz32(differing) - 24;
      return i < this.length ? i : -1;
    }
    return -1;
  }

  #check(i: number): void {
    if (!(i >= 0 && i < this.length)) {
      throw new RangeError(`Cannot change bitfield: index must be 0 to ${this.length - 1}, current value is ${i}`);
    }
  }
}

function spareBits(length: number): number {
  return -length & 7;
}

function misfit(bytes: Uint8Array, length: number): string | undefined {
  const expected = Math.ceil(length / 8);
  if (bytes.length !== expected) {
    return `Cannot decode bitfield: length must be ${expected}, current value is ${bytes.length}`;
  }
  const last = bytes.length > 0 ? bytes[bytes.length - 1] : 0;
  if ((last & (1 << spareBits(length)) - 1) !== 0) {
    return `Cannot decode bitfield: the ${spareBits(length)} spare bits must be zero, current last byte is ${last}`;
  }
}

function countBits(bytes: Uint8Array): number {
  let count = 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    let word = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
    word -= word >>> 1 & 0x55555555;
    word = (word & 0x33333333) + (word >>> 2 & 0x33333333);
    count += Math.imul(word + (word >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  for (; at < bytes.length; at++) for (let byte = bytes[at]; byte !== 0; byte &= byte - 1) count++;
  return count;
}
