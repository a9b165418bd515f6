import type { OpenedStream, Random } from "../../api/mod.ts";
import { holderOf, type PeerAddress } from "../../wire/mod.ts";
import { BanList } from "./ban_list.ts";
import { peerPriority } from "./priority.ts";
import { PeerShares } from "./shares.ts";

/** Who named a peer: `"user"`, `"incoming"`, or an entry's name such as `"dht"`, perhaps with what it asked. */
export type PeerSource = string;

/** An address that a swarm knows, and what became of it. Times are milliseconds of the host's clock. */
export interface PoolPeer {
  readonly address: PeerAddress;
  /** Who named it, the first few; the first one's share of the pool it counts against. */
  readonly sources: ReadonlySet<PeerSource>;
  /** The IPs of those on the network who named it, the latest few. */
  readonly namedBy: readonly string[];
  /** Named by the user: dialed first, retried sooner, never evicted. */
  readonly trusted: boolean;
  /** False while all that is known is the port that it connected from. */
  readonly dialable: boolean;
  /** Dials and sessions without use, one after another. */
  readonly failures: number;
  /** The last failure, for people. */
  readonly lastError?: string;
  /** Not dialed before this; Infinity is never. */
  readonly retryAt: number;
  /** When a source last named it or a session with it ended. */
  readonly lastSeen: number;
  readonly banned: boolean;
  readonly connected: boolean;
  readonly dialing: boolean;
  /** A dial of ours got through to it. */
  readonly reachedDirectly: boolean;
  /** The transport that worked last. */
  readonly transport?: string;
  /** How the last connection that we made was encrypted; forgotten when a dial fails: the peer may have changed. */
  readonly encryption?: OpenedStream["encryption"];
  /** It has everything: not dialed while we seed. The session sets it. */
  seed: boolean;
  /** BEP 40 rank, 0 to 2^32-1; random until our own address of its family is known. */
  readonly priority: number;
}

/** How a session ended. */
export interface PoolClose {
  /** It got through the handshake. */
  readonly worked: boolean;
  /** Data went over it, in either direction: what was held against the peer is forgotten. */
  readonly useful: boolean;
  /** True dials again at once, false never; by backoff if not given. */
  readonly retry?: boolean;
}

/** Limits of one pool. */
export interface PeerPoolOptions {
  /** Most addresses, 2,000 if not given: discovery can't fill memory. */
  readonly maxPeers?: number;
  /** Most addresses of one holder, 64 if not given: naming every port of a host can't turn a swarm against it. */
  readonly maxPerHolder?: number;
  readonly random: Random;
  /** Our own address as others see it, for BEP 40. */
  readonly self?: PeerAddress;
}

type Entry = { -readonly [K in keyof PoolPeer]: PoolPeer[K] } & { readonly sources: Set<PeerSource> };

/** What one look at every peer finds. It holds until a peer changes or `until` comes. */
interface Survey {
  readonly seeding: boolean;
  readonly from: number;
  readonly until: number;
  readonly best?: Entry;
  readonly candidates: number;
  readonly untried: number;
}

/** Every address known for one swarm: whom to dial next, whom to leave alone. */
export class PeerPool {
  readonly #peers = new Map<string, Entry>();
  readonly #shares = new PeerShares<Entry>();
  readonly #perHolder = new Map<string, number>();
  readonly #bans = new BanList();
  readonly #self = new Map<4 | 6, PeerAddress>();
  readonly #random: Random;
  readonly #maxPeers: number;
  readonly #maxPerHolder: number;
  #survey?: Survey;

  constructor(options: PeerPoolOptions) {
    this.#random = options.random;
    this.#maxPeers = options.maxPeers ?? 2_000;
    this.#maxPerHolder = options.maxPerHolder ?? 64;
    if (options.self) this.setSelf(options.self);
  }

  /** How many addresses it knows. */
  get size(): number {
    return this.#peers.size;
  }

  /** Every peer. */
  entries(): Iterable<PoolPeer> {
    return this.#peers.values();
  }

  get(key: string): PoolPeer | undefined {
    return this.#peers.get(key);
  }

  /** Whether the user named an address of whoever holds this one: it may come from any port. */
  namesHolder(address: PeerAddress): boolean {
    const holder = holderOf(address);
    for (const peer of this.#peers.values()) if (peer.trusted && holderOf(peer.address) === holder) return true;
    return false;
  }

  /** Learns our own address of one family, as others see it, and ranks the peers anew (BEP 40). */
  setSelf(self: PeerAddress): void {
    if (this.#self.get(self.family)?.key === self.key) return;
    this.#self.set(self.family, self);
    for (const peer of this.#peers.values()) peer.priority = this.#rank(peer.address);
    this.#survey = undefined;
  }

  /**
   * Takes an address that `source` named, or adds the source to the one it knows. Undefined when it is banned, or when
   * there is no room: a full pool makes some only at the expense of the source that holds most, so that none can push
   * out what the others named. What `"incoming"` names can't be dialed, unless `dialable` says so: it is the port that a
   * peer connected from.
   */
  add(
    now: number,
    address: PeerAddress,
    source: PeerSource,
    options: {
      readonly trusted?: boolean;
      readonly dialable?: boolean;
      readonly seed?: boolean;
      readonly namedBy?: string;
    } = {},
  ): PoolPeer | undefined {
    const { trusted = false, dialable = source !== "incoming", seed = false, namedBy } = options;
    const known = this.#peers.get(address.key);
    if (known) {
      if (known.banned) return undefined;
      if (known.sources.size < maxSources) known.sources.add(source);
      if (trusted && (!known.trusted || known.retryAt === Infinity)) known.retryAt = Math.min(known.retryAt, now);
      if (namedBy !== undefined && known.namedBy.at(-1) !== namedBy) {
        known.namedBy = [...known.namedBy.filter((ip) => ip !== namedBy), namedBy].slice(-maxNamers);
      }
      known.trusted ||= trusted;
      known.dialable ||= dialable;
      known.seed ||= seed;
      known.lastSeen = now;
      this.#survey = undefined;
      return known;
    }
    if ([address.ip, holderOf(address), address.key].some((target) => this.isBanned(target))) return undefined;
    if (!trusted && (this.#perHolder.get(holderOf(address)) ?? 0) >= this.#maxPerHolder) return undefined;
    if (this.#peers.size >= this.#maxPeers) {
      const victim = this.#shares.victim(now, source, { inUse: isInUse, force: trusted });
      if (!victim) return undefined;
      this.#delete(victim);
    }
    return this.#insert({
      address,
      sources: new Set([source]),
      namedBy: namedBy === undefined ? nobody : [namedBy],
      trusted,
      dialable,
      failures: 0,
      retryAt: now,
      lastSeen: now,
      banned: false,
      connected: false,
      dialing: false,
      reachedDirectly: false,
      seed,
      priority: this.#rank(address),
    }, source);
  }

  /** Forgets an address that nothing is under way with. */
  remove(key: string): void {
    const peer = this.#peers.get(key);
    if (peer && !peer.connected && !peer.dialing) this.#delete(peer);
  }

  /** How many could be dialed now. */
  candidates(now: number, options: { readonly seeding?: boolean } = {}): number {
    return this.#look(now, options.seeding ?? false).candidates;
  }

  /**
   * How many of those no dial has failed of. Whoever failed is no reason to look for no others: a source that names
   * thousands that don't exist must not keep the rest from being asked.
   */
  untried(now: number, options: { readonly seeding?: boolean } = {}): number {
    return this.#look(now, options.seeding ?? false).untried;
  }

  /**
   * The best peer to dial now: named by the user, then with the fewest failures, then by BEP 40. It stays the best
   * until {@link PeerPool.dialing} says that it is being dialed.
   */
  next(now: number, options: { readonly seeding?: boolean } = {}): PoolPeer | undefined {
    return this.#look(now, options.seeding ?? false).best;
  }

  /** When the next peer comes out of its backoff, or undefined when none is waiting. */
  nextRetry(now: number, options: { readonly seeding?: boolean } = {}): number | undefined {
    const { until } = this.#look(now, options.seeding ?? false);
    return until < Infinity ? until : undefined;
  }

  /** A dial begins. */
  dialing(key: string): void {
    this.#change(key, (peer) => peer.dialing = true);
  }

  /** A session with it stands, whoever dialed. */
  connected(key: string, options: Pick<PoolPeer, "transport" | "encryption"> = {}): void {
    this.#change(key, (peer) => {
      if (peer.dialing) peer.reachedDirectly = true;
      peer.dialing = false;
      peer.connected = true;
      peer.transport = options.transport ?? peer.transport;
      peer.encryption = options.encryption ?? peer.encryption;
    });
  }

  /** A dial came to nothing. */
  failed(now: number, key: string, why: string): void {
    this.#change(key, (peer) => {
      peer.dialing = false;
      peer.encryption = undefined;
      peer.lastError = why;
      this.#backOff(now, peer);
    });
  }

  /** A session ended. */
  closed(now: number, key: string, how: PoolClose): void {
    this.#change(key, (peer) => {
      peer.connected = false;
      peer.dialing = false;
      if (how.worked) peer.lastSeen = now;
      if (!peer.dialable && !peer.banned) return this.#delete(peer);
      if (how.useful) peer.failures = 0;
      if (how.retry === true) peer.retryAt = now;
      else if (how.retry === false) peer.retryAt = Infinity;
      else if (how.useful) peer.retryAt = now + this.#delay(peer, 1);
      else this.#backOff(now, peer);
    });
  }

  /**
   * Bans an IP, who holds it (see {@link holderOf}) or one address (`address.key`), and returns those of its peers that
   * are connected, to be closed.
   */
  ban(target: string, reason: string): PoolPeer[] {
    this.#bans.add(target, reason);
    this.#survey = undefined;
    const connected: PoolPeer[] = [];
    for (const peer of this.#peers.values()) {
      const { address } = peer;
      if (address.ip !== target && address.key !== target && holderOf(address) !== target) continue;
      peer.banned = true;
      peer.lastError = reason;
      if (peer.connected) connected.push(peer);
    }
    return connected;
  }

  /** Whether this is banned: an IP, who holds it, or an address (`address.key`), which is also banned with the others. */
  isBanned(target: string): boolean {
    return this.#bans.reason(target) !== undefined;
  }

  /** Every ban with its reason. */
  bans(): Iterable<[string, string]> {
    return this.#bans.entries();
  }

  /** One pass over the peers, remembered for as long as its answer holds: callers ask far more often than it changes. */
  #look(now: number, seeding: boolean): Survey {
    const last = this.#survey;
    if (last && last.seeding === seeding && now >= last.from && now < last.until) return last;
    let best: Entry | undefined;
    let candidates = 0;
    let untried = 0;
    let until = Infinity;
    for (const peer of this.#peers.values()) {
      if (peer.connected || peer.dialing || peer.banned || !peer.dialable || seeding && peer.seed) continue;
      if (peer.retryAt > now) {
        if (peer.retryAt < until) until = peer.retryAt;
      } else {
        candidates++;
        if (peer.failures === 0) untried++;
        if (!best || isBetter(peer, best)) best = peer;
      }
    }
    return this.#survey = { seeding, from: now, until, best, candidates, untried };
  }

  #change(key: string, change: (peer: Entry) => void): void {
    const peer = this.#peers.get(key);
    if (!peer) return;
    change(peer);
    this.#survey = undefined;
  }

  #backOff(now: number, peer: Entry): void {
    peer.failures++;
    peer.retryAt = now + this.#delay(peer, peer.failures);
  }

  /** Doubles with every failure; a quarter of jitter either way, so that a swarm does not return all at once. */
  #delay(peer: Entry, failures: number): number {
    const { first, longest } = peer.trusted ? trustedBackoff : backoff;
    return Math.min(longest, first * 2 ** Math.min(failures - 1, 20)) * (0.75 + this.#random.below(501) / 1_000);
  }

  #rank(address: PeerAddress): number {
    const self = this.#self.get(address.family);
    return self ? peerPriority(self, address) : this.#random.below(2 ** 32);
  }

  #insert(peer: Entry, source: PeerSource): PoolPeer {
    const holder = holderOf(peer.address);
    this.#peers.set(peer.address.key, peer);
    this.#shares.add(source, peer);
    this.#perHolder.set(holder, (this.#perHolder.get(holder) ?? 0) + 1);
    this.#survey = undefined;
    return peer;
  }

  #delete(peer: Entry): void {
    const holder = holderOf(peer.address);
    this.#peers.delete(peer.address.key);
    this.#shares.remove(peer.sources.values().next().value!, peer);
    const left = this.#perHolder.get(holder)! - 1;
    if (left > 0) this.#perHolder.set(holder, left);
    else this.#perHolder.delete(holder);
    this.#survey = undefined;
  }
}

/** Sources remembered for one peer: naming it under ever new names can't fill memory. */
const maxSources = 8;
/** Those of them remembered who have an address. They are told when it can't be reached. */
const maxNamers = 4;
const nobody: readonly string[] = [];
/** Milliseconds from the first failure to the next dial, and the most after many. */
const backoff = { first: 15_000, longest: 3_600_000 };
/** The same for peers that the user named, who waits for them. */
const trustedBackoff = { first: 2_000, longest: 300_000 };

/** Whether it may not be evicted. */
function isInUse(peer: Entry): boolean {
  return peer.connected || peer.dialing || peer.trusted;
}

function isBetter(a: Entry, b: Entry): boolean {
  if (a.trusted !== b.trusted) return a.trusted;
  if (a.failures !== b.failures) return a.failures < b.failures;
  return a.priority > b.priority;
}
