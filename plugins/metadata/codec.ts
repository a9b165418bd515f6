/**
 * Messages of `ut_metadata`, by which peers hand each other the `info` dictionary of a torrent (BEP 9).
 *
 * @module
 */
import { decodePrefix, encode, ProtocolError } from "weft";

/** Bytes of each piece of metadata but the last. */
export const METADATA_PIECE = 16 * 1024;

/** Largest metadata that is fetched: a real one is under 2 MB; capped so that a peer can't fill memory. */
export const MAX_METADATA = 8 * 1024 * 1024;

/** A message of the extension. */
export type MetadataMessage =
  | { readonly type: "request"; readonly piece: number }
  | { readonly type: "data"; readonly piece: number; readonly totalSize: number; readonly bytes: Uint8Array }
  | { readonly type: "reject"; readonly piece: number };

const TYPES = ["request", "data", "reject"] as const;

/** Writes a message. */
export function encodeMetadataMessage(message: MetadataMessage): Uint8Array {
  const { type, piece } = message;
  const head = encode({
    msg_type: TYPES.indexOf(type),
    piece,
    total_size: type === "data" ? message.totalSize : undefined,
  });
  if (type !== "data") return head;
  const whole = new Uint8Array(head.length + message.bytes.length);
  whole.set(head);
  whole.set(message.bytes, head.length);
  return whole;
}

/**
 * Reads a message; `bytes` of data is a view. Undefined for a type that BEP 9 doesn't know, which it says to ignore.
 *
 * @throws {ProtocolError} when it isn't a dictionary with the keys of its type
 */
export function decodeMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  const { value, end } = decodePrefix(payload, { maxItems: 100 });
  const type = TYPES[field(value, "msg_type")];
  if (type === undefined) return undefined;
  const piece = field(value, "piece");
  if (type !== "data") return { type, piece };
  return { type, piece, totalSize: field(value, "total_size"), bytes: payload.subarray(end) };
}

/** Number of pieces of metadata with so many bytes. */
export function pieceCount(size: number): number {
  return Math.ceil(size / METADATA_PIECE);
}

/** Bytes of one piece. */
export function pieceSize(size: number, piece: number): number {
  return Math.min(METADATA_PIECE, size - piece * METADATA_PIECE);
}

function field(message: unknown, key: string): number {
  const value = message instanceof Map ? message.get(key) : undefined;
  if (typeof value === "number" && value >= 0) return value;
  throw new ProtocolError(`Cannot decode metadata message: "${key}" must be a number of 0 or more`);
}
