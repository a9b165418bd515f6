/** Lookups of peers as a stream: what each node says, as soon as it says so. @module */
import { byteString, type InfoHash, type PeerAddress, type PeerCandidate } from "weft";
import type { Answered } from "./lookup.ts";
import type { DhtNode } from "./node.ts";

// One node fills a packet with so many; who says more wants our connections for itself.
const MAX_PER_NODE = 100;
// A swarm can use far fewer; liars must not fill memory.
const MAX_FOUND = 1_000;

/** The nodes to announce to, for one info-hash. */
export interface Found {
  readonly infoHash: InfoHash;
  readonly closest: readonly Answered[];
}

/**
 * Looks the peers of a swarm up, by all of its info-hashes at once.
 *
 * @param doors addresses of nodes to begin with, as long as few are known
 *
 * @returns the nodes closest to each info-hash
 * @throws what `signal` was aborted with
 */
export async function* findPeers(
  node: DhtNode,
  infoHashes: readonly InfoHash[],
  signal: AbortSignal,
  doors: readonly PeerAddress[] = [],
): AsyncGenerator<PeerCandidate, readonly Found[]> {
  const seen = new Set<string>();
  const found: PeerCandidate[] = [];
  let wake = Promise.withResolvers<void>();
  let over = false;
  const lookups = Promise.all(infoHashes.map(async (infoHash) => {
    const { closest } = await node.lookup({
      target: byteString(infoHash.bytes),
      method: "get_peers",
      doors,
      replied: ({ values = [] }, { ip }) => {
        for (const address of values.slice(0, MAX_PER_NODE)) {
          if (seen.size >= MAX_FOUND || seen.has(address.key)) continue;
          seen.add(address.key);
          found.push({ address, namedBy: ip });
        }
        wake.resolve();
      },
    }, signal);
    return { infoHash, closest };
  }));
  const end = (): void => {
    over = true;
    wake.resolve();
  };
  lookups.then(end, end);
  while (!over || found.length > 0) {
    for (let next = found.shift(); next; next = found.shift()) yield next;
    if (over) break;
    await wake.promise;
    wake = Promise.withResolvers();
  }
  return await lookups;
}
