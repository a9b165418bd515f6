// Canonical peer priority, BEP 40: both ends of a pair compute the same rank, so a swarm's graph comes out well mixed.
import { parseIp, type PeerAddress } from "../../wire/mod.ts";

/**
 * The rank of the connection between two peers, 0 to 2^32-1: higher is dialed sooner and kept longer. It is the same
 * from either side. Both addresses should be as the network sees them. BEP 40.
 */
export function peerPriority(a: PeerAddress, b: PeerAddress): number {
  if (a.ip === b.ip) {
    const [low, high] = a.port < b.port ? [a.port, b.port] : [b.port, a.port];
    return crc32c(Uint8Array.of(low >> 8, low & 0xff, high >> 8, high & 0xff));
  }
  const left = addressBytes(a, b);
  const right = addressBytes(b, a);
  mask(left, right);
  const swapped = compare(left, right) > 0;
  const pair = new Uint8Array(2 * left.length);
  pair.set(swapped ? right : left);
  pair.set(swapped ? left : right, left.length);
  return crc32c(pair);
}

/** CRC-32C (Castagnoli) of some bytes, 0 to 2^32-1. RFC 3720, appendix B.4. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff] ^ crc >>> 8;
  return ~crc >>> 0;
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

/** The bytes of `address`, IPv4-mapped when `other` is IPv6, so that the two have one length. */
function addressBytes(address: PeerAddress, other: PeerAddress): Uint8Array {
  const bytes = parseIp(address.ip)!.bytes.slice();
  if (bytes.length === 16 || other.family === 4) return bytes;
  const mapped = new Uint8Array(16);
  mapped.set([0xff, 0xff], 10);
  mapped.set(bytes, 12);
  return mapped;
}

/** Keeps the shared bytes and one more (at least 2 of IPv4, 6 of IPv6), and every other bit of what follows. */
function mask(left: Uint8Array, right: Uint8Array): void {
  let shared = 0;
  while (shared < left.length && left[shared] === right[shared]) shared++;
  for (let i = Math.max(shared + 1, left.length === 4 ? 2 : 6); i < left.length; i++) {
    left[i] &= 0x55;
    right[i] &= 0x55;
  }
}

function compare(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i] - right[i];
  return 0;
}
