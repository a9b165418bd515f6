/**
 * Holepunching in one swarm, as a machine without sockets and clock (BEP 55). In all three parts: it asks relays for
 * meetings with peers that can't be dialed, arranges meetings for others, and dials where a relay says so.
 *
 * @module
 */
import { type IpScope, ipScope, type PeerAddress, TokenBucket } from "weft";
import { HolepunchError, type HolepunchMessage } from "./codec.ts";

/** A connected peer, as the machine sees it. */
export interface PunchPeer {
  /** Where its connection comes from. */
  readonly address: PeerAddress;
  /** The name of the transport that it came over. */
  readonly transport: string;
  /** Where it accepts connections, if that is known. */
  listening(): PeerAddress | undefined;
}

/** What is to be done: a message to send, or an address to dial over uTP, since `peer` said so. */
export type PunchOrder<P> =
  | { readonly peer: P; readonly send: HolepunchMessage }
  | { readonly peer: P; readonly dial: PeerAddress };

/** How long a relay may take to answer, before another one is asked (ms). */
export const ANSWER_TIMEOUT = 5_000;
/** How long a peer is left alone once its meeting was asked for or took place, so that nobody is asked again and again (ms). */
export const REST = 600_000;
/** Relays that are asked for one meeting, one after another: those who aren't connected to the peer cost them a message. */
export const MAX_RELAYS = 3;

// Meetings that are being asked for at once.
const MAX_MEETINGS = 20;
// Peers that are remembered to be left alone; the oldest are forgotten, so that naming many fills no memory.
const MAX_RESTING = 1_000;
// What we ask of one relay: far less than it would take.
const ASKED = { most: 10, perSecond: 10 / 60 };
// What we do as a relay for one peer, and to one: a message each, so that we are no way to trouble a peer with dials.
const RELAYED = { most: 30, perSecond: 30 / 60 };
const TOLD = { most: 30, perSecond: 30 / 60 };
// Addresses that one peer may have us dial, and all together: those who come back under new addresses gain nothing.
const DIALS = { most: 10, perSecond: 6 / 60 };
const ALL_DIALS = { most: 50, perSecond: 60 / 60 };

/** What is known of a peer. */
interface Standing {
  offered: boolean;
  readonly asked: TokenBucket;
  readonly relayed: TokenBucket;
  readonly told: TokenBucket;
  readonly dials: TokenBucket;
}

/** A meeting that is being asked for. */
interface Meeting<P> {
  readonly target: PeerAddress;
  readonly relays: P[];
  /** Whose answer is awaited. */
  asked?: P;
  due: number;
}

/** Times are milliseconds of one clock; `P` stands for whatever sessions are outside. */
export class Punch<P extends PunchPeer> {
  /** Those who were asked last stand last. */
  readonly #peers = new Map<P, Standing>();
  /** By the target's address. */
  readonly #meetings = new Map<string, Meeting<P>>();
  /** Until when a target is left alone, the oldest first. */
  readonly #resting = new Map<string, number>();
  readonly #dials: TokenBucket;

  constructor(now: number) {
    this.#dials = new TokenBucket(now, ALL_DIALS);
  }

  /** How many peers are here. */
  get size(): number {
    return this.#peers.size;
  }

  /** When {@link Punch.handleTimeout} has something to do; Infinity without. */
  pollTimeout(): number {
    let due = Infinity;
    for (const meeting of this.#meetings.values()) due = Math.min(due, meeting.due);
    return due;
  }

  join(now: number, peer: P): void {
    this.#peers.set(peer, {
      offered: false,
      asked: new TokenBucket(now, ASKED),
      relayed: new TokenBucket(now, RELAYED),
      told: new TokenBucket(now, TOLD),
      dials: new TokenBucket(now, DIALS),
    });
  }

  leave(now: number, peer: P): PunchOrder<P>[] {
    this.#peers.delete(peer);
    return [...this.#meetings.values()].filter(({ asked }) => asked === peer).flatMap((meeting) =>
      this.#ask(now, meeting)
    );
  }

  /** The peer says whether it takes messages. */
  handleOffer(peer: P, offered: boolean): void {
    const standing = this.#peers.get(peer);
    if (standing) standing.offered = offered;
  }

  /**
   * A peer could not be dialed: those who may know it are asked for a meeting, those at `namedBy` first.
   *
   * @param namedBy IPs of hosts that named it
   */
  handleUnreachable(now: number, target: PeerAddress, namedBy: readonly string[]): PunchOrder<P>[] {
    if (this.#meetings.size >= MAX_MEETINGS || this.#find(target)) return [];
    const able = [...this.#peers.keys()].filter((peer) => this.#peers.get(peer)!.offered && mayHear(peer, target));
    if (able.length === 0 || !this.#begin(now, target.key)) return [];
    const named = able.filter(({ address }) => namedBy.includes(address.ip));
    const others = able.filter((peer) => !named.includes(peer));
    const meeting = { target, relays: [...named, ...others].slice(0, MAX_RELAYS), due: now };
    this.#meetings.set(target.key, meeting);
    return this.#ask(now, meeting);
  }

  /**
   * A message of a peer.
   *
   * @param isOwn whether an address is ours
   */
  handleMessage(
    now: number,
    peer: P,
    message: HolepunchMessage,
    isOwn: (address: PeerAddress) => boolean,
  ): PunchOrder<P>[] {
    const standing = this.#peers.get(peer);
    if (!standing) return [];
    const { kind, address } = message;
    if (kind === "connect") return this.#dial(now, peer, standing, address);
    if (kind === "error") return this.#refused(now, peer, address, message.code);
    // Who doesn't take messages can't be answered.
    if (!standing.offered || !standing.relayed.take(now)) return [];
    const met = isOwn(address) ? HolepunchError.noSelf : this.#introduce(now, peer, address);
    return typeof met === "number" ? [{ peer, send: { kind: "error", address, code: met } }] : met;
  }

  /** Goes on with other relays where one doesn't answer. */
  handleTimeout(now: number): PunchOrder<P>[] {
    return [...this.#meetings.values()].filter(({ due }) => due <= now).flatMap((meeting) => this.#ask(now, meeting));
  }

  /** Asks the next relay of a meeting, or gives it up. */
  #ask(now: number, meeting: Meeting<P>): PunchOrder<P>[] {
    const { target, relays } = meeting;
    for (let relay = relays.shift(); relay; relay = relays.shift()) {
      const standing = this.#peers.get(relay);
      if (!standing?.offered || !standing.asked.take(now)) continue;
      this.#peers.delete(relay);
      this.#peers.set(relay, standing);
      meeting.asked = relay;
      meeting.due = now + ANSWER_TIMEOUT;
      return [{ peer: relay, send: { kind: "rendezvous", address: target } }];
    }
    this.#meetings.delete(target.key);
    return [];
  }

  /** A relay can't help: another one may, unless it is the peer that can't. */
  #refused(now: number, peer: P, { key }: PeerAddress, code: number): PunchOrder<P>[] {
    const meeting = this.#meetings.get(key);
    if (meeting?.asked !== peer) return [];
    if (code === HolepunchError.noSupport || code === HolepunchError.noSelf) meeting.relays.length = 0;
    return this.#ask(now, meeting);
  }

  /** A relay says to dial: the peer of a meeting that we asked for, or one that asked for a meeting with us. */
  #dial(now: number, peer: P, { dials }: Standing, address: PeerAddress): PunchOrder<P>[] {
    // The relay may know a better port than those who named the peer.
    const meeting = this.#meetings.get(address.key) ??
      [...this.#meetings.values()].find(({ asked, target }) => asked === peer && target.ip === address.ip);
    if (meeting?.asked === peer) {
      this.#meetings.delete(meeting.target.key);
      return [{ peer, dial: address }];
    }
    if (!dials.take(now) || !this.#dials.take(now) || this.#find(address)) return [];
    this.#begin(now, address.key); // should our dial fail: it was tried
    return [{ peer, dial: address }];
  }

  /** Has two peers dial each other, or says why not. */
  #introduce(now: number, peer: P, address: PeerAddress): PunchOrder<P>[] | number {
    const other = this.#find(address);
    if (!other) return HolepunchError.notConnected;
    const standing = this.#peers.get(other)!;
    const [here, there] = [reachedAt(peer), reachedAt(other)];
    if (other === peer || !here || !there || here.family !== there.family) return HolepunchError.noSuchPeer;
    if (!mayHear(peer, there) || !mayHear(other, here)) return HolepunchError.notConnected;
    if (!standing.offered) return HolepunchError.noSupport;
    if (!standing.told.take(now)) return [];
    return [
      { peer: other, send: { kind: "connect", address: here } },
      { peer, send: { kind: "connect", address: there } },
    ];
  }

  #find({ key }: PeerAddress): P | undefined {
    for (const peer of this.#peers.keys()) {
      if (peer.address.key === key || peer.listening()?.key === key) return peer;
    }
    return undefined;
  }

  /** Leaves an address alone from now on; false when it is left alone already. */
  #begin(now: number, key: string): boolean {
    const until = this.#resting.get(key);
    if (until !== undefined && now < until) return false;
    this.#resting.delete(key);
    this.#resting.set(key, now + REST);
    if (this.#resting.size > MAX_RESTING) this.#resting.delete(this.#resting.keys().next().value!);
    return true;
  }
}

/** Where a peer's UDP port is: a uTP connection comes from it, as routers on the way translate it. */
function reachedAt(peer: PunchPeer): PeerAddress | undefined {
  return peer.transport === "utp" ? peer.address : peer.listening();
}

// A neighbour on the link is on our network; what else is not here leads nowhere.
const NEARNESS: Readonly<Partial<Record<IpScope, number>>> = { public: 0, private: 1, linkLocal: 1, loopback: 2 };

/** Whether a peer may hear of an address: of none that is nearer than itself, since our network is not its business. */
function mayHear({ address }: PunchPeer, { ip }: PeerAddress): boolean {
  const near = NEARNESS[ipScope(ip)];
  return near !== undefined && near <= (NEARNESS[ipScope(address.ip)] ?? 0);
}
