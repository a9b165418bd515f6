/**
 * Messages of `ut_holepunch`, by which a peer that two others are connected to has them dial each other at the same time
 * (BEP 55).
 *
 * @module
 */
import { parseIp, type PeerAddress, peerAddressFromBytes, ProtocolError } from "weft";

/** Why a relay can't help. */
export const HolepunchError = {
  /** The address is no use. */
  noSuchPeer: 1,
  /** The relay is not connected to that peer. */
  notConnected: 2,
  /** That peer doesn't speak `ut_holepunch`. */
  noSupport: 3,
  /** The address is the relay's own. */
  noSelf: 4,
} as const;

/** A message, and whom it is about. */
export type HolepunchMessage =
  | {
    /** `rendezvous` asks a relay for a meeting with that peer, `connect` says to dial it now. */
    readonly kind: "rendezvous" | "connect";
    readonly address: PeerAddress;
  }
  | {
    /** The relay can't arrange a meeting with that peer. */
    readonly kind: "error";
    readonly address: PeerAddress;
    /** One of {@link HolepunchError}, or what later versions may say. */
    readonly code: number;
  };

const KINDS = ["rendezvous", "connect", "error"] as const;
const ADDRESS_LENGTHS = [4, 16] as const;
const HEADER_LENGTH = 2;
const PORT_LENGTH = 2;
const CODE_LENGTH = 4;

/** The payload of a message: 12 bytes, or 24 with an IPv6 address. */
export function encodeHolepunch(message: HolepunchMessage): Uint8Array {
  const { address: { ip, port }, kind } = message;
  const { bytes } = parseIp(ip)!;
  const payload = new Uint8Array(HEADER_LENGTH + bytes.length + PORT_LENGTH + CODE_LENGTH);
  const view = new DataView(payload.buffer);
  payload[0] = KINDS.indexOf(kind);
  payload[1] = ADDRESS_LENGTHS.findIndex((length) => length === bytes.length);
  payload.set(bytes, HEADER_LENGTH);
  view.setUint16(HEADER_LENGTH + bytes.length, port);
  if (message.kind === "error") view.setUint32(HEADER_LENGTH + bytes.length + PORT_LENGTH, message.code);
  return payload;
}

/**
 * Reads the payload of a message. Where it is no error, its code may be left out, as libtorrent does. Undefined for a
 * kind of message or of address that isn't known, and for port 0.
 *
 * @throws {ProtocolError} when it ends early
 */
export function decodeHolepunch(payload: Uint8Array): HolepunchMessage | undefined {
  if (payload.length < HEADER_LENGTH) throw tooShort(HEADER_LENGTH, payload);
  const kind = KINDS[payload[0]];
  const addressLength = ADDRESS_LENGTHS[payload[1]];
  if (kind === undefined || addressLength === undefined) return undefined;
  const portAt = HEADER_LENGTH + addressLength;
  const length = portAt + PORT_LENGTH + (kind === "error" ? CODE_LENGTH : 0);
  if (payload.length < length) throw tooShort(length, payload);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const port = view.getUint16(portAt);
  if (port === 0) return undefined;
  const address = peerAddressFromBytes(payload.slice(HEADER_LENGTH, portAt), port);
  return kind === "error" ? { kind, address, code: view.getUint32(portAt + PORT_LENGTH) } : { kind, address };
}

function tooShort(expected: number, { length }: Uint8Array): ProtocolError {
  return new ProtocolError(`Cannot decode ut_holepunch: expected at least ${expected} bytes, got ${length}`);
}
