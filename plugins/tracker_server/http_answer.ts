/** Answers of an HTTP tracker, values to bencode (BEP 3, 7, 21, 23, 24, 31, 48). @module */
import { byteString, decodePeers4, decodePeers6, type Encodable, encode } from "weft";
import type { Answer, Refusal, SwarmFigures } from "./tracker.ts";

const ID_LENGTH = 20;

/** The answer to an announce from `ip` (4 or 16 bytes), with compact lists or with dictionaries. */
export function encodeAnswer(answer: Answer, ip: Uint8Array, compact: boolean): Uint8Array {
  return encode({
    complete: answer.seeds,
    downloaded: answer.downloads,
    "external ip": ip,
    incomplete: answer.leechers,
    interval: answer.interval,
    "min interval": answer.minInterval,
    peers: compact ? answer.peers : dictionaries(answer),
    peers6: compact && answer.peers6.length > 0 ? answer.peers6 : undefined,
  });
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
