/** Finding records that live in a typed array: a hash table with chains through the records. @module */

/** Where chains end. */
export const NONE = -1;

/** Records of as many words each, one after the other: a slot is the number of one. */
export interface Records {
  readonly words: Uint32Array;
  /** Words of a record. */
  readonly stride: number;
}

/**
 * Slots by hash. It knows no keys: callers walk the chain of a hash and compare.
 *
 * All its memory is set aside at once and touched as it fills, so that no insert ever copies.
 */
export class SlotIndex {
  /** The first slot of each chain, plus 1; 0 is none. */
  readonly #heads: Uint32Array;
  readonly #mask: number;
  readonly #words: Uint32Array;
  readonly #stride: number;
  readonly #link: number;

  /** @param link the word of each record that is the index's own */
  constructor({ words, stride }: Records, link: number) {
    const chains = 2 ** Math.ceil(Math.log2(Math.max(2, words.length / stride)));
    this.#heads = new Uint32Array(chains);
    this.#mask = chains - 1;
    this.#words = words;
    this.#stride = stride;
    this.#link = link;
  }

  /** The first slot of the chain that belongs to `hash`, or {@link NONE}. */
  first(hash: number): number {
    return this.#heads[hash & this.#mask] - 1;
  }

  /** The slot behind `slot` in its chain, or {@link NONE}. */
  after(slot: number): number {
    return this.#words[slot * this.#stride + this.#link] - 1;
  }

  add(hash: number, slot: number): void {
    this.#words[slot * this.#stride + this.#link] = this.#heads[hash & this.#mask];
    this.#heads[hash & this.#mask] = slot + 1;
  }

  /** Removes a slot that was added with this hash. */
  remove(hash: number, slot: number): void {
    const behind = this.after(slot) + 1;
    let at = this.first(hash);
    if (at === slot) {
      this.#heads[hash & this.#mask] = behind;
      return;
    }
    while (at !== NONE && this.after(at) !== slot) at = this.after(at);
    if (at === NONE) throw new Error(`Cannot remove slot ${slot}: it is not in its chain`);
    this.#words[at * this.#stride + this.#link] = behind;
  }
}

/** Slots that are in nobody's use. Those that were used before go first, so that memory stays as small as it can. */
export class FreeSlots {
  /** The slot that was given back last, and in its record the one before. */
  #top = NONE;
  #fresh = 0;

  /** @param link a word of each record that means something else while the slot is in use */
  constructor(readonly records: Records, readonly link: number) {}

  take(): number {
    if (this.#top === NONE) return this.#fresh++;
    const slot = this.#top;
    this.#top = this.records.words[slot * this.records.stride + this.link] - 1;
    return slot;
  }

  give(slot: number): void {
    this.records.words[slot * this.records.stride + this.link] = this.#top + 1;
    this.#top = slot;
  }
}

/** Hashes words with secret factors, so that nobody outside can choose keys that share a chain. */
export class WordHash {
  readonly #factors: Uint32Array;
  #hash = 0;
  #at = 0;

  /** @param secret random words: one for the start, and one for each word of a key */
  constructor(secret: Uint32Array) {
    this.#factors = secret.map((word) => word | 1);
  }

  begin(): this {
    this.#hash = this.#factors[0];
    this.#at = 1;
    return this;
  }

  /** Takes a word of 32 bits. */
  word(word: number): this {
    const hash = Math.imul(this.#hash ^ word, this.#factors[this.#at++]);
    this.#hash = hash ^ hash >>> 15;
    return this;
  }

  /** 32 bits, all of which depend on all of the key. */
  end(): number {
    const hash = Math.imul(this.#hash, 0x9e3779b1);
    return hash ^ hash >>> 16;
  }
}
