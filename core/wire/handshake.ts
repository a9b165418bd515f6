// The handshake of BEP 3; reserved bits of BEP 5 (DHT), 6 (fast) and 10 (extended).
import { ProtocolError } from "./errors.ts";
import { utf8Encode } from "./text.ts";
import { InfoHash } from "./torrent_id.ts";

/** The protocol's name, which opens every handshake behind its length. */
export const PROTOCOL = "BitTorrent protocol";
/** Bytes of a whole handshake. */
export const HANDSHAKE_LENGTH = 68;

const PREFIX = Uint8Array.of(PROTOCOL.length, ...utf8Encode(PROTOCOL));
const EXTENDED = { at: 5, bit: 0x10 };
const FAST = { at: 7, bit: 0x04 };
const DHT = { at: 7, bit: 0x01 };

/** The capabilities that the reserved bytes announce. */
export interface HandshakeFlags {
  /** Extension protocol, BEP 10. */
  readonly extended: boolean;
  /** Fast extension, BEP 6. */
  readonly fast: boolean;
  /** DHT with PORT messages, BEP 5. */
  readonly dht: boolean;
}

/** A handshake as it came. */
export interface Handshake extends HandshakeFlags {
  readonly infoHash: InfoHash;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** All 8 reserved bytes, with the bits that no one here knows. */
  readonly reserved: Uint8Array;
}

/** The 68 bytes that open a connection. Throws RangeError unless the peer id has 20 bytes. */
export function encodeHandshake(
  { infoHash, peerId, reserved }: { infoHash: InfoHash; peerId: Uint8Array; reserved: HandshakeFlags },
): Uint8Array {
  if (peerId.length !== 20) throw new RangeError(`Cannot encode handshake: peer id of ${peerId.length} bytes, not 20`);
  const bytes = new Uint8Array(HANDSHAKE_LENGTH);
  bytes.set(PREFIX);
  if (reserved.extended) bytes[20 + EXTENDED.at] |= EXTENDED.bit;
  if (reserved.fast) bytes[20 + FAST.at] |= FAST.bit;
  if (reserved.dht) bytes[20 + DHT.at] |= DHT.bit;
  bytes.set(infoHash.bytes, 28);
  bytes.set(peerId, 48);
  return bytes;
}

/** Reads exactly 68 bytes; the result holds copies. Throws ProtocolError on another length or protocol. */
export function decodeHandshake(bytes: Uint8Array): Handshake {
  if (bytes.length !== HANDSHAKE_LENGTH) {
    throw new ProtocolError(
      `Cannot decode handshake: length must be ${HANDSHAKE_LENGTH}, current value is ${bytes.length}`,
    );
  }
  if (!isHandshakePrefix(bytes)) throw new ProtocolError(`Cannot decode handshake: expected "${PROTOCOL}"`);
  const reserved = bytes.slice(20, 28);
  return {
    infoHash: InfoHash.from(bytes.subarray(28, 48)),
    peerId: bytes.slice(48, 68),
    reserved,
    extended: (reserved[EXTENDED.at] & EXTENDED.bit) !== 0,
    fast: (reserved[FAST.at] & FAST.bit) !== 0,
    dht: (reserved[DHT.at] & DHT.bit) !== 0,
  };
}

/** Whether what has come so far (any number of bytes) may be the start of a handshake. True of no bytes. */
export function isHandshakePrefix(bytes: Uint8Array): boolean {
  const known = Math.min(bytes.length, PREFIX.length);
  for (let i = 0; i < known; i++) if (bytes[i] !== PREFIX[i]) return false;
  return true;
}
