/**
 * Announces of Local Service Discovery (BEP 14), bytes to values and back: pure functions.
 *
 * @module
 */
import { ProtocolError } from "weft";

/** One announce: a client says on which port it serves which torrents. */
export interface LpdAnnounce {
  /** Where the client accepts peers; its address is the datagram's. */
  readonly port: number;
  /** Wire ids, 40 lower-case hex digits each. */
  readonly infoHashes: readonly string[];
  /** What the client knows its own announces by, if it sent one. */
  readonly cookie?: string;
}

/** The group of a family (BEP 14), and how it stands in the `Host` header. */
export const groups = {
  4: { ip: "239.192.152.143", port: 6771, host: "239.192.152.143:6771" },
  6: { ip: "ff15::efc0:988f", port: 6771, host: "[ff15::efc0:988f]:6771" },
} as const;

/** The most bytes of an announce of ours, so that no link has to cut it in two. */
export const MAX_ANNOUNCE = 1400;
// The header besides the info-hashes, with a cookie as long as ours, is at most 95 bytes; a hash takes 52.
/** How many info-hashes fit into one announce. */
export const HASHES_PER_ANNOUNCE = 25;
// The longest line that means something is an info-hash's: what is longer need not be looked at.
const MAX_LINE = 200;

/**
 * The datagram of an announce, for the group of one family.
 *
 * @throws {RangeError} when it is longer than {@link MAX_ANNOUNCE}: more than {@link HASHES_PER_ANNOUNCE} info-hashes
 */
export function encodeAnnounce(family: 4 | 6, { port, infoHashes, cookie }: LpdAnnounce): Uint8Array {
  const lines = [
    "BT-SEARCH * HTTP/1.1",
    `Host: ${groups[family].host}`,
    `Port: ${port}`,
    ...infoHashes.map((hex) => `Infohash: ${hex}`),
    ...cookie === undefined ? [] : [`cookie: ${cookie}`],
  ];
  const bytes = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n\r\n`);
  if (bytes.length > MAX_ANNOUNCE) {
    throw new RangeError(
      `Cannot announce: length must be at most ${MAX_ANNOUNCE} bytes, current value is ${bytes.length}`,
    );
  }
  return bytes;
}

const INFO_HASH = /^[0-9a-f]{40}$/i;

/**
 * Reads an announce, whoever wrote it: header names in any case, in any order, unknown ones and bad
 * info-hashes ignored.
 *
 * @throws {ProtocolError} on what is none
 */
export function decodeAnnounce(bytes: Uint8Array): LpdAnnounce {
  // Each byte a character: what isn't ASCII has no meaning here, and must not become something else.
  const [method, ...lines] = new TextDecoder("latin1").decode(bytes).split("\r\n");
  if (!/^BT-SEARCH \* HTTP\/1\.\d$/.test(method)) {
    throw new ProtocolError("Cannot read LPD announce: it doesn't begin with BT-SEARCH * HTTP/1.1");
  }
  let port: number | undefined;
  let cookie: string | undefined;
  const infoHashes = new Set<string>();
  for (const line of lines) {
    if (line === "") break;
    const [, name, value] = line.length <= MAX_LINE && /^([\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) || [];
    switch (name?.toLowerCase()) {
      case "port":
        port = readPort(value, port);
        break;
      case "infohash":
        if (INFO_HASH.test(value)) infoHashes.add(value.toLowerCase());
        break;
      case "cookie":
        cookie = value;
    }
  }
  if (port === undefined) throw new ProtocolError("Cannot read LPD announce: it has no port");
  if (infoHashes.size === 0) throw new ProtocolError("Cannot read LPD announce: it has no info-hash");
  return { port, infoHashes: [...infoHashes], ...(cookie !== undefined && { cookie }) };
}

function readPort(text: string, before: number | undefined): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535 || before !== undefined && before !== port) {
    throw new ProtocolError("Cannot read LPD announce: expected one port from 1 to 65535");
  }
  return port;
}
