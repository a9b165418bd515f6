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

/**
 * Reads a magnet link. Parameters that mean nothing here, and URLs or peers that can't be reached as written, are left out.
 * Throws ProtocolError without a usable btih or btmh, or when `so` is no list of indices.
 */
export function parseMagnet(text: string): Magnet {
  if (text.length > MAX_LENGTH) {
    throw new ProtocolError(
      `Cannot read magnet: length must be at most ${MAX_LENGTH}, current value is ${text.length}`,
    );
  }
  if (!/^magnet:\?/i.test(text)) {
    throw new ProtocolError(`Cannot read magnet: expected "magnet:?xt=…", current value is ${quote(text)}`);
  }
  const all = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(text.slice("magnet:?".length))) {
    const name = key.toLowerCase().replace(/\.\d+$/, ""); // tr.1, tr.2 … number repeated parameters
    if (!all.has(name)) all.set(name, []);
    if (value !== "") all.get(name)!.push(value);
  }
  const values = (name: string): string[] => all.get(name) ?? [];
  const select = values("so")[0];
  return withoutUndefined({
    id: readTopics(values("xt")),
    name: values("dn")[0],
    trackers: few(values("tr").filter((url) => URL.canParse(url))),
    peers: few(values("x.pe").filter(tryParseHostPort)),
    webSeeds: few(values("ws").filter((url) => URL.canParse(url))),
    select: select === undefined ? undefined : readSelection(select),
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
  for (const topic of topics) {
    const [, kind, hash] = /^urn:(btih|btmh):(.*)$/i.exec(topic) ?? [];
    if (kind?.toLowerCase() === "btih") v1 ??= InfoHash.parse(hash);
    if (kind?.toLowerCase() === "btmh" && hash.startsWith(SHA256_MULTIHASH)) v2 ??= fromHex(hash.slice(4));
  }
  if (!v1 && !v2) throw new ProtocolError('Cannot read magnet: expected "xt=urn:btih:…" or "xt=urn:btmh:1220…"');
  return torrentId({ v1, v2 });
}

function readSelection(text: string): [number, number][] {
  return text.split(",").map((part) => {
    const [, first, last = first] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to < MAX_FILE_INDEX)) {
      throw new ProtocolError(`Cannot read magnet: "so" must be like 0,2,4-7, current value is ${quote(text)}`);
    }
    return [from, to];
  });
}

function few(values: readonly string[]): string[] {
  return [...new Set(values)].slice(0, MAX_ENTRIES);
}
