/**
 * Messages of `ut_pex`, by which peers tell each other whom they are connected to (BEP 11).
 *
 * @module
 */
import {
  compactEntries,
  type DictSpan,
  type Encodable,
  encode,
  parseIp,
  type PeerAddress,
  peerAddressFromBytes,
  ProtocolError,
  scan,
  type Span,
} from "weft";

/** What a message says of a peer, one bit each. */
export const PexFlag = {
  /** It encrypts. */
  encrypted: 0x01,
  /** It wants nothing: a seed, or a partial one (BEP 21). */
  uploadOnly: 0x02,
  /** It speaks uTP. */
  utp: 0x04,
  /** It speaks `ut_holepunch` (BEP 55). */
  holepunch: 0x08,
  /** Who names it reached it by dialing. */
  reachable: 0x10,
} as const;

/** A peer as a message names it. */
export interface NamedPeer {
  readonly address: PeerAddress;
  /** Bits of {@link PexFlag}; 0 where nothing is said. */
  readonly flags: number;
}

/** What a peer said. */
export interface PexMessage {
  readonly added: readonly NamedPeer[];
  /** Whom it is connected to no more. */
  readonly dropped: readonly PeerAddress[];
  /** How many peers it named beyond {@link MAX_RECEIVED} of either kind, which are left out. */
  readonly cut: number;
}

/** A peer as it is written, made once for all who are told of it. */
export interface Contact {
  /** 6 or 18 bytes: address and port (BEP 23 and 7). */
  readonly compact: Uint8Array;
  readonly flags: number;
}

/** Most peers that we name in one message as added, and as many as dropped: BEP 11. */
export const MAX_SENT = 50;
/** Most peers of one message that are read, and as many dropped: some clients send 100, and more only fill memory. */
export const MAX_RECEIVED = 100;

// A message has six keys; room for those of extensions, but not for a tree built of a large message.
const MAX_ITEMS = 100;
const SIZE_4 = 6;
const SIZE_6 = 18;

/** A peer to be told of. */
export function contact({ ip, port }: PeerAddress, flags: number): Contact {
  const { bytes } = parseIp(ip)!;
  const compact = new Uint8Array(bytes.length + 2);
  compact.set(bytes);
  compact[bytes.length] = port >> 8;
  compact[bytes.length + 1] = port & 0xff;
  return { compact, flags };
}

/** The payload of a message; what is empty is left out. */
export function encodePex(added: readonly Contact[], dropped: readonly Contact[]): Uint8Array {
  const fields: Record<string, Encodable> = {};
  for (const [size, suffix] of [[SIZE_4, ""], [SIZE_6, "6"]] as const) {
    const [joined, left] = [added, dropped].map((list) => list.filter(({ compact }) => compact.length === size));
    if (joined.length > 0) {
      fields[`added${suffix}`] = join(joined, size);
      fields[`added${suffix}.f`] = Uint8Array.from(joined, ({ flags }) => flags);
    }
    if (left.length > 0) fields[`dropped${suffix}`] = join(left, size);
  }
  return encode(fields);
}

/**
 * Reads the payload of a message. Entries of port 0 are left out, and so are those past {@link MAX_RECEIVED}; flags that
 * are missing are 0, and a list that is no string is empty.
 *
 * @throws {ProtocolError} when it is no dictionary
 */
export function decodePex(payload: Uint8Array): PexMessage {
  const span = scan(payload, { maxItems: MAX_ITEMS });
  if (span.kind !== "dict") throw new ProtocolError("Cannot decode ut_pex: expected a dictionary");
  const added = readPeers(span, "added");
  const dropped = readPeers(span, "dropped");
  return {
    added: added.peers,
    dropped: dropped.peers.map(({ address }) => address),
    cut: added.cut + dropped.cut,
  };
}

/** The peers of both families under one key. */
function readPeers({ entries }: DictSpan, key: string): { readonly peers: NamedPeer[]; readonly cut: number } {
  const peers: NamedPeer[] = [];
  let named = 0;
  for (const [size, suffix] of [[SIZE_4, ""], [SIZE_6, "6"]] as const) {
    const list = string(entries.get(key + suffix));
    const flags = string(entries.get(`${key}${suffix}.f`));
    const count = Math.floor(list.length / size);
    const room = Math.max(0, MAX_RECEIVED - named);
    for (const [i, entry] of compactEntries(list.subarray(0, room * size), size).entries()) {
      const port = entry[size - 2] << 8 | entry[size - 1];
      if (port === 0) continue;
      peers.push({ address: peerAddressFromBytes(entry.subarray(0, size - 2), port), flags: flags[i] ?? 0 });
    }
    named += count;
  }
  return { peers, cut: Math.max(0, named - MAX_RECEIVED) };
}

function string(span: Span | undefined): Uint8Array {
  return span?.kind === "string" ? span.bytes : new Uint8Array();
}

function join(contacts: readonly Contact[], size: number): Uint8Array {
  const bytes = new Uint8Array(contacts.length * size);
  contacts.forEach(({ compact }, i) => bytes.set(compact, i * size));
  return bytes;
}
