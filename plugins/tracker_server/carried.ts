/** A tracker's peers as plain bytes, which outlive its code. @module */
import { type PackedAddress, type Role } from "./peer_table.ts";
import { NONE } from "./slot_index.ts";
import { secondsOf, type Tracker } from "./tracker.ts";

/** What peers are written as. Increase it when that changes. */
export const CARRIED_VERSION = 1;

// info-hash 20, address 16, port 2, flags 1, age 4, downloads 4, key 4, peer id 20
const LENGTH = 71;
const ROLE = 3;
const SIX = 4;
const COMPLETED = 8;
/** How many peers are put back at a time: about a millisecond's work. */
const SLICE = 250;

/** All peers of a tracker, those seen longest ago first. */
export function savePeers(now: number, { table }: Tracker): Uint8Array {
  const bytes = new Uint8Array(table.peers * LENGTH);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let peer = table.oldest; peer !== NONE; peer = table.newerThan(peer), at += LENGTH) {
    const swarm = table.swarmOf(peer);
    const { six, a, b, c, d, port } = table.address(peer);
    bytes.set(table.infoHash(swarm), at);
    [a, b, c, d].forEach((word, i) => view.setUint32(at + 20 + 4 * i, word));
    view.setUint16(at + 36, port);
    bytes[at + 38] = table.role(peer) | (six ? SIX : 0) | (table.hasCompleted(peer) ? COMPLETED : 0);
    view.setUint32(at + 39, secondsOf(now) - table.seen(peer));
    view.setUint32(at + 43, table.downloads(swarm));
    view.setUint32(at + 47, table.key(peer));
    bytes.set(table.peerId(peer), at + 51);
  }
  return bytes;
}

/** Puts saved peers into an empty tracker, the newest ones when it has room for fewer; `turn` lets others work. */
export async function restorePeers(
  now: number,
  tracker: Tracker,
  bytes: Uint8Array,
  turn: () => Promise<void>,
): Promise<void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / LENGTH);
  for (let i = Math.max(0, count - tracker.settings.maxPeers); i < count; i++) {
    const at = i * LENGTH;
    const word = (offset: number): number => view.getUint32(at + offset);
    const flags = bytes[at + 38];
    const six = (flags & SIX) !== 0;
    const address: PackedAddress = {
      ...{ six, a: word(20), b: word(24), c: word(28), d: word(32), port: view.getUint16(at + 36) },
    };
    tracker.restore(now, bytes.subarray(at, at + 20), address, {
      role: (flags & ROLE) as Role,
      age: word(39),
      completed: (flags & COMPLETED) !== 0,
      downloads: word(43),
      key: word(47),
      peerId: bytes.subarray(at + 51, at + LENGTH),
    });
    if (i % SLICE === SLICE - 1) await turn();
  }
}
