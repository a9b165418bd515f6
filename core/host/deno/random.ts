import type { Random } from "../../api/mod.ts";
import { uniformBelow } from "../uniform.ts";

// One call to the system serves this many numbers; getRandomValues takes at most 65,536 bytes.
const POOL_WORDS = 1024;
const MAX_FILL = 65_536;

/** Unpredictable numbers from the system. */
export class DenoRandom implements Random {
  readonly #pool = new Uint32Array(POOL_WORDS);
  #left = 0;

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += MAX_FILL) crypto.getRandomValues(bytes.subarray(at, at + MAX_FILL));
    return bytes;
  }

  below(bound: number): number {
    return uniformBelow(bound, () => this.#next());
  }

  #next(): number {
    if (this.#left === 0) {
      crypto.getRandomValues(this.#pool);
      this.#left = POOL_WORDS;
    }
    const word = this.#pool[--this.#left];
    this.#pool[this.#left] = 0; // what was given out can't be read back
    return word;
  }
}
