// Torrent files: BEP 3, 5 (nodes), 12 (announce-list), 19 (url-list). The info dictionary has its own file.
import { type DictSpan, encode, Encoded, scan, type Span } from "./bencode.ts";
import { fault, integer, list, text } from "./fields.ts";
import { type Info, MAX_TORRENT_SIZE, parseInfo, readInfo } from "./info.ts";
import { type HostPort, tryParseHostPort } from "./peer_address.ts";
import { utf8Decode, withoutUndefined } from "./text.ts";

/** A checked torrent file. Its byte arrays are views of what was parsed. */
export interface Metainfo {
  readonly info: Info;
  /** Tiers of announce URLs (BEP 12): announce-list, else announce alone, else none. */
  readonly announce: readonly (readonly string[])[];
  /** URLs that serve the files (BEP 19). */
  readonly webSeeds: readonly string[];
  /** DHT nodes to begin with (BEP 5). */
  readonly nodes: readonly HostPort[];
  readonly comment?: string;
  readonly createdBy?: string;
  /** Seconds since 1970. */
  readonly creationDate?: number;
  /** Raw values of the other top-level keys (byte strings), kept when it is encoded again. */
  readonly unknown: ReadonlyMap<string, Uint8Array>;
  /** The whole file. */
  readonly raw: Uint8Array;
}

/** What {@link encodeMetainfo} writes: `info` are the exact bytes of the dictionary, the rest as in {@link Metainfo}. */
export interface MetainfoFields extends Partial<Omit<Metainfo, "info" | "raw">> {
  readonly info: Uint8Array;
}

/** What {@link buildInfo} writes: either `length` (one file called `name`) or `files` (below a directory `name`). */
export interface InfoFields {
  readonly name: string;
  /** Bytes. */
  readonly pieceLength: number;
  /** SHA-1 hashes, 20 bytes a piece. */
  readonly pieces: Uint8Array;
  /** Bytes of the single file. */
  readonly length?: number;
  readonly files?: readonly {
    readonly path: readonly string[];
    readonly length: number;
    /** Letters of BEP 47, "p" for a pad file. */
    readonly attributes?: string;
  }[];
  readonly private?: boolean;
  readonly source?: string;
}

// Of trackers, web seeds and nodes each, so that a torrent can't aim thousands of connections at others.
const MAX_URLS = 1000;

const KNOWN_KEYS = new Set([
  "info",
  "announce",
  "announce-list",
  "url-list",
  "nodes",
  "comment",
  "created by",
  "creation date",
]);

/** Reads a torrent file. URLs and nodes that can't be used are left out. Throws ProtocolError that names the faulty key. */
export function parseMetainfo(raw: Uint8Array): Metainfo {
  const top = scan(raw, { maxBytes: MAX_TORRENT_SIZE, strictKey: "info" });
  const info = top.kind === "dict" ? top.entries.get("info") : undefined;
  if (top.kind !== "dict" || info?.kind !== "dict") throw fault('"info" must be a dictionary');
  const unknown = [...top.entries].filter(([key]) => !KNOWN_KEYS.has(key));
  return withoutUndefined({
    info: readInfo(info, raw.subarray(info.start, info.end), text(top, "encoding")),
    announce: readTiers(top),
    webSeeds: urls(strings(top.entries.get("url-list"))),
    nodes: readNodes(list(top, "nodes") ?? []),
    comment: text(top, "comment"),
    createdBy: text(top, "created by"),
    creationDate: integer(top, "creation date"),
    unknown: new Map(unknown.map(([key, { start, end }]) => [key, raw.subarray(start, end)])),
    raw,
  });
}

/** Writes a torrent file; `info` and unknown values go in byte for byte, so the info-hash stays. */
export function encodeMetainfo(fields: MetainfoFields): Uint8Array {
  const tiers = (fields.announce ?? []).filter((tier) => tier.length > 0);
  const { webSeeds = [], nodes = [] } = fields;
  return encode({
    ...Object.fromEntries(Array.from(fields.unknown ?? [], ([key, value]) => [key, new Encoded(value)])),
    info: new Encoded(fields.info),
    announce: tiers[0]?.[0],
    "announce-list": tiers.flat().length > 1 ? tiers : undefined,
    "url-list": webSeeds.length > 0 ? webSeeds : undefined,
    nodes: nodes.length > 0 ? nodes.map(({ host, port }) => [host, port]) : undefined,
    comment: fields.comment,
    "created by": fields.createdBy,
    "creation date": fields.creationDate,
  });
}

/** Writes an info dictionary. Throws ProtocolError when {@link parseInfo} would refuse it. */
export function buildInfo(fields: InfoFields): Uint8Array {
  const raw = encode({
    name: fields.name,
    "piece length": fields.pieceLength,
    pieces: fields.pieces,
    length: fields.files ? undefined : fields.length,
    files: fields.files?.map(({ path, length, attributes }) => ({ path, length, attr: attributes || undefined })),
    private: fields.private ? 1 : undefined,
    source: fields.source,
  });
  parseInfo(raw);
  return raw;
}

function readTiers(top: DictSpan): string[][] {
  // A list of bare URLs occurs in the wild: each is a tier then.
  const tiers = (list(top, "announce-list") ?? []).map((tier) => urls(strings(tier)));
  const few: string[][] = [];
  let count = 0;
  for (const tier of tiers) {
    const kept = tier.slice(0, MAX_URLS - count);
    count += kept.length;
    if (kept.length > 0) few.push(kept);
  }
  if (few.length > 0) return few;
  const announce = urls([text(top, "announce") ?? ""]);
  return announce.length > 0 ? [announce] : [];
}

function readNodes(items: readonly Span[]): HostPort[] {
  const nodes: HostPort[] = [];
  for (const item of items.slice(0, MAX_URLS)) {
    if (item.kind !== "list" || item.items.length !== 2) continue;
    const [host, port] = item.items;
    if (host.kind !== "string" || port.kind !== "integer") continue;
    const name = utf8Decode(host.bytes);
    const node = tryParseHostPort(`${name.includes(":") ? `[${name}]` : name}:${port.value}`);
    if (node) nodes.push(node);
  }
  return nodes;
}

/** The texts of a list, or the one that stands in its place. */
function strings(span: Span | undefined): string[] {
  const items = span?.kind === "list" ? span.items : span ? [span] : [];
  return items.filter((item) => item.kind === "string").map((item) => utf8Decode(item.bytes));
}

function urls(candidates: readonly string[]): string[] {
  return candidates.map((url) => url.trim()).filter((url) => URL.canParse(url)).slice(0, MAX_URLS);
}
