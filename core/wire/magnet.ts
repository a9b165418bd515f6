// Magnet links: BEP 9 (xt, dn, tr, x.pe), BEP 19 (ws), BEP 52 (btmh) and BEP 53 (so).
import { ProtocolError } from "./errors.ts";
import { tryParseHostPort } from "./peer_address.ts";
import { fromHex, quote, toHex, withoutUndefined } from "./text.ts";
import { InfoHash, type TorrentId, torrentId } from "./torrent_id.ts";

/** What a magnet link says. */
export interface Magnet {
  readonly id: TorrentId;
  /** A name to show until the metadata is there (dn). */
  readonly name?: string;
  /** Announce URLs (tr), each a tier of its own. */
  readonly trackers: readonly string[];
  /** "host:port" of peers (x.pe); the host may be a DNS name. */
  readonly peers: readonly string[];
  /** URLs that serve the files (ws). */
  readonly webSeeds: readonly string[];
  /** File indices to download, as inclusive ranges (so); all without it. */
  readonly select?: readonly (readonly [from: number, to: number])[];
}

// Longer than any link in use; bounds the work of parsing one.
const MAX_LENGTH = 64 * 1024;
// Of trackers, peers and web seeds each, so that a link can't aim thousands of connections at others.
const MAX_ENTRIES = 100;
// As many as a torrent of 2^20 bencoded values could have.
const MAX_FILE_INDEX = 2 ** 20;
// The multihash header of btmh: SHA-256, 32 bytes.
const SHA256_MULTIHASH = "1220";

/** Whether a text is meant to be a magnet link. */
export function isMagnet(text: string): boolean {
  return /^\s*magnet:/i.test(text);
}

/**
 * Reads a magnet link. Parameters that mean nothing here, and URLs or peers that can't be reached as written, are left out,
 * and so are bad items of `so`. Line breaks, as pages and mails put them into long links, and white space around the link
 * and its values don't count. Throws ProtocolError without a usable btih or btmh.
 */
export function parseMagnet(text: string): Magnet {
  if (text.length > MAX_LENGTH) {
    throw new ProtocolError(
      `Cannot read magnet: length must be at most ${MAX_LENGTH}, current value is ${text.length}`,
    );
  }
  const link = text.trim().replace(/\s*[\r\n]\s*/g, "").replace(/\s*([?&=])\s*/g, "$1");
  if (!/^magnet:\?/i.test(link)) {
    throw new ProtocolError(`Cannot read magnet: expected "magnet:?xt=…", current value is ${quote(text)}`);
  }
  const all = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(link.slice("magnet:?".length))) {
    const name = key.toLowerCase().replace(/\.\d+$/, ""); // tr.1, tr.2 … number repeated parameters
    if (!all.has(name)) all.set(name, []);
    if (value !== "") all.get(name)!.push(value);
  }
  const values = (name: string): string[] => all.get(name) ?? [];
  const select = readSelection(values("so")[0] ?? "");
  return withoutUndefined({
    id: readTopics(values("xt")),
    name: values("dn")[0],
    trackers: few(values("tr").filter((url) => URL.canParse(url))),
    peers: few(values("x.pe").filter(tryParseHostPort)),
    webSeeds: few(values("ws").filter((url) => URL.canParse(url))),
    select: select.length > 0 ? select : undefined,
  });
}

/** Writes a magnet link that {@link parseMagnet} reads back the same. */
export function formatMagnet(magnet: Magnet): string {
  const { id, name, trackers, peers, webSeeds, select } = magnet;
  const parts: string[] = [];
  if (id.v1) parts.push(`xt=urn:btih:${id.v1.hex}`);
  if (id.v2) parts.push(`xt=urn:btmh:${SHA256_MULTIHASH}${toHex(id.v2)}`);
  if (name !== undefined) parts.push(`dn=${encodeURIComponent(name)}`);
  for (const url of trackers) parts.push(`tr=${encodeURIComponent(url)}`);
  for (const url of webSeeds) parts.push(`ws=${encodeURIComponent(url)}`);
  for (const peer of peers) parts.push(`x.pe=${peer}`);
  if (select) parts.push(`so=${select.map(([from, to]) => from === to ? from : `${from}-${to}`).join(",")}`);
  return `magnet:?${parts.join("&")}`;
}

function readTopics(topics: readonly string[]): TorrentId {
  let v1: InfoHash | undefined;
  let v2: Uint8Array | undefined;
  let fault: unknown;
  for (const topic of topics) {
    const [, kind, hash] = /^urn:(btih|btmh):(.*)$/i.exec(topic.replace(/\s/g, "")) ?? [];
    try {
      if (kind?.toLowerCase() === "btih") v1 ??= InfoHash.parse(hash);
      if (kind?.toLowerCase() === "btmh" && hash.startsWith(SHA256_MULTIHASH)) v2 ??= sha256Digest(hash.slice(4));
    } catch (error) {
      fault ??= error;
    }
  }
  if (!v1 && !v2) {
    throw fault ?? new ProtocolError('Cannot read magnet: expected "xt=urn:btih:…" or "xt=urn:btmh:1220…"');
  }
  return torrentId({ v1, v2 });
}

function sha256Digest(hex: string): Uint8Array {
  if (hex.length !== 64) {
    throw new ProtocolError(`Cannot read magnet: "btmh" must have 64 hex digits, current value is ${quote(hex)}`);
  }
  return fromHex(hex);
}

function readSelection(text: string): [number, number][] {
  return text.replace(/\s/g, "").split(",").flatMap((part): [number, number][] => {
    const [, first, last = first] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    return from <= to && to < MAX_FILE_INDEX ? [[from, to]] : [];
  });
}

function few(values: readonly string[]): string[] {
  return [...new Set(values)].slice(0, MAX_ENTRIES);
}
