/**
 * uTP packets (BEP 29): a header of 20 bytes, a chain of extensions, and data. Read and written in place: nothing is
 * copied, and sequence numbers wrap at 16 bits.
 *
 * @module
 */

/** What a packet is, the upper half of its first byte. */
export const PacketType = { data: 0, fin: 1, state: 2, reset: 3, syn: 4 } as const;

/** The first bytes of uTP datagrams of version 1, by which they are told apart on the shared UDP port. */
export const FIRST_BYTES: readonly number[] = Object.values(PacketType).map((type) => type << 4 | 1);

/** Bytes before extensions and data. */
export const HEADER_LENGTH = 20;

const VERSION = 1;
const SELECTIVE_ACK = 1;
const EXTENSION_BITS = 2;
const BITS_LENGTH = 8;
// Not given a meaning by anybody, so that everybody skips it.
const PADDING = 0x70;
const MAX_EXTENSION = 255;
// More than any client sends; a longer chain only keeps us busy.
const MAX_EXTENSIONS = 8;

/** The numbers of a header. Times are microseconds, modulo 2^32; sequence numbers are modulo 2^16. */
export interface Header {
  readonly type: number;
  readonly id: number;
  /** The sender's clock when it was sent. */
  readonly timestamp: number;
  /** How long, by both clocks, the sender's latest packet from us was under way. */
  readonly difference: number;
  /** Bytes that the sender has room for. */
  readonly window: number;
  readonly seq: number;
  /** The last packet that the sender has without gaps before it. */
  readonly ack: number;
}

/** A packet that was read; positions are those in its datagram. */
export interface Packet extends Header {
  /** Where the data begins; it goes on to the end. */
  readonly data: number;
  /** Where the selective ack's bit mask is, and how many bytes it has: 0 when there is none. */
  readonly sack: number;
  readonly sackLength: number;
}

/** Reads a datagram; undefined when it is no uTP packet of version 1, or cut, or its extensions are wrong. */
export function readPacket(bytes: Uint8Array): Packet | undefined {
  if (bytes.length < HEADER_LENGTH || (bytes[0] & 15) !== VERSION || bytes[0] >> 4 > PacketType.syn) return undefined;
  let [data, sack, sackLength, count] = [HEADER_LENGTH, 0, 0, 0];
  for (let extension = bytes[1]; extension !== 0; count++) {
    if (data + 2 > bytes.length || count === MAX_EXTENSIONS) return undefined;
    const [next, length] = [bytes[data], bytes[data + 1]];
    data += 2;
    if (data + length > bytes.length) return undefined;
    if (extension === SELECTIVE_ACK) [sack, sackLength] = [data, length];
    extension = next;
    data += length;
  }
  return {
    type: bytes[0] >> 4,
    id: read16(bytes, 2),
    timestamp: read32(bytes, 4),
    difference: read32(bytes, 8),
    window: read32(bytes, 12),
    seq: read16(bytes, 16),
    ack: read16(bytes, 18),
    data,
    sack,
    sackLength,
  };
}

/** Writes a header without extensions to the start of `into`. */
export function writeHeader(into: Uint8Array, header: Header): void {
  into[0] = header.type << 4 | VERSION;
  into[1] = 0;
  write16(into, 2, header.id);
  write32(into, 4, header.timestamp);
  write32(into, 8, header.difference);
  write32(into, 12, header.window);
  write16(into, 16, header.seq);
  write16(into, 18, header.ack);
}

/** Bytes of a packet with a selective ack of so many bytes and no data. */
export function stateLength(sackLength: number): number {
  return HEADER_LENGTH + (sackLength > 0 ? 2 + sackLength : 0);
}

/** Announces a selective ack in a written header; returns the part of `packet` that its mask goes to. */
export function addSelectiveAck(packet: Uint8Array, sackLength: number): Uint8Array {
  packet[1] = SELECTIVE_ACK;
  packet[HEADER_LENGTH] = 0;
  packet[HEADER_LENGTH + 1] = sackLength;
  return packet.subarray(HEADER_LENGTH + 2, HEADER_LENGTH + 2 + sackLength);
}

/**
 * The same packet (one without extensions) of exactly `length` bytes; undefined where that can't be. libutp takes only
 * packets that begin with an extension it knows, so that of extension bits, none of them set, goes before the padding.
 */
export function padPacket(packet: Uint8Array, length: number): Uint8Array | undefined {
  let room = length - packet.length - BITS_LENGTH - 2;
  if (room < 2) return undefined;
  const padded = new Uint8Array(length);
  padded.set(packet.subarray(0, HEADER_LENGTH));
  padded[1] = EXTENSION_BITS;
  padded[HEADER_LENGTH] = PADDING;
  padded[HEADER_LENGTH + 1] = BITS_LENGTH;
  let at = HEADER_LENGTH + 2 + BITS_LENGTH;
  while (room > 0) {
    // An extension has two bytes at least: a single one must not be left over.
    const size = room - 2 <= MAX_EXTENSION ? room : Math.min(room - 2, MAX_EXTENSION + 2);
    padded[at] = room > size ? PADDING : 0;
    padded[at + 1] = size - 2;
    at += size;
    room -= size;
  }
  padded.set(packet.subarray(HEADER_LENGTH), at);
  return padded;
}

/** How far `to` is after `from`, from 0 to 65535. */
export function distance(from: number, to: number): number {
  return to - from & 0xffff;
}

/** Microseconds, modulo 2^32, of a time in milliseconds. */
export function microseconds(now: number): number {
  return Math.floor(now * 1000 % 0x1_0000_0000) >>> 0;
}

function read16(bytes: Uint8Array, at: number): number {
  return bytes[at] << 8 | bytes[at + 1];
}

function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

function write16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >> 8;
  into[at + 1] = value;
}

function write32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
