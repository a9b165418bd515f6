/**
 * The peers of one swarm that others may be told of: looked at once for all who are told.
 *
 * @module
 */
import { type ConnectedPeer, type IpScope, ipScope } from "weft";
import { type Contact, contact, MAX_SENT, PexFlag } from "./codec.ts";

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

// Taken in at one look: no message holds more, and a look must not hold up the thread.
const MAX_NEW = MAX_SENT;

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

  /**
   * Takes in who is connected now; of many new ones the rest with the next look. What is said of a peer is what is known
   * at the last look: it may become a seed, and what extensions it takes comes after its handshake.
   */
  update(connected: readonly ConnectedPeer[]): void {
    const look = ++this.#look;
    let room = MAX_NEW;
    for (const peer of connected) {
      const known = this.#peers.get(peer.address.key);
      if (known) {
        known.seen = look;
        known.flags = flagsOf(peer);
      } else if (room > 0 && this.#add(peer, look)) room--;
    }
    let left = false;
    for (const [key, entry] of this.#peers) {
      if (entry.seen === look) continue;
      entry.present = false;
      this.#peers.delete(key);
      left = true;
    }
    if (left || room < MAX_NEW) this.version++;
  }

  /** Takes a peer in, unless nobody could dial it. */
  #add(peer: ConnectedPeer, seen: number): boolean {
    const { ip, key } = peer.address;
    const near = nearness(ip);
    if (near === undefined) return false;
    const { compact, flags } = contact(peer.address, flagsOf(peer));
    this.#peers.set(key, { key, compact, flags, nearness: near, present: true, seen });
    return true;
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
