/** The UDP tracker protocol, the tracker's side, bytes to values and back (BEP 15, BEP 41). @module */
import { ProtocolError, utf8Decode, utf8Encode } from "weft";
import type { Announce, Answer, SwarmFigures } from "./tracker.ts";

/** What a datagram asks for, and what is answered with. */
export const actions = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;

/** The least that a request has: a connection id, an action, a transaction id. */
export const HEADER_LENGTH = 16;
const MAGIC_HIGH = 0x417;
const MAGIC_LOW = 0x27101980;
const ANNOUNCE_LENGTH = 98;
const ANSWER_LENGTH = 20;
const HASH_LENGTH = 20;
const FIGURES_LENGTH = 12;
// What surely passes in one packet (bytes of UDP payload).
const MAX_REPLY = 1_400;
// As many as BEP 15 says that a datagram holds.
const MAX_SCRAPED = 74;
const EVENTS = [undefined, "completed", "started", "stopped", "paused"] as const;
// Options behind an announce (BEP 41).
const END_OF_OPTIONS = 0;
const NO_OPTION = 1;
const URL_DATA = 2;

/** The start of any request. */
export interface RequestHeader {
  /** A view of 8 bytes. */
  readonly connection: Uint8Array;
  readonly action: number;
  readonly transaction: number;
  /** It asks for a connection id, and has none yet. */
  readonly connects: boolean;
}

/** An announce as its datagram says it. */
export interface UdpAnnounce extends Omit<Announce, "ip" | "bothFamilies" | "ids"> {
  /** Path and query of the tracker's URL, as the client knows it (BEP 41); empty if it didn't say. */
  readonly urlData: string;
}

/** Reads the start of a datagram; undefined when it is too short for one. */
export function readHeader(bytes: Uint8Array): RequestHeader | undefined {
  if (bytes.length < HEADER_LENGTH) return undefined;
  const view = viewOf(bytes);
  const action = view.getUint32(8);
  return {
    connection: bytes.subarray(0, 8),
    action,
    transaction: view.getUint32(12),
    connects: action === actions.connect && view.getUint32(0) === MAGIC_HIGH && view.getUint32(4) === MAGIC_LOW,
  };
}

/**
 * Reads an announce. Its fields are copies.
 *
 * @throws {ProtocolError} when it is too short, or its options are malformed
 */
export function readAnnounce(bytes: Uint8Array, six: boolean): UdpAnnounce {
  if (bytes.length < ANNOUNCE_LENGTH) throw new ProtocolError("an announce has 98 bytes");
  const view = viewOf(bytes);
  const wanted = view.getInt32(92);
  const room = Math.floor((MAX_REPLY - ANSWER_LENGTH) / (six ? 18 : 6));
  return {
    infoHash: bytes.slice(16, 36),
    peerId: bytes.slice(36, 56),
    complete: view.getUint32(64) === 0 && view.getUint32(68) === 0,
    event: EVENTS[view.getUint32(80)],
    key: view.getUint32(88),
    // Bytes 84 to 87 are an address that the client claims: it could name a victim.
    wanted: wanted < 0 ? undefined : Math.min(wanted, room),
    port: view.getUint16(96),
    urlData: readUrlData(bytes.subarray(ANNOUNCE_LENGTH)),
  };
}

/**
 * Reads a scrape: its info-hashes, as copies.
 *
 * @throws {ProtocolError} when there are none, too many, or a part of one
 */
export function readScrape(bytes: Uint8Array): readonly Uint8Array[] {
  const length = bytes.length - HEADER_LENGTH;
  const count = length / HASH_LENGTH;
  if (!Number.isInteger(count) || count < 1 || count > MAX_SCRAPED) {
    throw new ProtocolError(`a scrape has 1 to ${MAX_SCRAPED} info-hashes`);
  }
  return Array.from(
    { length: count },
    (_, i) => bytes.slice(HEADER_LENGTH + i * HASH_LENGTH, HEADER_LENGTH + (i + 1) * HASH_LENGTH),
  );
}

export function writeConnect(transaction: number, connection: Uint8Array): Uint8Array {
  const [bytes] = reply(actions.connect, transaction, 16);
  bytes.set(connection, 8);
  return bytes;
}

/** The answer to an announce over IPv4 or IPv6: peers are of the asker's family. */
export function writeAnswer(transaction: number, answer: Answer, six: boolean): Uint8Array {
  const peers = six ? answer.peers6 : answer.peers;
  const [bytes, view] = reply(actions.announce, transaction, ANSWER_LENGTH + peers.length);
  view.setUint32(8, answer.interval);
  view.setUint32(12, answer.leechers);
  view.setUint32(16, answer.seeds);
  bytes.set(peers, ANSWER_LENGTH);
  return bytes;
}

/** The answer to a scrape: zeros for what nobody is in. */
export function writeScrape(transaction: number, figures: readonly (SwarmFigures | undefined)[]): Uint8Array {
  const [bytes, view] = reply(actions.scrape, transaction, 8 + figures.length * FIGURES_LENGTH);
  figures.forEach((swarm, i) => {
    const at = 8 + i * FIGURES_LENGTH;
    view.setUint32(at, swarm?.seeds ?? 0);
    view.setUint32(at + 4, swarm?.downloads ?? 0);
    view.setUint32(at + 8, swarm?.leechers ?? 0);
  });
  return bytes;
}

export function writeError(transaction: number, message: string): Uint8Array {
  const text = utf8Encode(message);
  const [bytes] = reply(actions.error, transaction, 8 + text.length);
  bytes.set(text, 8);
  return bytes;
}

/** The URL data of an announce's options, put together; options of other kinds are passed over (BEP 41). */
function readUrlData(options: Uint8Array): string {
  const parts: number[] = [];
  for (let at = 0; at < options.length;) {
    const kind = options[at++];
    if (kind === END_OF_OPTIONS) break;
    if (kind === NO_OPTION) continue;
    const length = options[at++];
    if (length === undefined || at + length > options.length) throw new ProtocolError("an option passes the end");
    if (kind === URL_DATA) parts.push(...options.subarray(at, at + length));
    at += length;
  }
  return utf8Decode(Uint8Array.from(parts));
}

function reply(action: number, transaction: number, length: number): [Uint8Array, DataView] {
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, action);
  view.setUint32(4, transaction);
  return [bytes, view];
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
