/**
 * All swarms of a runtime: takes incoming connections to the right one, and shares connections, dials, upload slots
 * and time between them.
 *
 * @module
 */
import { admitPeers, type ByteStream, CommandError, errorText, type Timer, transports } from "../api/mod.ts";
import { type InfoHash, type PeerAddress, sha1, toHex } from "../wire/mod.ts";
import { Awake } from "./awake.ts";
import { askFilters, REFUSED } from "./peers/admission.ts";
import { type Member, originOf, whoMakesRoom } from "./peers/crowd.ts";
import { acceptAndShake, type OwnHandshake } from "./peers/handshake.ts";
import { fairShare } from "./fair_share.ts";
import type { Kernel } from "./kernel.ts";
import { Listeners } from "../net/mod.ts";
import { PeerClosed } from "./session/session.ts";
import type { RateLimiter } from "./rate_limit.ts";
import type { Swarm } from "./swarm.ts";

const TICK = 1_000;
// While somebody wants to dial (ms): dials are spread over the second.
const DIAL_TICK = 50;
// Upload slots when no limit is set: enough to fill any link, few enough that each is worth having.
const DEFAULT_SLOTS = 40;
// With an upload limit, a slot for so many bytes per second of it.
const SLOT_RATE = 16 * 1024;
// A swarm with fewer connections than this can't do its part, however little it needs: whoever asks for no more may have
// them, also where others could use every one there is.
const MIN_CONNECTIONS = 4;
const MIN_SLOTS = 2;
// Where there is not even that much for all, they take turns of this length (ms).
const SHARE_TURN = 60_000;
// Bytes per second of a limit that a swarm has however little it used so far.
const MIN_RATE = 4 * 1024;
// Digits of an id's beginning: with fewer, the next swarm that is added could well begin with the same ones.
const MIN_PREFIX = 4;
// Plugins often change their mind about many swarms in a row (ms).
const REVIEW_DELAY = 20;
const REQ2 = new TextEncoder().encode("req2");
// Addresses whose incoming connections are counted at once.
const MAX_COUNTED_ADDRESSES = 10_000;

/** A connection that came in. */
interface Arrival extends Member {
  readonly stream: ByteStream;
}

/** Every swarm, by each id that peers may name it by. */
export class Swarms {
  readonly #kernel: Kernel;
  readonly #byKey = new Map<string, Swarm>();
  readonly #byWireId = new Map<string, Swarm>();
  /** Info-hashes by what encrypted handshakes name them by (hex). */
  readonly #bySecret = new Map<string, InfoHash>();
  readonly #awake: Awake<Swarm>;
  readonly listeners: Listeners;
  /** Connections that came in and have not shaken hands, the oldest first. They are no peers yet, and take no peer's place. */
  readonly #shaking = new Map<ByteStream, Arrival>();
  /** Handshakes under way, by who holds the address. */
  readonly #pending = new Map<string, number>();
  /** Incoming connections of the present second, by who holds the address. */
  readonly #arrivals = new Map<string, number>();
  readonly #abort = new AbortController();
  #tick: Timer | undefined;
  #dialTimer: Timer | undefined;
  #review: Timer | undefined;
  #dialCredit = 0;
  #dialedAt = 0;
  #dialing = 0;
  /** Where the next round of dialing begins, so that each swarm has its turn. */
  #turn = 0;
  /** What a swarm that rests may take of the connections. */
  #shareAtRest = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#awake = new Awake(kernel.host.clock);
    this.listeners = new Listeners({
      clock: kernel.host.clock,
      accept: (transport, stream) => void this.#accept(transport, stream),
      lost: (error) => kernel.log.error(`A listener is lost until Weft starts again: ${errorText(error)}`),
    });
  }

  get all(): Iterable<Swarm> {
    return this.#byKey.values();
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Connections that came in and have not shaken hands yet. */
  get handshakes(): number {
    return this.#shaking.size;
  }

  /** Peers of all swarms. */
  get connections(): number {
    let count = 0;
    for (const swarm of this.#awake) count += swarm.peers.sessions.size;
    return count;
  }

  /** The swarm of that key, or of a prefix that only one has. */
  get(id: string): Swarm {
    const text = id.toLowerCase();
    const exact = this.#byKey.get(text) ?? this.#byWireId.get(text);
    if (exact) return exact;
    if (text.length < MIN_PREFIX) {
      throw new CommandError(`No swarm "${id}" here: the beginning of an id has at least ${MIN_PREFIX} digits`);
    }
    const matching = [...this.all].filter((swarm) => swarm.id.key.startsWith(text));
    if (matching.length === 1) return matching[0];
    throw new CommandError(
      matching.length === 0 ? `No swarm "${id}" here` : `"${id}" could be ${matching.length} swarms; give more digits`,
    );
  }

  find(wireIdHex: string): Swarm | undefined {
    return this.#byWireId.get(wireIdHex);
  }

  add(swarm: Swarm): void {
    this.#byKey.set(swarm.id.key, swarm);
    for (const id of swarm.id.wireIds) {
      this.#byWireId.set(id.hex, swarm);
      this.#bySecret.set(secretName(id), id);
    }
    this.#awake.wake(swarm);
  }

  delete(swarm: Swarm): void {
    this.#byKey.delete(swarm.id.key);
    for (const id of swarm.id.wireIds) {
      this.#byWireId.delete(id.hex);
      this.#bySecret.delete(secretName(id));
    }
    this.#awake.delete(swarm);
  }

  start(): void {
    const tick = (): void => {
      this.#tick = this.#kernel.host.clock.after(TICK, tick);
      this.#everySecond(this.#kernel.host.clock.now());
    };
    this.#dialedAt = this.#kernel.host.clock.now();
    this.#tick = this.#kernel.host.clock.after(TICK, tick);
  }

  /** Stops every swarm: each of them by name, and when it has. */
  stop(): readonly (readonly [name: string, ended: Promise<void>])[] {
    this.#tick?.cancel();
    this.#dialTimer?.cancel();
    this.#review?.cancel();
    this.#abort.abort(new PeerClosed("this client stops"));
    this.listeners.close();
    for (const stream of this.#shaking.keys()) stream.close(new PeerClosed("this client stops"));
    const stopping = [...this.all].map((swarm) => [swarm.name, swarm.stop()] as const);
    this.#awake.clear();
    return stopping;
  }

  /** A swarm has something to do: it got candidates, a peer, another state or other limits. */
  wake(swarm: Swarm): void {
    if (this.#abort.signal.aborted || this.#byKey.get(swarm.id.key) !== swarm) return;
    this.#awake.wake(swarm);
    this.#dialSoon();
  }

  /** Settings changed: each swarm may have something to do. */
  wakeAll(): void {
    for (const swarm of this.all) this.wake(swarm);
  }

  /** Has each swarm ask anew, soon, whether it may run. */
  review(): void {
    this.#review ??= this.#kernel.host.clock.after(REVIEW_DELAY, () => {
      this.#review = undefined;
      for (const swarm of this.all) void swarm.review();
    });
  }

  #dialSoon(): void {
    if (this.#abort.signal.aborted) return;
    this.#dialTimer ??= this.#kernel.host.clock.after(DIAL_TICK, () => {
      this.#dialTimer = undefined;
      if (this.#dial(this.#kernel.host.clock.now())) this.#dialSoon();
    });
  }

  #everySecond(now: number): void {
    this.#arrivals.clear();
    this.#share(now);
    for (const swarm of this.#awake) {
      swarm.tick(now);
      if (this.#awake.rest(swarm, now)) this.#resign(swarm);
    }
    this.#dialSoon();
  }

  /** A swarm rests: it leaves its shares to the others, and keeps what it needs to begin again. */
  #resign(swarm: Swarm): void {
    swarm.shareRates(undefined, undefined);
    swarm.peers.connectionShare = this.#shareAtRest;
    swarm.peers.unchokeShare = MIN_SLOTS;
  }

  /** Shares connections, upload slots and limits between those awake: each swarm a few, the rest by need. */
  #share(now: number): void {
    const swarms = [...this.#awake];
    const { limits, downLimit, upLimit } = this.#kernel;
    const down = shareRate(downLimit.rate, swarms.map((swarm) => demand(swarm.downLimit, swarm.ledger.down.rate(now))));
    const up = shareRate(upLimit.rate, swarms.map((swarm) => demand(swarm.upLimit, swarm.ledger.up.rate(now))));
    swarms.forEach((swarm, i) => swarm.shareRates(down[i], up[i]));
    const needs = swarms.map(({ peers }) =>
      Math.min(limits.peers, peers.sessions.size + peers.dialing + peers.dialable(now))
    );
    const connections = fairShare(
      limits.connections,
      needs.map((need) => ({ minimum: MIN_CONNECTIONS, need })),
      Math.floor(now / SHARE_TURN),
    );
    const slots = limits.unchoked ??
      (upLimit.rate === undefined
        ? DEFAULT_SLOTS
        : Math.max(4, Math.min(DEFAULT_SLOTS, Math.round(upLimit.rate / SLOT_RATE))));
    const unchoked = fairShare(
      slots,
      swarms.map((swarm) => ({ minimum: Math.min(MIN_SLOTS, swarm.peers.interested), need: swarm.peers.interested })),
      Math.floor(now / SHARE_TURN),
    );
    const spare = Math.max(0, limits.connections - connections.reduce((sum, share) => sum + share, 0));
    swarms.forEach((swarm, i) => {
      // Room for those who come on their own; beyond the total they are refused at the door.
      const least = connections[i] < needs[i] ? 0 : MIN_CONNECTIONS;
      swarm.peers.connectionShare = Math.min(limits.peers, Math.max(connections[i] + spare, least));
      swarm.peers.unchokeShare = Math.max(unchoked[i], MIN_SLOTS);
    });
    const share = Math.min(limits.peers, Math.max(spare, MIN_CONNECTIONS));
    if (share === this.#shareAtRest) return;
    this.#shareAtRest = share;
    for (const swarm of this.all) if (!this.#awake.has(swarm)) swarm.peers.connectionShare = share;
  }

  /** Dials as the limits allow, one swarm after the other. Returns whether somebody still waits. */
  #dial(now: number): boolean {
    const { limits } = this.#kernel;
    this.#dialCredit = Math.min(limits.dials, this.#dialCredit + (now - this.#dialedAt) * limits.dials / 1000);
    this.#dialedAt = now;
    let open = limits.connections - this.connections - this.#dialing;
    // Whom the user named is dialed wherever else the connections are.
    const mayDial = (swarm: Swarm): boolean => swarm.peers.wantsDial(now) && (open > 0 || swarm.peers.namedWaits(now));
    const waiting = [...this.#awake].filter(mayDial);
    for (let i = 0; i < waiting.length; i++) {
      if (this.#dialCredit < 1 || this.#dialing >= limits.halfOpen) return true;
      const swarm = waiting[this.#turn++ % waiting.length];
      if (!mayDial(swarm)) continue;
      this.#dialCredit--;
      this.#dialing++;
      open--;
      void swarm.peers.dialNext(now).finally(() => {
        this.#dialing--;
        this.#dialSoon();
      });
    }
    return waiting.some(mayDial);
  }

  readonly #secretOf = (hash: Uint8Array): Uint8Array | undefined => this.#bySecret.get(toHex(hash))?.bytes;

  /** Whether filters let somebody in of whom nothing is known but the address. */
  async #admits(address: PeerAddress): Promise<boolean> {
    const { bus } = this.#kernel;
    if (!bus.observers(admitPeers)) return true;
    // It may be a private swarm's peer.
    const isPrivate = this.#byKey.values().some((swarm) => swarm.private);
    const request = { stage: "arrival", private: isPrivate, source: "incoming", addresses: [address] } as const;
    const [admitted] = await askFilters(this.#kernel, request, this.#abort.signal);
    return admitted;
  }

  async #accept(transport: string, stream: ByteStream): Promise<void> {
    const refuse = (why: string): void => stream.close(new PeerClosed(why));
    const { limits, log } = this.#kernel;
    const { ip, key } = stream.remote;
    const from = originOf(stream.remote);
    const { holder } = from;
    const arrivals = (this.#arrivals.get(holder) ?? 0) + 1;
    const pending = this.#pending.get(holder) ?? 0;
    if (Math.max(arrivals, pending + 1) > limits.acceptsPerAddress || this.#arrivals.size > MAX_COUNTED_ADDRESSES) {
      return refuse("too many connections from this address");
    }
    this.#arrivals.set(holder, arrivals);
    // Whoever is silent the longest, of the network that has most of these places, makes room.
    if (this.#shaking.size >= limits.handshakes) {
      const leaving = whoMakesRoom([...this.#shaking.values()], from, () => 0);
      if (!leaving) return refuse("too many handshakes under way");
      this.#shaking.delete(leaving.stream);
      leaving.stream.close(new PeerClosed("others wait to shake hands"));
    }
    this.#shaking.set(stream, { stream, from });
    this.#pending.set(holder, pending + 1);
    let swarm: Swarm | undefined;
    const own = (infoHash: InfoHash): OwnHandshake | undefined => {
      swarm = this.#byWireId.get(infoHash.hex);
      // A transport that may not know of private swarms brings no peers to them.
      if (!swarm || swarm.private && !this.#kernel.bus.get(transports, transport, swarm)) return undefined;
      if ([ip, holder, key].some((target) => swarm!.peers.pool.isBanned(target))) return undefined;
      return { infoHash, peerId: swarm.peerId, dht: swarm.dhtPort > 0 };
    };
    try {
      if (!await this.#admits(stream.remote)) return refuse(REFUSED);
      const shaken = await acceptAndShake(
        this.#kernel,
        transport,
        stream,
        { own, secretOf: this.#secretOf },
        this.#abort.signal,
      );
      this.#shaking.delete(stream);
      await swarm!.peers.accept(shaken, this.connections >= limits.connections);
    } catch (error) {
      log.debug(`Refused ${key}: ${errorText(error)}`);
    } finally {
      this.#shaking.delete(stream);
      const left = this.#pending.get(holder)! - 1;
      if (left > 0) this.#pending.set(holder, left);
      else this.#pending.delete(holder);
    }
  }
}

/** What an encrypted handshake names an info-hash by: HASH('req2', SKEY) of message stream encryption, in hex. */
function secretName({ bytes }: InfoHash): string {
  const named = new Uint8Array(REQ2.length + bytes.length);
  named.set(REQ2);
  named.set(bytes, REQ2.length);
  return toHex(sha1(named));
}

/** What a swarm could use of a limit: more than it had, if that wasn't enough. */
function demand(limit: RateLimiter, rate: number): number {
  return limit.ranShort() ? Infinity : Math.ceil(2 * rate);
}

/** Shares a rate; a swarm that asks for nothing keeps enough to begin at once. Undefined where there is no limit. */
function shareRate(rate: number | undefined, needs: readonly number[]): readonly (number | undefined)[] {
  if (rate === undefined || needs.length < 2) return needs.map(() => undefined);
  return fairShare(rate, needs.map((need) => ({ minimum: MIN_RATE, need: Math.max(MIN_RATE, need) })));
}
