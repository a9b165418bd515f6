/**
 * The peers of one swarm that others may be told of: looked at once for all who are told.
 *
 * @module
 */
import { type ConnectedPeer, type IpScope, ipScope } from "weft";
import { type Contact, contact, PexFlag } from "./codec.ts";

/** One peer, the same object for as long as it is connected. */
export interface RosterPeer extends Contact {
  /** Its address as text. */
  readonly key: string;
  /** See {@link nearness}. */
  readonly nearness: number;
  /** Whether it is still connected. */
  readonly present: boolean;
}

type Entry = { -readonly [K in keyof RosterPeer]: RosterPeer[K] } & { seen: number };

/** Who is connected in one swarm. */
export class Roster {
  /** Grows whenever somebody came or left. */
  version = 0;
  readonly #peers = new Map<string, Entry>();
  #look = 0;

  /** Everybody, the longest connected first. */
  get peers(): Iterable<RosterPeer> {
    return this.#peers.values();
  }

  get(key: string): RosterPeer | undefined {
    return this.#peers.get(key);
  }

  /** Takes in who is connected now. What is said of a peer is what was known when it came. */
  update(connected: readonly ConnectedPeer[]): void {
    const look = ++this.#look;
    let came = false;
    for (const peer of connected) {
      const { address } = peer;
      const known = this.#peers.get(address.key);
      if (known) {
        known.seen = look;
        continue;
      }
      const near = nearness(address.ip);
      // Nobody could dial it.
      if (near === undefined) continue;
      came = true;
      const { compact, flags } = contact(address, flagsOf(peer));
      this.#peers.set(address.key, { key: address.key, compact, flags, nearness: near, present: true, seen: look });
    }
    let left = false;
    for (const [key, entry] of this.#peers) {
      if (entry.seen === look) continue;
      entry.present = false;
      this.#peers.delete(key);
      left = true;
    }
    if (came || left) this.version++;
  }
}

// A neighbour on the link is on our network; what else is not here leads nowhere.
const NEARNESS: Readonly<Partial<Record<IpScope, number>>> = { public: 0, private: 1, linkLocal: 1, loopback: 2 };

/**
 * How near an address is, 0 to 2, or undefined where nobody can be dialed. A peer is told of none that are nearer than
 * itself: it couldn't reach them, and our network is not its business.
 */
export function nearness(ip: string): number | undefined {
  return NEARNESS[ipScope(ip)];
}

function flagsOf(peer: ConnectedPeer): number {
  return (peer.encrypted ? PexFlag.encrypted : 0) |
    (peer.uploadOnly ? PexFlag.uploadOnly : 0) |
    (peer.transport === "utp" ? PexFlag.utp : 0) |
    (peer.offers("ut_holepunch") ? PexFlag.holepunch : 0) |
    (peer.reachable ? PexFlag.reachable : 0);
}
