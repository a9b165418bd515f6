/** Answers of an HTTP tracker, values to bencode (BEP 3, 7, 21, 23, 24, 31, 48). @module */
import { byteString, decodePeers4, decodePeers6, type Encodable, encode } from "weft";
import type { Answer, Refusal, SwarmFigures } from "./tracker.ts";

const ID_LENGTH = 20;

/**
 * The answer to an announce from `ip` (4 or 16 bytes), with compact lists or with dictionaries. Its keys never change,
 * so it is written straight down, at a tenth of what it costs to sort and encode them each time.
 */
export function encodeAnswer(answer: Answer, ip: Uint8Array, compact: boolean): Uint8Array {
  const { seeds, downloads, leechers, interval, minInterval, peers6 } = answer;
  const peers = compact ? answer.peers : encode(dictionaries(answer));
  return joined([
    `d8:completei${seeds}e10:downloadedi${downloads}e11:external ip${ip.length}:`,
    ip,
    `10:incompletei${leechers}e8:intervali${interval}e12:min intervali${minInterval}e5:peers`,
    compact ? `${peers.length}:` : "",
    peers,
    ...(compact && peers6.length > 0 ? [`6:peers6${peers6.length}:`, peers6] : []),
    "e",
  ]);
}

/** The answer to a scrape: torrents that nobody is in are left out. */
export function encodeScrape(
  infoHashes: readonly Uint8Array[],
  figures: readonly (SwarmFigures | undefined)[],
): Uint8Array {
  const files = new Map<string, Encodable>();
  figures.forEach((swarm, i) => {
    if (!swarm) return;
    const { seeds, leechers, downloaders, downloads } = swarm;
    files.set(byteString(infoHashes[i]), { complete: seeds, downloaded: downloads, downloaders, incomplete: leechers });
  });
  return encode({ files });
}

/** A refusal, and when to try again, if that is known. */
export function encodeRefusal({ message, retry }: Pick<Refusal, "message" | "retry">): Uint8Array {
  return encode({ "failure reason": message, "retry in": retry });
}

/** Peers one by one, with their ids where they were asked for. */
function dictionaries({ peers, peers6, ids }: Answer): Encodable[] {
  return [...decodePeers4(peers), ...decodePeers6(peers6)].map(({ ip, port }, i) => ({
    ip,
    "peer id": ids.length > 0 ? ids.subarray(i * ID_LENGTH, (i + 1) * ID_LENGTH) : undefined,
    port,
  }));
}

/** Bytes and ASCII texts, one behind the other. */
function joined(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") { for (let i = 0; i < part.length; i++) bytes[at++] = part.charCodeAt(i); }
    else {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}
