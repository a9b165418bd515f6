/**
 * The queries of announces and scrapes over HTTP (BEP 3, 7, 21, 23, 48): their text to values. Info-hash and peer id
 * are bytes that no text decoder can read, so the query is read here and not by `URL`.
 *
 * @module
 */
import { ProtocolError } from "weft";
import type { Announce } from "./tracker.ts";

/** An announce as its query says it, and how it wants to be answered. */
export interface AnnounceQuery extends Omit<Announce, "ip" | "bothFamilies"> {
  readonly compact: boolean;
}

// Longer than any announce, and a scrape of as many torrents as are answered at once.
const MAX_QUERY = 8 * 1024;
// Fields of an announce are about twenty; each costs a little.
const MAX_FIELDS = 200;
/** The most info-hashes of one scrape. */
export const MAX_SCRAPED = 100;
const ID_LENGTH = 20;
const EVENTS = ["started", "stopped", "completed", "paused"] as const;

/**
 * Reads an announce.
 *
 * @param query what stands behind the "?" of its URL, as it was sent
 * @throws {ProtocolError} when something that it takes is missing or malformed
 */
export function readAnnounce(query: string): AnnounceQuery {
  const fields = readQuery(query);
  const infoHashes = fields.get("info_hash") ?? [];
  if (infoHashes.length > 1) throw new ProtocolError("an announce is about one info_hash");
  const port = wholeNumber(fields, "port");
  if (port === undefined || port > 65_535) throw new ProtocolError("port must be 0 to 65535");
  const wanted = wholeNumber(fields, "numwant");
  const key = last(fields, "key");
  const noIds = last(fields, "no_peer_id");
  const compact = last(fields, "compact") !== "0";
  return {
    infoHash: idBytes("info_hash", infoHashes[0]),
    peerId: idBytes("peer_id", last(fields, "peer_id")),
    port,
    // Clients that don't know yet how much there is write all sorts of numbers.
    complete: last(fields, "left") === "0",
    event: EVENTS.find((event) => event === last(fields, "event")),
    wanted,
    ...(key !== undefined && { key: hashOfKey(key) }),
    compact,
    ids: !compact && (noIds === undefined || noIds === "0"),
  };
}

/**
 * Reads a scrape: its info-hashes.
 *
 * @throws {ProtocolError} when there are none, too many, or malformed ones
 */
export function readScrape(query: string): readonly Uint8Array[] {
  const texts = readQuery(query).get("info_hash") ?? [];
  if (texts.length === 0) {
    throw new ProtocolError("a scrape takes an info_hash: this tracker does not list all its torrents");
  }
  if (texts.length > MAX_SCRAPED) throw new ProtocolError(`a scrape takes at most ${MAX_SCRAPED} info_hash`);
  return texts.map((text) => idBytes("info_hash", text));
}

/** The query of a URL, without its "?". */
export function queryOf(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? "" : url.slice(start + 1);
}

/** The fields by name, their values still escaped, each in the order in which it stands. */
function readQuery(query: string): ReadonlyMap<string, string[]> {
  if (query.length > MAX_QUERY) throw new ProtocolError(`the query is longer than ${MAX_QUERY} characters`);
  const fields = new Map<string, string[]>();
  const parts = query.split("&", MAX_FIELDS);
  for (const part of parts) {
    const equals = part.indexOf("=");
    if (equals <= 0) continue;
    const name = part.slice(0, equals);
    const value = part.slice(equals + 1);
    const known = fields.get(name);
    if (known) known.push(value);
    else fields.set(name, [value]);
  }
  return fields;
}

function last(fields: ReadonlyMap<string, string[]>, name: string): string | undefined {
  return fields.get(name)?.at(-1);
}

/** A number; undefined when it is missing, negative or none. */
function wholeNumber(fields: ReadonlyMap<string, string[]>, name: string): number | undefined {
  const text = last(fields, name);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function idBytes(name: string, text: string | undefined): Uint8Array {
  const bytes = text === undefined ? undefined : unescapeBytes(text, ID_LENGTH);
  if (!bytes) {
    throw new ProtocolError(`${name} must be ${ID_LENGTH} bytes, escaped as %XX where they are no letters or digits`);
  }
  return bytes;
}

/** Bytes of a value with %XX in it; undefined unless there are `length` of them. A "+" stands for itself (RFC 3986). */
function unescapeBytes(text: string, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    if (count === length) return undefined;
    const code = text.charCodeAt(at);
    if (code === PERCENT) {
      const byte = hexDigit(text.charCodeAt(at + 1)) << 4 | hexDigit(text.charCodeAt(at + 2));
      if (byte < 0) return undefined;
      bytes[count++] = byte;
      at += 2;
    } else if (code < 0x80) {
      bytes[count++] = code;
    } else {
      return undefined;
    }
  }
  return count === length ? bytes : undefined;
}

const PERCENT = 0x25;

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** A client's key in 32 bits: most write hex digits, but nothing says that they must (FNV-1a). */
function hashOfKey(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < Math.min(text.length, 64); i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
