import type { PeerCandidate } from "./requests.ts";
import { peerAddress } from "../wire/mod.ts";

/**
 * What a plugin named as a peer, read anew: it may have yielded anything, and its address may say one thing as text and
 * another in its parts. Undefined when there is no address in it.
 */
export function readCandidate(candidate: unknown): PeerCandidate | undefined {
  try {
    const { address: { ip, port }, namedBy } = candidate as PeerCandidate;
    if (typeof ip !== "string" || namedBy !== undefined && typeof namedBy !== "string") return undefined;
    return { address: peerAddress(ip, port), namedBy };
  } catch {
    return undefined; // null, a getter that throws, a port that is none
  }
}
