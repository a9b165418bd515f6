/** The bloom filters of BEP 33: how many peers of a swarm there are, over the nodes that know some of them. @module */
import { parseIp, sha1 } from "weft";

/** Bytes of a filter. */
export const BLOOM_LENGTH = 256;
const BITS = BLOOM_LENGTH * 8;
const HASHES = 2;

/** Adds an IP address to a filter. */
export function addToBloom(filter: Uint8Array, ip: string): void {
  const hash = sha1(parseIp(ip)!.bytes);
  for (let i = 0; i < HASHES; i++) {
    const bit = (hash[2 * i] | hash[2 * i + 1] << 8) % BITS;
    filter[bit >> 3] |= 1 << (bit & 7);
  }
}

/** Adds all of another filter to `filter`. */
export function mergeBloom(filter: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < BLOOM_LENGTH; i++) filter[i] |= other[i];
}

/** About how many addresses were added. */
export function estimateBloom(filter: Uint8Array): number {
  let zeros = 0;
  for (const byte of filter) {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit & 1) === 0) zeros++;
  }
  // A full filter says no more than one with a single zero.
  const size = Math.log(Math.max(1, zeros) / BITS) / (HASHES * Math.log(1 - 1 / BITS));
  return Math.max(0, size);
}
