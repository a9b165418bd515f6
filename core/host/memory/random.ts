import type { Random } from "../../api/mod.ts";
import { uniformBelow } from "../uniform.ts";

/** Repeatable randomness: xoshiro128** (Blackman and Vigna), seeded from any text or number. */
export class SeededRandom implements Random {
  readonly #state: Uint32Array;

  constructor(seed: number | string) {
    let mixed = 0x811c9dc5;
    for (const char of String(seed)) mixed = Math.imul(mixed ^ char.codePointAt(0)!, 0x01000193);
    // splitmix32 spreads the seed over the state, which must not be all zeros.
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) | 0;
      let word = mixed ^ (mixed >>> 16);
      word = Math.imul(word, 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      return word ^ (word >>> 15);
    });
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** 32 random bits. */
  uint32(): number {
    const s = this.#state;
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const carried = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= carried;
    s[3] = rotate(s[3], 11);
    return result;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }

  below(bound: number): number {
    return uniformBelow(bound, () => this.uint32());
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
