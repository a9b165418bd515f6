/**
 * The peers of one swarm: who is known, dialed, connected, served and banned.
 *
 * A candidate's way: admitted into the pool, dialed when its turn comes, a session while it is connected, and back to
 * the pool when that ends.
 *
 * @module
 */
import { readCandidate } from "../../api/candidate.ts";
import {
  admitPeers,
  type AdmitStage,
  type ConnectedPeer,
  discoverPeers,
  errorText,
  type PeerCandidate,
  peerClosed,
  peerConnected,
  type PeerEvent,
  peerUnreachable,
  type PeerUnreachableEvent,
  type SwarmEvent,
  type Timer,
} from "../../api/mod.ts";
import { bytesEqual, holderOf, ipScope, type PeerAddress, peerAddress, ProtocolError, toHex } from "../../wire/mod.ts";
import { allowedFastSet } from "../session/allowed_fast.ts";
import { askFilters, Filters, REFUSED } from "./admission.ts";
import { Choker, rechokeInterval } from "./choker.ts";
import type { ShakenPeer } from "./handshake.ts";
import { originOf, whoMakesRoom } from "./crowd.ts";
import { dialAndShake, DialError } from "./dial.ts";
import type { Kernel } from "../kernel.ts";
import { OwnAddress, resolveNamed } from "../../net/mod.ts";
import { PeerPool, type PoolPeer } from "./pool.ts";
import { PeerClosed, PeerSession, type SessionSwarm } from "../session/session.ts";

// Senders of blocks that are remembered after they left.
const MAX_CONTRIBUTORS = 1_000;
// Sessions with one public address that come in: a household behind one has fewer, and nobody may fill every place.
const MAX_PER_ADDRESS = 16;
// Dials that peers ask for, which go before all others: as many may wait, for so long (ms). Whoever is to dial us at the
// same time doesn't try much longer.
const MAX_URGENT = 16;
const URGENT_TIME = 5_000;
// A session over which no payload went for so long (ms) makes room for a newcomer: at once where neither side wants
// anything, for whoever comes to trade says so with its first messages; sooner where its network has many places. For
// candidates, who may be no better, it takes CANDIDATE_PATIENCE times as long.
const IDLE_TIME = 2_000;
const CROWDED_TIME = 10_000;
const USELESS_TIME = 60_000;
const CANDIDATE_PATIENCE = 5;
// A peer that may ask for blocks and asks for none so long (ms) wants nothing, whatever it says.
const ASKS_NOTHING = 20_000;
// Changes of interest are acted upon so often (ms): a peer that wants blocks doesn't notice, and one that flaps is no work.
const INTEREST_INTERVAL = 100;
// A connection this old that neither side wants anything of may be given up for another swarm's (ms).
const IDLE_CONNECTION = 60_000;

// Filters are asked about so many addresses at once.
const BATCH = 50;

/** What the peers need of their swarm. */
export interface PeersSwarm extends SessionSwarm {
  readonly peerId: Uint8Array;
  /** Peers are welcome. */
  readonly active: boolean;
  /** Blocks are served. */
  readonly serves: boolean;
  /** Aborts when the swarm rests. */
  readonly signal: AbortSignal;
  /** There are candidates to dial, or a peer came. */
  wake(): void;
}

/** A dial that can't wait for its turn. */
interface UrgentDial {
  readonly key: string;
  /** The only transport to use. */
  readonly transport: string;
  readonly until: number;
}

export class SwarmPeers {
  readonly pool: PeerPool;
  readonly sessions = new Set<PeerSession>();
  /** Connections and upload slots that it may use: its share of what all swarms have. */
  connectionShare: number;
  unchokeShare = 4;
  /** Dials under way. */
  dialing = 0;

  readonly #kernel: Kernel;
  readonly #swarm: PeersSwarm;
  readonly #choker: Choker;
  /** Who sent blocks, by session: to ban them even after they left. */
  readonly #contributors = new Map<number, PeerAddress>();
  readonly #ownAddress = new OwnAddress();
  readonly #filters: Filters;
  /** Counts the times that filters came: who was admitted before then is asked about again. */
  #filtering = 0;
  #urgent: readonly UrgentDial[] = [];
  /** When whom to serve is decided anew; sooner where somebody came, left, or wants something else. */
  #rechokeAt = 0;
  #rechokedAt = -Infinity;
  #rechoke: Timer | undefined;

  constructor(kernel: Kernel, swarm: PeersSwarm) {
    this.#kernel = kernel;
    this.#swarm = swarm;
    this.#filters = new Filters(kernel.bus);
    this.#choker = new Choker(kernel.host.random);
    this.pool = new PeerPool({ random: kernel.host.random });
    this.connectionShare = kernel.limits.peers;
  }

  /** How many more it could use. */
  get wanted(): number {
    return this.#swarm.active ? Math.max(0, this.connectionShare - this.sessions.size) : 0;
  }

  /** How many peers want something of us: the claim on upload slots. */
  get interested(): number {
    let count = 0;
    for (const session of this.sessions) if (session.machine.peerInterested) count++;
    return count;
  }

  /** Lets candidates into the pool: the egress guard, bans and the filters of plugins decide. Returns how many are new. */
  async admit(source: string, candidates: readonly PeerCandidate[], trusted = false): Promise<number> {
    const { bus, egress, log } = this.#kernel;
    const sound = candidates.map(readCandidate).filter((candidate) => candidate !== undefined);
    if (sound.length < candidates.length) {
      log.warn(`Dropped ${candidates.length - sound.length} peers from ${source}: they have no address`);
    }
    // What the user wrote into a source's entry may be near; what it hears from others may not.
    const entry = bus.table.handlers(discoverPeers).find(({ plugin }) => plugin === source);
    const guard = egress.with(entry?.owner.egress);
    const allowed = trusted ? sound : await this.#filter(
      "candidate",
      source,
      sound.filter(({ address, namedBy }) => !guard.check(address, { namedBy })),
    );
    const now = this.#swarm.clock.now();
    let added = 0;
    for (const { address, namedBy } of allowed) {
      const known = this.pool.get(address.key) !== undefined;
      if (this.pool.add(now, address, source, { trusted, namedBy }) && !known) added++;
    }
    if (allowed.length > 0) this.#swarm.wake();
    return added;
  }

  /** Admits peers that the user named, as `host:port`. */
  async admitNamed(texts: readonly string[]): Promise<void> {
    const addresses: PeerAddress[] = [];
    for (const text of texts) addresses.push(...await resolveNamed(this.#kernel.host.net, text));
    await this.admit("user", addresses.map((address) => ({ address })), true);
  }

  /** Somebody at IP `witness` sees us at `ip`: candidates are ranked by that (BEP 40). */
  seenAs(ip: string, witness: string): void {
    const own = this.#ownAddress.seen(ip, witness);
    // The port counts between two peers behind one address alone.
    if (own !== undefined) this.pool.setSelf(peerAddress(own, this.#kernel.listenPort || 1));
  }

  /** How many it would dial now, given the chance. */
  dialable(now: number): number {
    return this.pool.candidates(now, { seeding: this.#swarm.uploadOnly });
  }

  /** How many of those no dial has failed of. */
  untried(now: number): number {
    return this.pool.untried(now, { seeding: this.#swarm.uploadOnly });
  }

  /** Whether it would dial now, given the chance. */
  wantsDial(now: number): boolean {
    if (this.wanted > this.dialing) return (this.#nextUrgent(now) ?? this.#next(now)) !== undefined;
    return this.namedWaits(now);
  }

  /** Whether somebody whom the user named is to be dialed: that one always has a place, one after the other. */
  namedWaits(now: number): boolean {
    return this.#swarm.active && this.dialing === 0 && (this.#next(now)?.trusted ?? false);
  }

  /** When it next has somebody to dial or to look after: `now` while it has, Infinity if never by itself. */
  idleUntil(now: number): number {
    if (this.sessions.size > 0 || this.dialing > 0) return now;
    if (!this.#swarm.active) return Infinity;
    if (this.#urgent.length > 0 || this.#next(now)) return now;
    return this.pool.nextRetry(now, { seeding: this.#swarm.uploadOnly }) ?? Infinity;
  }

  /** Dials whom a peer said to dial now, else the best candidate. Resolves when that is decided. */
  async dialNext(now: number): Promise<void> {
    const urgent = this.#nextUrgent(now);
    this.#urgent = this.#urgent.filter((dial) => dial !== urgent);
    const peer = urgent ? this.pool.get(urgent.key) : this.#next(now);
    if (peer) await this.#dial(peer, urgent?.transport);
  }

  async #dial(peer: PoolPeer, only?: string): Promise<void> {
    const { id, peerId, signal, clock, dhtPort } = this.#swarm;
    const { key } = peer.address;
    const own = { infoHash: id.wireIds[0], peerId, dht: dhtPort > 0 };
    this.pool.dialing(key);
    this.dialing++;
    try {
      const filtering = this.#filtering;
      const shaken = await dialAndShake(this.#kernel, id, own, { ...peer, private: this.#swarm.private, only }, signal);
      if (filtering !== this.#filtering && !peer.trusted) {
        const [admitted] = await this.#filter("session", firstOf(peer.sources), [peer]);
        if (!admitted) {
          shaken.stream.close(new PeerClosed(REFUSED));
          return this.pool.closed(clock.now(), key, { worked: false, useful: false, retry: false });
        }
      }
      this.#begin(shaken, peer, false);
    } catch (error) {
      const reason = errorText(error);
      this.pool.failed(clock.now(), key, reason);
      if (only !== undefined || !(error instanceof DialError) || error.reached) return;
      this.#kernel.bus.emit(peerUnreachable, this.#unreachable(peer, reason));
    } finally {
      this.dialing--;
    }
  }

  /**
   * Takes an accepted connection that shook hands, if plugins' filters let it in too. Where it is `full`, over all swarms,
   * one of its own has to make room.
   */
  async accept(shaken: ShakenPeer, full = false): Promise<void> {
    const { stream } = shaken;
    const [admitted] = await this.#filter("session", "incoming", [{ address: stream.remote }]);
    const refusal = admitted ? this.#roomFor(stream.remote, full) : REFUSED;
    if (refusal) return stream.close(new PeerClosed(refusal));
    const peer = this.pool.add(this.#swarm.clock.now(), stream.remote, "incoming", { dialable: false });
    if (!peer) return stream.close(new PeerClosed("banned"));
    this.#begin(shaken, peer, true);
  }

  /** Those that are connected and can be dialed. */
  connected(): ConnectedPeer[] {
    const peers: ConnectedPeer[] = [];
    for (const session of this.sessions) {
      const address = session.dialAddress;
      if (!address) continue;
      const { machine, incoming, origin: { encryption, transport } } = session;
      peers.push({
        address,
        uploadOnly: machine.peerUploadOnly || machine.peerPieces.full && machine.peerPieces.length > 0,
        encrypted: encryption !== "none",
        transport,
        reachable: !incoming,
        offers: (name) => machine.peerOffers(name),
      });
    }
    return peers;
  }

  /** Dials one candidate before all others, over one transport alone. It must pass as all candidates do. */
  async dialNow(source: string, candidate: PeerCandidate, transport: string): Promise<void> {
    await this.admit(source, [candidate]);
    const { key } = candidate.address;
    const until = this.#swarm.clock.now() + URGENT_TIME;
    this.#urgent = [...this.#urgent.filter((dial) => dial.key !== key), { key, transport, until }].slice(-MAX_URGENT);
    this.#swarm.wake();
  }

  /** The plugins changed: where filters came, they are asked about everybody who is here and was not named by the user. */
  pluginsChanged(): void {
    if (!this.#filters.renew().added) return;
    this.#filtering++;
    void this.#filterAnew();
  }

  async #filterAnew(): Promise<void> {
    const filtering = this.#filtering;
    const { clock } = this.#swarm;
    const asked = [...this.pool.entries()].filter(({ trusted, banned }) => !trusted && !banned);
    for (const stage of ["session", "candidate"] as const) {
      const bySource = Map.groupBy(
        asked.filter(({ connected }) => connected === (stage === "session")),
        ({ sources }) => firstOf(sources),
      );
      for (const [source, peers] of bySource) {
        for (let i = 0; i < peers.length; i += BATCH) {
          const batch = peers.slice(i, i + BATCH);
          const passed = new Set(await this.#filter(stage, source, batch));
          if (filtering !== this.#filtering) return; // all are asked about once more
          for (const peer of batch) if (!passed.has(peer)) this.#turnOut(peer, clock.now());
        }
      }
    }
  }

  /** A filter refuses who is here already. One that is being dialed is asked about when it has shaken hands. */
  #turnOut({ address: { key } }: PoolPeer, now: number): void {
    const session = [...this.sessions].find(({ address }) => address.key === key);
    session?.close(new PeerClosed(REFUSED));
    if (session) this.pool.closed(now, key, { worked: true, useful: false, retry: false });
    this.pool.remove(key);
  }

  /** Once a second. */
  tick(now: number): void {
    if (this.sessions.size === 0) return;
    for (const session of this.sessions) {
      session.tick(now);
      if (!session.closed && this.#swarm.fetching) session.refill(now);
    }
    if (now >= this.#rechokeAt) this.rechoke(now);
    if (this.sessions.size > this.connectionShare) this.#makeRoom(now);
    else if (this.sessions.size === this.connectionShare) this.#makeRoomForCandidates(now);
  }

  /** Somebody wants something, or nothing more. It is a matter of time: whoever flaps must not keep us busy. */
  interestChanged(now: number): void {
    if (this.#rechoke) return;
    const wait = this.#rechokedAt + INTEREST_INTERVAL - now;
    if (wait <= 0) return this.rechoke(now);
    const { clock } = this.#swarm;
    this.#rechoke = clock.after(wait, () => this.rechoke(clock.now()));
  }

  /** Decides anew whom to serve. */
  rechoke(now: number): void {
    this.#rechoke?.cancel();
    this.#rechoke = undefined;
    this.#rechokedAt = now;
    this.#rechokeAt = now + rechokeInterval;
    if (this.sessions.size === 0) return;
    const peers = [...this.sessions].map((session) => ({
      session,
      key: String(session.key),
      interested: session.machine.peerInterested && this.#swarm.serves,
      snubbed: session.snubbed,
      down: session.down.rate(now),
      up: session.up.rate(now),
      connectedAt: session.connectedAt,
      unchokedSince: session.unchokedSince,
      sentSinceUnchoke: session.sentSinceUnchoke,
    }));
    const chosen = this.#choker.rechoke(now, peers, { slots: this.unchokeShare, seeding: this.#swarm.uploadOnly });
    for (const peer of peers) peer.session.setChoking(!chosen.has(peer), now);
  }

  /** Interest, requests and slots anew, after the swarm's state or wishes changed. */
  refresh(): void {
    const now = this.#swarm.clock.now();
    for (const session of this.sessions) {
      session.updateInterest();
      session.refill(now);
      session.flush();
    }
    this.rechoke(now);
  }

  /** The extensions, or what the handshake says of us, changed. */
  renewExtensions(): void {
    for (const session of this.sessions) session.renewExtensions();
  }

  /** A peer has pieces that it had not, or wants no more (BEP 21). Two that want nothing have nothing to say. */
  piecesChanged(session: PeerSession): void {
    if (!session.complete && !session.machine.peerUploadOnly) return;
    const known = this.pool.get(session.address.key);
    if (known) known.seed = true;
    if (this.#swarm.uploadOnly) session.close(new PeerClosed("neither side wants anything"));
  }

  /** We have everything now. */
  closeSeeds(): void {
    for (const session of [...this.sessions]) this.piecesChanged(session);
  }

  closeAll(reason: Error): void {
    this.#rechoke?.cancel();
    this.#rechoke = undefined;
    for (const session of [...this.sessions]) session.close(reason);
  }

  closed(session: PeerSession, reason: Error): void {
    if (!this.sessions.delete(session)) return;
    const now = this.#swarm.clock.now();
    const { picker } = this.#swarm;
    picker?.removeSource(session.machine.peerPieces);
    picker?.forget(session.key);
    // A peer that broke the protocol would do so again; one that merely left may be back.
    const retry = reason instanceof ProtocolError ? false : undefined;
    this.pool.closed(now, session.address.key, { worked: true, useful: session.useful, retry });
    this.#kernel.tell(peerClosed, { ...this.#event(session), reason: reason.message });
    if (!session.machine.amChoking) this.#rechokeAt = now;
  }

  /** Remembers who sends blocks, to ban it even after it left. */
  contributes({ key, address }: PeerSession): void {
    this.#contributors.set(key, address);
    if (this.#contributors.size > MAX_CONTRIBUTORS) {
      this.#contributors.delete(this.#contributors.keys().next().value!);
    }
  }

  /** Bans whoever session `key` was or is with. */
  ban(key: number, why: string): void {
    const present = [...this.sessions].find((session) => session.key === key);
    const address = present?.address ?? this.#contributors.get(key);
    if (!address) return;
    this.#contributors.delete(key);
    this.#kernel.log.info(`Banned ${address.key} from "${this.#swarm.name}": it ${why}`);
    this.pool.ban(banTarget(address), why);
    present?.close(new ProtocolError(`Banned: it ${why}`));
  }

  /** Other swarms need connections: gives one up that neither side has had a use for in a while. */
  #makeRoom(now: number): void {
    for (const session of this.sessions) {
      const { machine, connectedAt } = session;
      if (machine.amInterested || machine.peerInterested || now - connectedAt < IDLE_CONNECTION) continue;
      return session.close(new PeerClosed("other swarms need the connection more"));
    }
  }

  /** Every place is taken, and others might do better: somebody of no use makes room for the best candidate. */
  #makeRoomForCandidates(now: number): void {
    const candidate = this.#next(now);
    if (candidate) this.#leaveTo(candidate.address, now, candidate.trusted ? 1 : CANDIDATE_PATIENCE);
  }

  /**
   * Closes the connection that can best be spared for a newcomer.
   *
   * @returns whether there was one
   */
  #leaveTo(newcomer: PeerAddress, now: number, patience = 1): boolean {
    const leaving = whoMakesRoom(
      [...this.sessions],
      originOf(newcomer),
      (session, crowded) => this.#spared(session, now, patience, crowded),
    );
    leaving?.close(new PeerClosed("neither gives nor takes, and others wait"));
    return leaving !== undefined;
  }

  /** How well a session can be spared: best where neither side wants anything; undefined where it is of use. */
  #spared(session: PeerSession, now: number, patience: number, crowded: boolean): number | undefined {
    const { machine, unchokedSince = now, sentSinceUnchoke, useful } = session;
    const asks = machine.peerInterested && (sentSinceUnchoke > 0 || now - unchokedSince < ASKS_NOTHING);
    const wanted = machine.amInterested || asks;
    const time = !wanted ? IDLE_TIME : crowded && !useful ? CROWDED_TIME : USELESS_TIME;
    if (now - session.lastUseful < time * patience || this.pool.get(session.address.key)?.trusted) return undefined;
    return wanted ? 0 : 1;
  }

  #nextUrgent(now: number): UrgentDial | undefined {
    this.#urgent = this.#urgent.filter(({ until }) => until > now);
    return this.#urgent.find(({ key }) => {
      const peer = this.pool.get(key);
      return peer !== undefined && peer.dialable && !peer.dialing && !peer.connected && !peer.banned;
    });
  }

  #next(now: number): PoolPeer | undefined {
    return this.pool.next(now, { seeding: this.#swarm.uploadOnly });
  }

  /** Why one more connection from there has no room. */
  #roomFor(from: PeerAddress, full: boolean): string | undefined {
    if (!this.#swarm.active) return "the swarm has no room";
    if (full || this.sessions.size >= this.connectionShare) {
      const found = this.#leaveTo(from, this.#swarm.clock.now());
      // Whom the user named comes in all the same.
      if (!found && !this.pool.namesHolder(from)) return "the swarm has no room";
    }
    // On a LAN, or behind one machine's loopback, many peers may share an address.
    if (ipScope(from.ip) !== "public") return undefined;
    const holder = holderOf(from);
    let same = 0;
    for (const { address } of this.sessions) if (holderOf(address) === holder) same++;
    return same < MAX_PER_ADDRESS ? undefined : "too many connections from this address";
  }

  /** Those that no filter refuses; nobody where other filters came while it was asked: sources are then asked anew. */
  async #filter<C extends Pick<PeerCandidate, "address">>(
    stage: AdmitStage,
    source: string,
    candidates: readonly C[],
  ): Promise<readonly C[]> {
    if (candidates.length === 0 || !this.#kernel.bus.observers(admitPeers, this.#swarm)) return candidates;
    const filtering = this.#filtering;
    const { id, private: isPrivate, signal } = this.#swarm;
    const addresses = candidates.map(({ address }) => address);
    const flags = await askFilters(this.#kernel, { stage, id, private: isPrivate, source, addresses }, signal);
    return filtering === this.#filtering ? candidates.filter((_, i) => flags[i]) : [];
  }

  #begin(shaken: ShakenPeer, peer: PoolPeer, incoming: boolean): void {
    const { stream, handshake } = shaken;
    const refusal = this.#refusal(handshake.peerId, peer, incoming);
    if (refusal) {
      stream.close(new PeerClosed(refusal));
      this.pool.closed(this.#swarm.clock.now(), peer.address.key, { worked: true, useful: false });
      return;
    }
    // It has a place in any case; better somebody else's than one more.
    if (peer.trusted && this.wanted === 0) this.#leaveTo(peer.address, this.#swarm.clock.now());
    const { transport, encryption } = shaken;
    // How a peer encrypts when it dials says nothing of what it takes.
    this.pool.connected(peer.address.key, { transport, encryption: incoming ? undefined : encryption });
    const session = new PeerSession(this.#swarm, {
      stream,
      address: peer.address,
      peerId: handshake.peerId,
      incoming,
      transport,
      encryption,
      source: firstOf(peer.sources),
      fast: handshake.fast,
      extended: handshake.extended,
      dht: handshake.dht,
    });
    this.sessions.add(session);
    this.#swarm.wake();
    this.#swarm.picker?.addSource(session.machine.peerPieces);
    session.start();
    this.#allowFast(session);
    this.#kernel.tell(peerConnected, this.#event(session));
  }

  /** Why a peer that shook hands is not wanted. Of two connections to one peer, one is closed. */
  #refusal(peerId: Uint8Array, { address }: PoolPeer, incoming: boolean): string | undefined {
    if (!this.#swarm.active) return "the swarm does not want peers now";
    if (bytesEqual(peerId, this.#swarm.peerId)) {
      this.pool.ban(address.key, "this is ourselves");
      return "this is ourselves";
    }
    const twin = [...this.sessions].find(({ origin }) => bytesEqual(origin.peerId, peerId));
    if (!twin) return undefined;
    // Both sides must close the same one: the one that the greater id dialed stays.
    const keepDialed = toHex(this.#swarm.peerId) > toHex(peerId);
    if (twin.origin.incoming === incoming || keepDialed === incoming) return "connected to this peer already";
    twin.close(new PeerClosed("connected to this peer twice"));
    return undefined;
  }

  #allowFast(session: PeerSession): void {
    const { shape, store, serves, id } = this.#swarm;
    if (!shape || !store || !serves || !session.machine.fast) return;
    for (const piece of allowedFastSet(session.address, id.wireIds[0].bytes, shape.pieceCount)) {
      if (store.have.has(piece)) session.machine.sendAllowedFast(piece);
    }
    session.flush();
  }

  get #about(): SwarmEvent {
    const { id, name, private: isPrivate } = this.#swarm;
    return { id, name, private: isPrivate };
  }

  #unreachable({ address, namedBy }: PoolPeer, error: string): PeerUnreachableEvent {
    return { ...this.#about, address, error, namedBy };
  }

  #event({ address, origin: { incoming, transport } }: PeerSession): PeerEvent {
    return { ...this.#about, address, incoming, transport };
  }
}

/** Who named a peer first. */
function firstOf(sources: PoolPeer["sources"]): string {
  return sources.values().next().value ?? "incoming";
}

/** Whom to ban for a peer's deed: who holds its IP on the internet; on a LAN or loopback, where many live, only itself. */
function banTarget(address: PeerAddress): string {
  return ipScope(address.ip) === "public" ? holderOf(address) : address.key;
}
