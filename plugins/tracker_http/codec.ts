/**
 * The HTTP tracker protocol, bytes to values and back: BEP 3 announces, BEP 7 and 23 (compact peers), 24 (external
 * address), 31 (retry in), 48 (scrape).
 *
 * @module
 */
import {
  type AnnounceAnswer,
  type AnnounceRequest,
  type Bencoded,
  byteString,
  decodePeers4,
  decodePeers6,
  type DictSpan,
  formatIp,
  parseIp,
  type PeerAddress,
  peerAddress,
  percentEncode,
  ProtocolError,
  scan,
  type ScrapeAnswer,
  type Span,
  spanValue,
  TrackerError,
  utf8Decode,
  withoutUndefined,
} from "weft";

// Ten times what is asked for: a tracker that answers more can't flood the peer pool, nor hold up everything else while
// the hundred thousand of 1 MiB are read.
const MAX_PEERS = 2_000;
// A reply of 1 MiB holds no more honest values: dictionary peers take four each.
const MAX_ITEMS = 100_000;
// Shown on one line; a tracker can't flood the screen.
const MAX_TEXT = 200;

const SECOND = 1_000;
const MINUTE = 60_000;

/** The URL of an announce. What stands in the tracker's own URL, a passkey above all, is kept as it was written. */
export function announceUrl(request: AnnounceRequest): string {
  const fields = [
    `info_hash=${percentEncode(request.infoHash)}`,
    `peer_id=${percentEncode(request.peerId)}`,
    `port=${request.port}`,
    `uploaded=${request.uploaded}`,
    `downloaded=${request.downloaded}`,
    `left=${request.left}`,
    "compact=1",
    "no_peer_id=1",
    `numwant=${request.wanted}`,
    `key=${(request.key >>> 0).toString(16).padStart(8, "0")}`,
  ];
  if (request.event) fields.push(`event=${request.event}`);
  // As the field does: peers that announce it are handed to each other first, or to nobody else.
  if (request.encryption) fields.push("supportcrypto=1");
  if (request.encryption === "required") fields.push("requirecrypto=1", `cryptoport=${request.port}`);
  if (request.trackerId !== undefined) fields.push(`trackerid=${encodeURIComponent(request.trackerId)}`);
  return withQuery(request.url.href, fields);
}

/**
 * Reads the answer to an announce. Keys of a wrong type are passed over, and peers that are none left out.
 *
 * @throws {TrackerError} the tracker's own refusal, with what stands beside it, or that the answer can't be read
 */
export function decodeAnnounce(bytes: Uint8Array): AnnounceAnswer {
  return reading(() => {
    const dict = answerDict(bytes);
    const interval = count(dict, "interval");
    const minInterval = count(dict, "min interval");
    const trackerId = value(dict, "tracker id");
    const external = value(dict, "external ip");
    const answer = withoutUndefined({
      peers: [...readPeers(dict.entries.get("peers")), ...readPeers6(dict.entries.get("peers6"))].slice(0, MAX_PEERS),
      interval: interval ? interval * SECOND : undefined,
      minInterval: minInterval ? minInterval * SECOND : undefined,
      seeders: count(dict, "complete"),
      leechers: count(dict, "incomplete"),
      // It goes into every URL from now on: one that is too long is no use, cut off neither.
      trackerId: trackerId instanceof Uint8Array && trackerId.length <= MAX_TEXT ? utf8Decode(trackerId) : undefined,
      warning: text(dict, "warning message"),
      externalIp: external instanceof Uint8Array && [4, 16].includes(external.length) ? formatIp(external) : undefined,
    });
    refuse(dict, answer);
    return answer;
  });
}

/** The scrape URL that belongs to an announce URL: the last path part must start with "announce" (BEP 48). */
export function scrapeUrl(announce: URL): string | undefined {
  const { href } = announce;
  const last = href.lastIndexOf("/") + 1;
  if (!href.startsWith("announce", last)) return undefined;
  return `${href.slice(0, last)}scrape${href.slice(last + "announce".length)}`;
}

/** The URL that scrapes these info-hashes. */
export function scrapeRequest(scrape: string, infoHashes: readonly Uint8Array[]): string {
  return withQuery(scrape, infoHashes.map((hash) => `info_hash=${percentEncode(hash)}`));
}

/**
 * Reads the answer to a scrape, in the order of `infoHashes`; undefined for those it doesn't mention.
 *
 * @throws {TrackerError} the tracker's own refusal, or that the answer can't be read
 */
export function decodeScrape(
  bytes: Uint8Array,
  infoHashes: readonly Uint8Array[],
): readonly (ScrapeAnswer | undefined)[] {
  return reading(() => {
    const dict = answerDict(bytes);
    refuse(dict);
    const files = dict.entries.get("files");
    if (files?.kind !== "dict") throw new ProtocolError('"files" must be a dictionary');
    return infoHashes.map((hash) => {
      const file = files.entries.get(byteString(hash));
      if (file?.kind !== "dict") return undefined;
      return {
        seeders: count(file, "complete") ?? 0,
        leechers: count(file, "incomplete") ?? 0,
        completed: count(file, "downloaded") ?? 0,
      };
    });
  });
}

function withQuery(url: string, fields: readonly string[]): string {
  const base = url.split("#", 1)[0];
  const joint = !base.includes("?") ? "?" : /[?&]$/.test(base) ? "" : "&";
  return base + joint + fields.join("&");
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new TrackerError(`Cannot read the tracker's answer: ${error.message}`, { cause: error });
  }
}

function answerDict(bytes: Uint8Array): DictSpan {
  const dict = scan(bytes, { maxItems: MAX_ITEMS, maxDepth: 10 });
  if (dict.kind !== "dict") throw new ProtocolError("it must be a dictionary");
  return dict;
}

/** Throws the tracker's refusal, if it says one. */
function refuse(dict: DictSpan, answer?: AnnounceAnswer): void {
  const failure = text(dict, "failure reason");
  if (failure === undefined) return;
  throw new TrackerError(failure, { retry: retryIn(value(dict, "retry in")), ...(answer && { answer }) });
}

/** BEP 31: minutes, as an integer or its digits, or "never". */
function retryIn(field: Bencoded | undefined): number | "never" | undefined {
  const said = field instanceof Uint8Array ? utf8Decode(field) : field;
  if (said === "never") return said;
  const minutes = Number(said);
  return minutes > 0 && Number.isFinite(minutes) ? minutes * MINUTE : undefined;
}

function readPeers(span: Span | undefined): PeerAddress[] {
  if (span?.kind === "string") return decodePeers4(span.bytes.subarray(0, MAX_PEERS * 6));
  if (span?.kind !== "list") return [];
  const peers: PeerAddress[] = [];
  for (const item of span.items.slice(0, MAX_PEERS)) {
    if (item.kind !== "dict") continue;
    const ip = text(item, "ip");
    const port = count(item, "port");
    // BEP 3 allows names here; they are rare, and looking them up for a tracker would make us its tool.
    if (ip !== undefined && parseIp(ip) && port && port < 65536) peers.push(peerAddress(ip, port));
  }
  return peers;
}

function readPeers6(span: Span | undefined): PeerAddress[] {
  return span?.kind === "string" ? decodePeers6(span.bytes.subarray(0, MAX_PEERS * 18)) : [];
}

function value(dict: DictSpan, key: string): Bencoded | undefined {
  const span = dict.entries.get(key);
  return span && span.kind !== "list" && span.kind !== "dict" ? spanValue(span) : undefined;
}

function count(dict: DictSpan, key: string): number | undefined {
  const number = value(dict, key);
  return typeof number === "number" && number >= 0 ? number : undefined;
}

function text(dict: DictSpan, key: string): string | undefined {
  const bytes = value(dict, key);
  if (!(bytes instanceof Uint8Array)) return undefined;
  return utf8Decode(bytes.subarray(0, MAX_TEXT));
}
