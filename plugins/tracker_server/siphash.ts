/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short inputs that can't be told from chance without the
 * key. A cryptographic digest does as well, at ten times the cost for each datagram of a flood.
 *
 * @module
 */

/** Bytes of its key. */
export const SIPHASH_KEY_LENGTH = 16;

// The state: four words of 64 bits, each as its low and its high half.
const v = new Int32Array(8);

/** The 8 bytes of the hash of `input`, low byte first. */
export function sipHash(key: Uint8Array, input: Uint8Array): Uint8Array {
  const keys = new DataView(key.buffer, key.byteOffset, SIPHASH_KEY_LENGTH);
  const words = [0, 4, 8, 12].map((at) => keys.getInt32(at, true));
  const start = [0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462];
  for (let i = 0; i < 8; i++) v[i] = start[i] ^ words[i % 4];

  // The last block is filled up with zeros, and ends in the length.
  const padded = new Uint8Array((input.length >> 3) * 8 + 8);
  padded.set(input);
  padded[padded.length - 1] = input.length;
  const blocks = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 8) {
    const low = blocks.getInt32(at, true);
    const high = blocks.getInt32(at + 4, true);
    v[6] ^= low;
    v[7] ^= high;
    round();
    round();
    v[0] ^= low;
    v[1] ^= high;
  }
  v[4] ^= 0xff;
  for (let i = 0; i < 4; i++) round();
  const hash = new DataView(new ArrayBuffer(8));
  hash.setInt32(0, v[0] ^ v[2] ^ v[4] ^ v[6], true);
  hash.setInt32(4, v[1] ^ v[3] ^ v[5] ^ v[7], true);
  return new Uint8Array(hash.buffer);
}

function round(): void {
  add(0, 2);
  add(4, 6);
  rotate(2, 13);
  rotate(6, 16);
  mix(2, 0);
  mix(6, 4);
  swap(0);
  add(4, 2);
  add(0, 6);
  rotate(2, 17);
  rotate(6, 21);
  mix(2, 4);
  mix(6, 0);
  swap(4);
}

/** Adds word `b` to word `a`. */
function add(a: number, b: number): void {
  const low = (v[a] >>> 0) + (v[b] >>> 0);
  v[a + 1] = v[a + 1] + v[b + 1] + (low > 0xffffffff ? 1 : 0);
  v[a] = low;
}

function rotate(a: number, bits: number): void {
  const low = v[a];
  const high = v[a + 1];
  v[a] = low << bits | high >>> (32 - bits);
  v[a + 1] = high << bits | low >>> (32 - bits);
}

function mix(a: number, b: number): void {
  v[a] ^= v[b];
  v[a + 1] ^= v[b + 1];
}

/** Rotates by half a word. */
function swap(a: number): void {
  const low = v[a];
  v[a] = v[a + 1];
  v[a + 1] = low;
}
