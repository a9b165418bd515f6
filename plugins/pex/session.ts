/**
 * PEX with one peer, as a machine without socket and clock: whom it was told of and when, and what it said.
 *
 * @module
 */
import { type PeerAddress, ProtocolError, type Random, TokenBucket } from "weft";
import { decodePex, encodePex, MAX_SENT, PexFlag } from "./codec.ts";
import { nearness, type Roster, type RosterPeer } from "./roster.ts";

// Soon, but with those who connect at the same time, so that the first message is worth it; and not all at once (ms).
const FIRST_DELAY = 1_000;
const FIRST_JITTER = 4_000;
// BEP 11 allows one message a minute. What a slow link holds up must not look like more: libtorrent closes then (ms).
const INTERVAL = 62_000;
const INTERVAL_JITTER = 6_000;
// With nothing to say, it is looked again after this (ms).
const IDLE_INTERVAL = 10_000;

// Messages of a peer that are read: one a minute, with some that a slow link held up.
const MESSAGES = { most: 3, perSecond: 1 / 60 };
// Messages at all. Past this it floods us, and is closed; clients that send twice as often as they should are not.
const FLOOD = { most: 20, perSecond: 4 / 60 };
// Peers that one peer may name: what BEP 11 allows and as much again, so that it can't fill the pool alone.
const NAMED = { most: 200, perSecond: 100 / 60 };
/** Peers that all peers of a swarm together may name: those who come back under new addresses gain nothing. */
export const SWARM_NAMED = { most: 2_000, perSecond: 1_000 / 60 };

/** Plain data of a session, for the next generation of the plugin. */
export interface SessionRecord {
  /** Whom the peer was told of: the text of addresses. */
  readonly told: readonly string[];
  /** When the last message was sent, in milliseconds; absent before the first. */
  readonly sentAt?: number;
}

/** What a peer said so far. */
export interface Heard {
  messages: number;
  /** Messages that came too soon. */
  ignored: number;
  /** Peers in those that were read, with those past the limits, and what of them was taken. */
  named: number;
  taken: number;
}

/** PEX with one peer. All times are milliseconds of one clock. */
export class PexSession {
  readonly heard: Heard = { messages: 0, ignored: 0, named: 0, taken: 0 };
  readonly #random: Random;
  readonly #messages: TokenBucket;
  readonly #flood: TokenBucket;
  readonly #named: TokenBucket;
  readonly #nearness: number;
  readonly #told = new Set<RosterPeer>();
  /**
   * Whom the generation before told it of, as far as they weren't seen since. Those who left meanwhile are never told as
   * dropped: a peer that is gone harms nobody.
   */
  readonly #carried: Set<string>;
  #sentAt: number | undefined;
  /** The roster's version of which it knows all. */
  #knows: number | undefined;
  #due = Infinity;

  constructor(options: {
    readonly now: number;
    /** The address that the peer is seen at. */
    readonly ip: string;
    readonly random: Random;
    /** What the generation before knew. */
    readonly record?: SessionRecord;
  }) {
    const { now, ip, random, record } = options;
    this.#random = random;
    this.#messages = new TokenBucket(now, MESSAGES);
    this.#flood = new TokenBucket(now, FLOOD);
    this.#named = new TokenBucket(now, NAMED);
    this.#nearness = nearness(ip) ?? 0;
    this.#carried = new Set(record?.told);
    this.#sentAt = record?.sentAt;
  }

  /** When it is to be polled; Infinity while the peer doesn't take messages. */
  get due(): number {
    return this.#due;
  }

  /** The peer says whether it takes messages. */
  handleOffer(now: number, offered: boolean): void {
    if (!offered) this.#due = Infinity;
    else if (this.#due === Infinity) {
      const first = now + FIRST_DELAY + this.#random.below(FIRST_JITTER);
      this.#due = this.#sentAt === undefined ? first : Math.max(first, this.#sentAt + this.#interval());
    }
  }

  /**
   * A message of the peer: the peers that it names, within what is allowed.
   *
   * @param swarm what is left of {@link SWARM_NAMED}
   * @param seeding seeds are no use to us
   * @throws {ProtocolError} when it can't be understood, or the peer floods us
   */
  handleMessage(
    now: number,
    payload: Uint8Array,
    { swarm, seeding }: { readonly swarm: TokenBucket; readonly seeding: boolean },
  ): readonly PeerAddress[] {
    const { heard } = this;
    heard.messages++;
    if (!this.#flood.take(now)) {
      throw new ProtocolError(
        `Cannot take ut_pex: expected a message a minute, and got ${heard.messages} since it began`,
      );
    }
    if (!this.#messages.take(now)) {
      heard.ignored++;
      return [];
    }
    const { added, cut } = decodePex(payload);
    const useful = seeding ? added.filter(({ flags }) => (flags & PexFlag.uploadOnly) === 0) : added;
    const taken = useful.slice(0, swarm.takeUpTo(now, this.#named.takeUpTo(now, useful.length)));
    heard.named += added.length + cut;
    heard.taken += taken.length;
    return taken.map(({ address }) => address);
  }

  /**
   * The message that is due, if there is anything to say: at most 50 peers that it doesn't know of, and 50 that left.
   *
   * @param self where the peer itself accepts connections
   */
  poll(now: number, roster: Roster, self: PeerAddress | undefined): Uint8Array | undefined {
    if (now < this.#due) return undefined;
    this.#due = now + IDLE_INTERVAL;
    if (this.#knows === roster.version) return undefined;
    const dropped = this.#dropped(roster);
    const added = this.#added(roster, self);
    if (added.length < MAX_SENT && dropped.length < MAX_SENT) this.#knows = roster.version;
    if (added.length === 0 && dropped.length === 0) return undefined;
    for (const peer of dropped) this.#told.delete(peer);
    for (const peer of added) this.#told.add(peer);
    this.#sentAt = now;
    this.#due = now + this.#interval();
    return encodePex(added, dropped);
  }

  /** What the next generation needs to go on. */
  save(): SessionRecord {
    const told = [...this.#carried, ...[...this.#told].map(({ key }) => key)];
    return { told, ...(this.#sentAt !== undefined && { sentAt: this.#sentAt }) };
  }

  #dropped(roster: Roster): RosterPeer[] {
    const dropped: RosterPeer[] = [];
    for (const peer of this.#told) {
      if (peer.present) continue;
      const back = roster.get(peer.key);
      if (back) {
        // It left and came back in between: nothing to tell.
        this.#told.delete(peer);
        this.#told.add(back);
      } else if (dropped.length < MAX_SENT) dropped.push(peer);
    }
    return dropped;
  }

  #added(roster: Roster, self: PeerAddress | undefined): RosterPeer[] {
    const added: RosterPeer[] = [];
    for (const peer of roster.peers) {
      if (this.#told.has(peer) || peer.key === self?.key || peer.nearness > this.#nearness) continue;
      if (this.#carried.delete(peer.key)) this.#told.add(peer);
      else if (added.push(peer) === MAX_SENT) break;
    }
    return added;
  }

  #interval(): number {
    return INTERVAL + this.#random.below(INTERVAL_JITTER);
  }
}
