/** The allowed fast set of BEP 6: pieces that a peer may ask for while choked, so that it soon has something to trade. @module */
import { parseIp, type PeerAddress, sha1 } from "../../wire/mod.ts";

// BEP 6's suggestion.
const SET_SIZE = 10;

/** The pieces for this peer: the same for a whole /24, so that many addresses of one network gain nothing. IPv4 only. */
export function allowedFastSet(
  address: PeerAddress,
  infoHash: Uint8Array,
  pieceCount: number,
  size = SET_SIZE,
): number[] {
  if (address.family !== 4) return [];
  const wanted = Math.min(size, pieceCount);
  let x = new Uint8Array(24);
  x.set(parseIp(address.ip)!.bytes.subarray(0, 3));
  x.set(infoHash, 4);
  const pieces = new Set<number>();
  while (pieces.size < wanted) {
    x = sha1(x).slice();
    const view = new DataView(x.buffer);
    for (let i = 0; i < 5 && pieces.size < wanted; i++) pieces.add(view.getUint32(4 * i) % pieceCount);
  }
  return [...pieces];
}
