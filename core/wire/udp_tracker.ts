// The UDP tracker protocol, both directions: BEP 15 (IPv6 peers as it says since 2017), BEP 41 (options).
import { compactEntries, decodePeers4, decodePeers6, encodePeers4, encodePeers6 } from "./compact.ts";
import { ProtocolError } from "./errors.ts";
import type { PeerAddress } from "./peer_address.ts";
import { utf8Decode, utf8Encode } from "./text.ts";

/** The connection id of every connect request: it tells this protocol from others. */
export const UDP_TRACKER_MAGIC = 0x41727101980n;
/** The most info-hashes in one scrape: as many as an Ethernet frame takes, says BEP 15. */
export const MAX_UDP_SCRAPE = 74;

/** Asks for a connection id. */
export interface UdpConnectRequest {
  readonly action: "connect";
  /** 32 bits, unsigned. */
  readonly transactionId: number;
}

/** An announce. */
export interface UdpAnnounceRequest {
  readonly action: "announce";
  /** 64 bits, unsigned, as the connect reply gave it. */
  readonly connectionId: bigint;
  readonly transactionId: number;
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Bytes; what is above 2^53 - 1 (some send -1 for "unknown") is that. */
  readonly downloaded: number;
  readonly left: number;
  readonly uploaded: number;
  /** `paused` is a partial seed's (BEP 21); BEP 15 has no number for it, libtorrent's is 4. */
  readonly event?: "completed" | "started" | "stopped" | "paused";
  /** An IPv4 address that the peer says it has, as 32 bits; 0 or absent is the sender's. */
  readonly ip?: number;
  /** 32 bits, unsigned. */
  readonly key: number;
  /** Peers asked for; absent leaves it to the tracker. */
  readonly wanted?: number;
  /** 0 to 65535. */
  readonly port: number;
  /** BEP 41: path and query of the tracker's URL, such as `/announce?passkey=1`. */
  readonly urlData?: string;
}

/** A scrape of 1 to 74 swarms. */
export interface UdpScrapeRequest {
  readonly action: "scrape";
  readonly connectionId: bigint;
  readonly transactionId: number;
  /** 20 bytes each. */
  readonly infoHashes: readonly Uint8Array[];
}

/** What a client sends. */
export type UdpTrackerRequest = UdpConnectRequest | UdpAnnounceRequest | UdpScrapeRequest;

/** What every request begins with. */
export interface UdpTrackerHeader {
  readonly connectionId: bigint;
  /** 0 connect, 1 announce, 2 scrape; others as they came. */
  readonly action: number;
  readonly transactionId: number;
}

/** The connection id, good for one minute at the client and two at the tracker. */
export interface UdpConnectReply {
  readonly action: "connect";
  readonly transactionId: number;
  readonly connectionId: bigint;
}

/** The answer to an announce. */
export interface UdpAnnounceReply {
  readonly action: "announce";
  readonly transactionId: number;
  /** Seconds. */
  readonly interval: number;
  readonly leechers: number;
  readonly seeders: number;
  readonly peers: readonly PeerAddress[];
}

/** The answer to a scrape, in the order of the request. */
export interface UdpScrapeReply {
  readonly action: "scrape";
  readonly transactionId: number;
  readonly swarms: readonly { readonly seeders: number; readonly completed: number; readonly leechers: number }[];
}

/** A refusal. */
export interface UdpErrorReply {
  readonly action: "error";
  readonly transactionId: number;
  readonly message: string;
}

/** What a tracker sends. */
export type UdpTrackerReply = UdpConnectReply | UdpAnnounceReply | UdpScrapeReply | UdpErrorReply;

const HEADER = 16;
const ANNOUNCE = 98;
const CONNECT_REPLY = 16;
const ANNOUNCE_REPLY = 20;
const REPLY_HEADER = 8;
const SCRAPED = 12;
const ACTIONS = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;
const EVENTS = [undefined, "completed", "started", "stopped", "paused"] as const;
// BEP 41's options.
const END = 0;
const NOP = 1;
const URL_DATA = 2;
// Longer than any URL with a passkey; a sender can't make a reader put more together.
const MAX_URL_DATA = 2_048;

/** The bytes of a request. Throws RangeError when a hash or an id hasn't 20 bytes, or a scrape not 1 to 74 hashes. */
export function encodeUdpTrackerRequest(request: UdpTrackerRequest): Uint8Array {
  const { action, transactionId } = request;
  if (action === "connect") return header(HEADER, UDP_TRACKER_MAGIC, ACTIONS.connect, transactionId).bytes;
  if (action === "announce") return encodeAnnounce(request);
  const { connectionId, infoHashes } = request;
  if (infoHashes.length < 1 || infoHashes.length > MAX_UDP_SCRAPE || infoHashes.some(({ length }) => length !== 20)) {
    throw new RangeError(`Cannot encode scrape: ${infoHashes.length} hashes, not 1 to ${MAX_UDP_SCRAPE} of 20 bytes`);
  }
  const { bytes } = header(HEADER + 20 * infoHashes.length, connectionId, ACTIONS.scrape, transactionId);
  infoHashes.forEach((hash, i) => bytes.set(hash, HEADER + 20 * i));
  return bytes;
}

/** The head of a request, to check its connection id before anything else; undefined when it is too short for one. */
export function readUdpTrackerHeader(bytes: Uint8Array): UdpTrackerHeader | undefined {
  if (bytes.length < HEADER) return undefined;
  const view = viewOf(bytes);
  return { connectionId: view.getBigUint64(0), action: view.getUint32(8), transactionId: view.getUint32(12) };
}

/**
 * Reads a request; hashes and ids are views of `bytes`. What stands behind is passed over, as BEP 15 wants it.
 * Throws ProtocolError when it is too short, of another action, or a connect without the magic number.
 */
export function decodeUdpTrackerRequest(bytes: Uint8Array): UdpTrackerRequest {
  const head = readUdpTrackerHeader(bytes);
  if (!head) throw tooShort("a request", HEADER, bytes);
  const { connectionId, transactionId } = head;
  switch (head.action) {
    case ACTIONS.connect:
      if (connectionId !== UDP_TRACKER_MAGIC) throw fault(`a connect must begin with 0x${magicText}`);
      return { action: "connect", transactionId };
    case ACTIONS.announce:
      return decodeAnnounce(bytes, head);
    case ACTIONS.scrape: {
      const count = Math.floor((bytes.length - HEADER) / 20);
      if (count < 1 || count > MAX_UDP_SCRAPE) {
        throw fault(`a scrape must have 1 to ${MAX_UDP_SCRAPE} info-hashes, current value is ${count}`);
      }
      const infoHashes = Array.from({ length: count }, (_, i) => bytes.subarray(HEADER + 20 * i, HEADER + 20 * i + 20));
      return { action: "scrape", connectionId, transactionId, infoHashes };
    }
    default:
      throw fault(`a request's action must be 0 to 2, current value is ${head.action}`);
  }
}

/** The bytes of a reply to a request that came over this family of addresses; peers of the other one are left out. */
export function encodeUdpTrackerReply(reply: UdpTrackerReply, family: 4 | 6): Uint8Array {
  switch (reply.action) {
    case "connect": {
      const { bytes, view } = replyHeader(CONNECT_REPLY, reply);
      view.setBigUint64(8, reply.connectionId);
      return bytes;
    }
    case "announce": {
      const peers = family === 4 ? encodePeers4(reply.peers) : encodePeers6(reply.peers);
      const { bytes, view } = replyHeader(ANNOUNCE_REPLY + peers.length, reply);
      view.setUint32(8, reply.interval);
      view.setUint32(12, reply.leechers);
      view.setUint32(16, reply.seeders);
      bytes.set(peers, ANNOUNCE_REPLY);
      return bytes;
    }
    case "scrape": {
      const { bytes, view } = replyHeader(REPLY_HEADER + SCRAPED * reply.swarms.length, reply);
      reply.swarms.forEach(({ seeders, completed, leechers }, i) => {
        [seeders, completed, leechers].forEach((count, j) => view.setUint32(REPLY_HEADER + SCRAPED * i + 4 * j, count));
      });
      return bytes;
    }
    case "error": {
      const text = utf8Encode(reply.message);
      const { bytes } = replyHeader(REPLY_HEADER + text.length, reply);
      bytes.set(text, REPLY_HEADER);
      return bytes;
    }
  }
}

/** The transaction id of what may be a reply, to find its request before anything else; undefined when it can't be. */
export function readUdpTransactionId(bytes: Uint8Array): number | undefined {
  if (bytes.length < REPLY_HEADER) return undefined;
  const view = viewOf(bytes);
  return view.getUint32(0) <= ACTIONS.error ? view.getUint32(4) : undefined;
}

/**
 * Reads a reply that came over this family of addresses. Of its list the whole entries count. Throws ProtocolError
 * when it is too short or of another action.
 */
export function decodeUdpTrackerReply(bytes: Uint8Array, family: 4 | 6): UdpTrackerReply {
  if (bytes.length < REPLY_HEADER) throw tooShort("a reply", REPLY_HEADER, bytes);
  const view = viewOf(bytes);
  const transactionId = view.getUint32(4);
  switch (view.getUint32(0)) {
    case ACTIONS.connect:
      if (bytes.length < CONNECT_REPLY) throw tooShort("a connect reply", CONNECT_REPLY, bytes);
      return { action: "connect", transactionId, connectionId: view.getBigUint64(8) };
    case ACTIONS.announce: {
      if (bytes.length < ANNOUNCE_REPLY) throw tooShort("an announce reply", ANNOUNCE_REPLY, bytes);
      const [interval, leechers, seeders] = [8, 12, 16].map((at) => view.getUint32(at));
      const list = bytes.subarray(ANNOUNCE_REPLY);
      const peers = family === 4 ? decodePeers4(list) : decodePeers6(list);
      return { action: "announce", transactionId, interval, leechers, seeders, peers };
    }
    case ACTIONS.scrape: {
      const swarms = compactEntries(bytes.subarray(REPLY_HEADER), SCRAPED).map((entry) => {
        const [seeders, completed, leechers] = [0, 4, 8].map((at) => viewOf(entry).getUint32(at));
        return { seeders, completed, leechers };
      });
      return { action: "scrape", transactionId, swarms };
    }
    case ACTIONS.error:
      // opentracker ends it with a zero byte.
      return { action: "error", transactionId, message: utf8Decode(bytes.subarray(REPLY_HEADER)).replace(/\0+$/, "") };
    default:
      throw fault(`a reply's action must be 0 to 3, current value is ${view.getUint32(0)}`);
  }
}

function encodeAnnounce(request: UdpAnnounceRequest): Uint8Array {
  const { connectionId, transactionId, infoHash, peerId, urlData } = request;
  if (infoHash.length !== 20 || peerId.length !== 20) {
    throw new RangeError(`Cannot encode announce: ${infoHash.length} and ${peerId.length} bytes, not 20 and 20`);
  }
  const options = urlData ? encodeUrlData(urlData) : new Uint8Array();
  const { bytes, view } = header(ANNOUNCE + options.length, connectionId, ACTIONS.announce, transactionId);
  bytes.set(infoHash, 16);
  bytes.set(peerId, 36);
  view.setBigUint64(56, BigInt(request.downloaded));
  view.setBigUint64(64, BigInt(request.left));
  view.setBigUint64(72, BigInt(request.uploaded));
  view.setUint32(80, EVENTS.indexOf(request.event));
  view.setUint32(84, request.ip ?? 0);
  view.setUint32(88, request.key);
  view.setInt32(92, request.wanted ?? -1);
  view.setUint16(96, request.port);
  bytes.set(options, ANNOUNCE);
  return bytes;
}

function decodeAnnounce(bytes: Uint8Array, { connectionId, transactionId }: UdpTrackerHeader): UdpAnnounceRequest {
  if (bytes.length < ANNOUNCE) throw tooShort("an announce", ANNOUNCE, bytes);
  const view = viewOf(bytes);
  const amount = (at: number): number => Math.min(Number(view.getBigUint64(at)), Number.MAX_SAFE_INTEGER);
  const event = EVENTS[view.getUint32(80)]; // one that nobody knows is a regular announce
  const wanted = view.getInt32(92);
  const urlData = decodeUrlData(bytes.subarray(ANNOUNCE));
  return {
    action: "announce",
    connectionId,
    transactionId,
    infoHash: bytes.subarray(16, 36),
    peerId: bytes.subarray(36, 56),
    downloaded: amount(56),
    left: amount(64),
    uploaded: amount(72),
    ...(event && { event }),
    ip: view.getUint32(84),
    key: view.getUint32(88),
    ...(wanted >= 0 && { wanted }),
    port: view.getUint16(96),
    ...(urlData && { urlData }),
  };
}

/** BEP 41: an option holds at most 255 bytes; longer data goes into several. */
function encodeUrlData(text: string): Uint8Array {
  const data = utf8Encode(text);
  if (data.length > MAX_URL_DATA) {
    throw new RangeError(`Cannot encode announce: URL data of ${data.length} bytes, at most ${MAX_URL_DATA}`);
  }
  const options: number[] = [];
  for (let at = 0; at < data.length; at += 255) {
    const part = data.subarray(at, at + 255);
    options.push(URL_DATA, part.length, ...part);
  }
  return Uint8Array.from([...options, END]);
}

function decodeUrlData(options: Uint8Array): string | undefined {
  const data: number[] = [];
  let at = 0;
  while (at < options.length && options[at] !== END) {
    if (options[at] === NOP) at++;
    else {
      const part = options.subarray(at + 2, at + 2 + options[at + 1]);
      if (part.length !== options[at + 1]) break; // cut off: what came before it counts
      if (options[at] === URL_DATA) data.push(...part);
      at += 2 + part.length;
    }
  }
  return data.length > 0 ? utf8Decode(Uint8Array.from(data.slice(0, MAX_URL_DATA))) : undefined;
}

interface Writable {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function header(length: number, connectionId: bigint, action: number, transactionId: number): Writable {
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setBigUint64(0, connectionId);
  view.setUint32(8, action);
  view.setUint32(12, transactionId);
  return { bytes, view };
}

function replyHeader(length: number, { action, transactionId }: UdpTrackerReply): Writable {
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, ACTIONS[action]);
  view.setUint32(4, transactionId);
  return { bytes, view };
}

const magicText = UDP_TRACKER_MAGIC.toString(16).padStart(16, "0");

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tooShort(what: string, least: number, { length }: Uint8Array): ProtocolError {
  return fault(`${what} must have at least ${least} bytes, current value is ${length}`);
}

function fault(what: string): ProtocolError {
  return new ProtocolError(`Cannot read UDP tracker message: ${what}`);
}
