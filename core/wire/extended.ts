// The handshake of the extension protocol, BEP 10; metadata_size is BEP 9's, upload_only BEP 21's.
import { type Encodable, encode, scan, type Span } from "./bencode.ts";
import { ProtocolError } from "./errors.ts";
import { formatIp, parseIp } from "./peer_address.ts";
import { utf8Decode, withoutUndefined } from "./text.ts";

/** What a peer says of itself in its extension handshake; all but `m` may be missing. */
export interface ExtendedHandshake {
  /** Extended message id by extension name; 0 switches one off. Names are byte strings. */
  readonly m: ReadonlyMap<string, number>;
  /** Client name and version. */
  readonly v?: string;
  /** TCP port that the sender listens on. */
  readonly p?: number;
  /** How many requests the sender queues before it drops any. */
  readonly reqq?: number;
  /** The receiver's address as the sender sees it. */
  readonly yourip?: string;
  /** The sender's IPv4 address. */
  readonly ipv4?: string;
  /** The sender's IPv6 address. */
  readonly ipv6?: string;
  /** Bytes of the info dictionary. */
  readonly metadataSize?: number;
  /** The sender downloads nothing. */
  readonly uploadOnly?: boolean;
}

// Clients send under ten; capped so that a peer can't fill memory with names.
const MAX_EXTENSIONS = 64;
// Room for more keys than any client has, so that a peer can't make us build a tree of a large message.
const MAX_ITEMS = 1000;
// A name for people; longer ones would only flood logs and tables.
const MAX_CLIENT_NAME = 100;

/** The bencoded payload of extended message 0. */
export function encodeExtendedHandshake(handshake: ExtendedHandshake): Uint8Array {
  const { m, v, p, reqq, yourip, ipv4, ipv6, metadataSize, uploadOnly } = handshake;
  const fields: Record<string, Encodable | undefined> = {
    m,
    v,
    p,
    reqq,
    yourip: ipBytes(yourip),
    ipv4: ipBytes(ipv4),
    ipv6: ipBytes(ipv6),
    metadata_size: metadataSize,
    upload_only: uploadOnly === undefined ? undefined : Number(uploadOnly),
  };
  return encode(fields);
}

/**
 * Reads the payload of extended message 0. A key of a wrong type or range is left out, since clients differ.
 * Throws ProtocolError unless the whole is one dictionary.
 */
export function decodeExtendedHandshake(bytes: Uint8Array): ExtendedHandshake {
  const span = scan(bytes, { maxItems: MAX_ITEMS });
  if (span.kind !== "dict") throw new ProtocolError("Cannot decode extended handshake: expected a dictionary");
  const key = (name: string): Span | undefined => span.entries.get(name);
  const uploadOnly = integer(key("upload_only"), 0, Number.MAX_SAFE_INTEGER);
  return withoutUndefined({
    m: extensions(key("m")),
    v: text(key("v"))?.slice(0, MAX_CLIENT_NAME),
    p: integer(key("p"), 1, 65535),
    reqq: integer(key("reqq"), 0, Number.MAX_SAFE_INTEGER),
    yourip: ipText(key("yourip"), 4, 16),
    ipv4: ipText(key("ipv4"), 4),
    ipv6: ipText(key("ipv6"), 16),
    metadataSize: integer(key("metadata_size"), 0, Number.MAX_SAFE_INTEGER),
    uploadOnly: uploadOnly === undefined ? undefined : uploadOnly !== 0,
  });
}

function extensions(span: Span | undefined): Map<string, number> {
  const found = new Map<string, number>();
  if (span?.kind !== "dict") return found;
  for (const [name, value] of span.entries) {
    const id = integer(value, 0, 255);
    if (id !== undefined && found.size < MAX_EXTENSIONS) found.set(name, id);
  }
  return found;
}

function integer(span: Span | undefined, least: number, most: number): number | undefined {
  if (span?.kind !== "integer" || typeof span.value !== "number") return undefined;
  return span.value >= least && span.value <= most ? span.value : undefined;
}

function text(span: Span | undefined): string | undefined {
  return span?.kind === "string" ? utf8Decode(span.bytes) : undefined;
}

function ipText(span: Span | undefined, ...lengths: number[]): string | undefined {
  return span?.kind === "string" && lengths.includes(span.bytes.length) ? formatIp(span.bytes) : undefined;
}

function ipBytes(ip: string | undefined): Uint8Array | undefined {
  return ip === undefined ? undefined : parseIp(ip)?.bytes;
}
