/** Node ids: 160 bits, their distance (BEP 5), and their tie to an IP address (BEP 42). @module */
import { byteString, parseIp, type Random } from "weft";

/**
 * A node id, an info-hash or another target: 20 bytes as a byte string (one character a byte), which is a third of a
 * Uint8Array's memory and a Map's key.
 */
export type NodeId = string;

/** Bytes of a {@link NodeId}. */
export const ID_LENGTH = 20;

// BEP 42: which bits of an address count, so that the holder of a whole network still has few ids to choose from.
const MASK_4 = [0x03, 0x0f, 0x3f, 0xff];
const MASK_6 = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];

const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** The CRC-32C (Castagnoli) of some bytes, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crc >>> 8 ^ CRC32C[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

/** Any id. */
export function randomId(random: Random): NodeId {
  return byteString(random.bytes(ID_LENGTH));
}

/** An id that fits an IP address by BEP 42. */
export function secureId(ip: string, random: Random): NodeId {
  const id = random.bytes(ID_LENGTH);
  const prefix = securePrefix(parseIp(ip)!.bytes, id[19]);
  id[0] = prefix >>> 24;
  id[1] = prefix >>> 16;
  id[2] = prefix >>> 8 & 0xf8 | id[2] & 0x07;
  return byteString(id);
}

/** Whether an id fits an IP address (4 or 16 bytes) by BEP 42. */
export function isSecureId(id: NodeId, ip: Uint8Array): boolean {
  const prefix = securePrefix(ip, id.charCodeAt(19));
  return id.charCodeAt(0) === prefix >>> 24 && id.charCodeAt(1) === (prefix >>> 16 & 0xff) &&
    (id.charCodeAt(2) & 0xf8) === (prefix >>> 8 & 0xf8);
}

/** Which of two ids is closer to a target, by XOR: negative when it is `a`, 0 when they are the same. */
export function compareDistance(target: NodeId, a: NodeId, b: NodeId): number {
  for (let i = 0; i < ID_LENGTH; i++) {
    const byte = target.charCodeAt(i);
    const difference = (a.charCodeAt(i) ^ byte) - (b.charCodeAt(i) ^ byte);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How many leading bits two ids share: 0 to 160. */
export function sharedBits(a: NodeId, b: NodeId): number {
  for (let i = 0; i < ID_LENGTH; i++) {
    const difference = a.charCodeAt(i) ^ b.charCodeAt(i);
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24;
  }
  return ID_LENGTH * 8;
}

/** A random id that shares exactly `bits` leading bits (fewer than 160) with `id`. */
export function randomIdSharing(id: NodeId, bits: number, random: Random): NodeId {
  const bytes = random.bytes(ID_LENGTH);
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) bytes[i] = id.charCodeAt(i);
  const flipped = 0x80 >> (bits & 7);
  const kept = 0xff00 >> (bits & 7) & 0xff;
  const own = id.charCodeAt(whole);
  bytes[whole] = own & kept | ~own & flipped | bytes[whole] & ~(kept | flipped);
  return byteString(bytes);
}

/** The 32 bits whose first 21 an id must begin with. */
function securePrefix(ip: Uint8Array, last: number): number {
  const mask = ip.length === 4 ? MASK_4 : MASK_6;
  const masked = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) masked[i] = ip[i] & mask[i];
  masked[0] |= (last & 0x07) << 5;
  return crc32c(masked);
}
