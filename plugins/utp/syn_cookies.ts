// A SYN is answered, and its answer used, within this (ms); dials give up sooner.
const EPOCH = 30_000;

/**
 * First sequence numbers that need no memory: who answers with the right one has got our answer to its SYN, and so is
 * where it says. A flood of SYNs with forged addresses leaves nothing behind. 16 bits, by HalfSipHash-2-4 under a key
 * of our own.
 */
export class SynCookies {
  readonly #k0: number;
  readonly #k1: number;

  /** @param key 8 unpredictable bytes */
  constructor(key: Uint8Array) {
    const words = new DataView(key.buffer, key.byteOffset, 8);
    [this.#k0, this.#k1] = [words.getUint32(0), words.getUint32(4)];
  }

  /** The number to answer a SYN with, which came from `address` with this id and sequence number. */
  make(now: number, address: string, id: number, seq: number): number {
    return this.#cookie(Math.floor(now / EPOCH), address, id, seq);
  }

  /** Whether `cookie` is what such a SYN was answered with, lately. */
  matches(now: number, cookie: number, address: string, id: number, seq: number): boolean {
    const epoch = Math.floor(now / EPOCH);
    return this.#cookie(epoch, address, id, seq) === cookie || this.#cookie(epoch - 1, address, id, seq) === cookie;
  }

  #cookie(epoch: number, address: string, id: number, seq: number): number {
    let [v0, v1, v2, v3] = [this.#k0, this.#k1, this.#k0 ^ 0x6c796765, this.#k1 ^ 0x74656462];
    const round = (): void => {
      v0 = v0 + v1 | 0;
      v1 = rotate(v1, 5) ^ v0;
      v0 = rotate(v0, 16);
      v2 = v2 + v3 | 0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = v0 + v3 | 0;
      v3 = rotate(v3, 7) ^ v0;
      v2 = v2 + v1 | 0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
    };
    const mix = (word: number): void => {
      v3 ^= word;
      round();
      round();
      v0 ^= word;
    };
    mix(epoch);
    mix(id << 16 | seq);
    for (let i = 0; i < address.length; i += 2) mix(address.charCodeAt(i) << 16 | address.charCodeAt(i + 1));
    mix(address.length);
    v2 ^= 0xff;
    for (let i = 0; i < 4; i++) round();
    return (v1 ^ v3) & 0xffff;
  }
}

function rotate(word: number, by: number): number {
  return word << by | word >>> 32 - by;
}
