/**
 * One torrent's life: from the metadata through checking and downloading to seeding, its peers, its pieces, and what
 * is known of it.
 *
 * @module
 */
import {
  admitPeers,
  type Clock,
  CommandError,
  type PeerCandidate,
  peerClosed,
  peerConnected,
  type PeerExtensionFactory,
  pieceFailed,
  pieceVerified,
  PluginError,
  type Random,
  resolveMetadata,
  swarmCompleted,
  type SwarmDetail,
  type SwarmLimits,
  type SwarmSnapshot,
  type SwarmState,
  swarmState,
  type Timer,
  trackerClients,
  trackerStatus,
  type UpdateSwarm,
  wireExtensions,
} from "../api/mod.ts";
import {
  deleteFiles,
  openPieceStore,
  type PieceStore,
  sha1Layout,
  type StoreEvents,
  type SwarmRecord,
  type SwarmStatistics,
} from "../store/mod.ts";
import {
  bytesEqual,
  encodeMetainfo,
  type Info,
  ipScope,
  parseInfo,
  parseIp,
  type PeerAddress,
  ProtocolError,
  sha1,
  toHex,
  type TorrentId,
} from "../wire/mod.ts";
import { Announcer } from "./announcer.ts";
import { Blame } from "./block_map.ts";
import { blocksIn } from "./blocks.ts";
import { Choker, rechokeInterval } from "./choker.ts";
import { dialAndShake, type ShakenPeer } from "./connect.ts";
import { Discovery } from "./discovery.ts";
import type { Kernel } from "./kernel.ts";
import { resolveNamed } from "./named_peer.ts";
import { createPeerId } from "./peer_id.ts";
import { PeerPool, type PoolPeer } from "./peer_pool.ts";
import { PeerClosed, PeerSession, type SessionSwarm } from "./peer_session.ts";
import { Picker } from "./picker.ts";
import { MAX_PRIORITY } from "./piece_order.ts";
import { RateLimiter, RateMeter } from "./rate_limit.ts";
import { allowedFastSet } from "./allowed_fast.ts";

/** What a swarm begins with. */
export interface SwarmOptions {
  readonly record: SwarmRecord;
  readonly id: TorrentId;
  readonly name: string;
  /** Undefined for a magnet. */
  readonly info?: Info;
  readonly tiers: readonly (readonly string[])[];
  /** What to do with data that is there: see AddSwarm. */
  readonly existing: "resume" | "check" | "trust";
  /** There are candidates to dial, or room for more peers. */
  wake(): void;
}

/** A file's priority when it is wanted and nobody said more. */
export const NORMAL_PRIORITY = 4;
// A failed disk is tried again so often (ms).
const RETRY_INTERVAL = 30_000;
// Senders of blocks that are remembered after they left.
const MAX_CONTRIBUTORS = 1_000;
// Statistics are saved so often while they change (ms).
const SAVE_INTERVAL = 30_000;

export class Swarm implements SessionSwarm {
  readonly id: TorrentId;
  readonly peerId: Uint8Array;
  readonly pool: PeerPool;
  readonly sessions = new Set<PeerSession>();
  readonly down = new RateMeter();
  readonly up = new RateMeter();
  readonly downLimit: RateLimiter;
  readonly upLimit: RateLimiter;
  name: string;
  /** What is kept of it: as it was saved last, but for the sums, which {@link Swarm.statistics} has. */
  record: SwarmRecord;
  shape: Info | undefined;
  store: PieceStore | undefined;
  picker: Picker | undefined;
  state: SwarmState = "paused";
  error: string | undefined;
  /** Connections and upload slots it may use: its share of what all swarms have. */
  connectionShare: number;
  unchokeShare = 4;
  /** Dials under way. */
  dialing = 0;

  readonly #kernel: Kernel;
  readonly #announcer: Announcer;
  readonly #discovery: Discovery;
  readonly #choker: Choker;
  readonly #blame = new Blame();
  readonly #tiers: readonly (readonly string[])[];
  readonly #wake: () => void;
  readonly #existing: SwarmOptions["existing"];
  /** What the user allowed its trackers. */
  #grants = new DisposableStack();
  #abort = new AbortController();
  #priorities: number[] = [];
  #checked: number | undefined;
  #rechokeAt = 0;
  #saveAt = 0;
  #seedingSince: number | undefined;
  /** Who sent blocks, by session: to ban them even after they left. */
  readonly #contributors = new Map<number, PeerAddress>();
  #rateShares: { readonly down?: number; readonly up?: number } = {};
  #seedTime = 0;
  #wasted = 0;
  #savedMark = 0;
  #retry: Timer | undefined;
  #drained: { promise: Promise<void>; resolve: () => void } | undefined;
  #stopped = false;
  /** Pieces were lost, and what is wanted is not counted yet. */
  #losing = false;
  /** The store that was closed last. */
  #rested: PieceStore | undefined;
  #extensions: readonly (readonly [string, PeerExtensionFactory])[] | undefined;
  #extensionsOf: unknown;

  constructor(kernel: Kernel, options: SwarmOptions) {
    this.#kernel = kernel;
    this.id = options.id;
    this.name = options.name;
    this.record = options.record;
    this.shape = options.info;
    this.#existing = options.existing;
    this.#tiers = options.tiers;
    this.#choker = new Choker(kernel.host.random);
    this.#wake = options.wake;
    this.peerId = createPeerId(kernel.host.random);
    this.connectionShare = kernel.limits.peers;
    this.pool = new PeerPool({ random: kernel.host.random });
    this.downLimit = new RateLimiter(options.record.limits?.down, kernel.downLimit);
    this.upLimit = new RateLimiter(options.record.limits?.up, kernel.upLimit);
    this.#discovery = new Discovery(kernel, this.#demand());
    this.#announcer = new Announcer({
      clock: kernel.host.clock,
      random: kernel.host.random,
      id: this.id,
      tiers: options.tiers,
      client: (scheme) => kernel.bus.get(trackerClients, scheme),
      stats: () => ({
        uploaded: this.up.total,
        downloaded: this.down.total,
        left: this.left,
        wanted: this.wantedPeers,
        port: kernel.listenPort,
      }),
      peerId: this.peerId,
      key: kernel.host.random.below(2 ** 32),
      onPeers: (peers, { url, from }) =>
        void this.admit(`tracker:${hostOf(url)}`, peers.map((address) => ({ address, namedBy: from }))),
      onStatus: (status) => kernel.tell(trackerStatus, { ...this.#event(), status }),
    });
    this.#allowTrackers();
  }

  // What sessions ask of it.

  get clock(): Clock {
    return this.#kernel.host.clock;
  }

  get random(): Random {
    return this.#kernel.host.random;
  }

  get private(): boolean {
    return this.shape?.private ?? false;
  }

  get readBuffers(): Kernel["readBuffers"] {
    return this.#kernel.readBuffers;
  }

  get pacer(): Kernel["pacer"] {
    return this.#kernel.pacer;
  }

  get listenPort(): number {
    return this.#kernel.listenPort;
  }

  get fetching(): boolean {
    return this.state === "downloading";
  }

  /** Peers are welcome. */
  get active(): boolean {
    return !this.#stopped && (this.state === "downloading" || this.state === "seeding" || this.state === "metadata");
  }

  get uploadOnly(): boolean {
    return this.state === "seeding";
  }

  get extensions(): readonly (readonly [string, PeerExtensionFactory])[] {
    const { bus } = this.#kernel;
    if (this.#extensionsOf !== bus.table) {
      this.#extensionsOf = bus.table;
      this.#extensions = bus.keys(wireExtensions)
        .filter((name) => !(this.private && name === "ut_pex"))
        .map((name) => [name, bus.get(wireExtensions, name)!] as const);
    }
    return this.#extensions!;
  }

  drained(): Promise<void> {
    if (!this.#drained) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => resolve = done);
      this.#drained = { promise, resolve };
    }
    return this.#drained.promise;
  }

  blockBegan(session: PeerSession, piece: number, block: number): void {
    if (!session.useful) this.#remember(session);
    this.#blame.record(piece, block, session.key);
  }

  downloaded(session: PeerSession, bytes: number): void {
    this.down.add(session.machine.lastReceived, bytes);
  }

  uploaded(_session: PeerSession, bytes: number): void {
    this.up.add(this.clock.now(), bytes);
  }

  wasted(bytes: number): void {
    this.#wasted += bytes;
  }

  interestChanged(): void {
    this.rechoke(this.clock.now());
  }

  piecesChanged(session: PeerSession): void {
    if (session.complete) {
      const known = this.pool.get(session.address.key);
      if (known) known.seed = true;
      if (this.#onlySeeds(session)) session.close(new PeerClosed("both sides have everything"));
    }
  }

  dhtPort(): void {}

  extensionFailed(name: string, error: Error): void {
    const { plugin = "" } = this.#kernel.bus.table.values(wireExtensions).find(({ key }) => key === name) ?? {};
    this.#kernel.log.warn(new PluginError(plugin, wireExtensions.name, `${name}: ${error.message}`).message);
  }

  // Its life.

  /** Begins: opens the store, checks what is there, and looks for peers. Problems become its state. */
  async start(): Promise<void> {
    if (this.record.paused) return this.#become("paused");
    const abort = this.#abort = new AbortController();
    try {
      if (!this.shape) {
        this.#become("metadata");
        this.#meet();
        const info = await this.#resolve(abort.signal);
        if (abort.signal.aborted) return;
        this.#learn(info);
      }
      await this.#openStore(abort.signal);
      if (abort.signal.aborted) return;
      this.#settle();
      this.#meet();
    } catch (error) {
      if (!abort.signal.aborted) this.#fail(error);
    }
  }

  /** Stops: says `stopped` to trackers, closes peers, saves, and lets go of the files. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#rest(new PeerClosed("this client stops"));
    this.#grants.dispose();
  }

  /** Pauses or resumes. */
  async setPaused(paused: boolean): Promise<void> {
    if (this.record.paused === paused) return;
    if (paused) this.#become("paused");
    await this.#change({ paused });
    if (!paused) return this.start();
    await this.#rest(new PeerClosed("the swarm is paused"));
  }

  /** Begins to hash all data again. */
  recheck(): void {
    if (!this.shape) throw new CommandError(`Cannot check "${this.name}": its metadata is not known yet`);
    this.#become("checking");
    void this.#recheck().catch((error) => this.#fail(error));
  }

  async #recheck(): Promise<void> {
    await this.#rest(new PeerClosed("the swarm checks its files"));
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    await this.#openStore(signal, "check").then(() => {
      if (signal.aborted) return;
      if (this.record.paused) {
        this.#become("paused");
        return this.#rest(new PeerClosed("the swarm is paused"));
      }
      this.#settle();
      this.#meet();
    }, (error) => signal.aborted ? undefined : this.#fail(error));
  }

  async setLimits(limits: SwarmLimits): Promise<void> {
    await this.#change({ limits: { ...this.record.limits, ...limits } });
    this.#applyRates();
  }

  /** Its share of the runtime's limits, bytes per second; undefined where there are none. */
  shareRates(down: number | undefined, up: number | undefined): void {
    this.#rateShares = { down, up };
    this.#applyRates();
  }

  async setSequential(sequential: boolean): Promise<void> {
    await this.#change({ sequential });
    if (this.picker) this.picker.sequential = sequential;
  }

  /** Sets each file's priority, 0 (skip) to 7, by index; absent ones stay. */
  async setPriorities(priorities: Readonly<Record<number, number>>): Promise<void> {
    const count = this.shape?.files.length ?? Infinity;
    for (const [index, priority] of Object.entries(priorities)) {
      if (Number.isInteger(priority) && priority >= 0 && priority <= MAX_PRIORITY && Number(index) < count) continue;
      throw new CommandError(
        `Cannot set priority ${priority} of file ${index}: "${this.name}" has ${count} files, priorities are 0 to 7`,
      );
    }
    await this.#change({ priorities: { ...this.record.priorities, ...priorities } });
    if (!this.shape) return;
    this.#priorities = this.#filePriorities(this.shape);
    await this.store?.select(this.#wantedFiles());
    if (!this.picker) return;
    this.picker.setPriorities(this.#piecePriorities());
    this.#reconsider();
  }

  /** The priorities that select just these files. */
  selection(indexes: readonly number[]): Record<number, number> {
    const count = this.shape?.files.length ?? 0;
    const wrong = indexes.find((index) => !(index >= 0 && index < count));
    if (wrong !== undefined) {
      throw new CommandError(`Cannot select file ${wrong}: "${this.name}" has files 0 to ${count - 1}`);
    }
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [i, indexes.includes(i) ? NORMAL_PRIORITY : 0]));
  }

  /** Deletes its files; call it after {@link Swarm.stop}. */
  async deleteData(): Promise<void> {
    if (this.shape) await deleteFiles(this.#kernel.host.disk, sha1Layout(this.shape), this.record.path, this.#partFile);
  }

  /** Adds trackers to those that it has, and says whether all may be on loopback and private addresses. */
  async setTrackers({ trackers: added = [], allowLocal = this.record.allowLocal }: UpdateSwarm): Promise<void> {
    const sooner = allowLocal && !this.record.allowLocal;
    await this.#change({ trackers: [...new Set([...this.record.trackers, ...added])], allowLocal });
    this.#allowTrackers();
    for (const url of added) this.#announcer.addTracker(url);
    if (sooner) this.#announcer.announceNow();
  }

  announceNow(): void {
    this.#announcer.announceNow();
  }

  /** The plugins changed: other tracker clients, other extensions. */
  pluginsChanged(): void {
    this.#announcer.clientsChanged();
    for (const session of this.sessions) session.renewExtensions();
  }

  async save(): Promise<void> {
    await this.#save();
  }

  // Peers.

  /** Bytes still to fetch. */
  get left(): number {
    if (!this.shape) return 1;
    return this.shape.length - this.#doneBytes();
  }

  /** How many more peers it could use. */
  get wantedPeers(): number {
    if (!this.active) return 0;
    return Math.max(0, this.connectionShare - this.sessions.size);
  }

  /** Whether it would dial now, given the chance. */
  wantsDial(now: number): boolean {
    if (this.wantedPeers - this.dialing <= 0) return false;
    return this.pool.next(now, { seeding: this.state === "seeding" }) !== undefined;
  }

  /** Dials the best candidate. Resolves when that is decided. */
  async dialNext(now: number): Promise<void> {
    const peer = this.pool.next(now, { seeding: this.state === "seeding" });
    if (!peer) return;
    const { key } = peer.address;
    this.pool.dialing(key);
    this.dialing++;
    try {
      const own = { infoHash: this.id.wireIds[0], peerId: this.peerId };
      const shaken = await dialAndShake(this.#kernel, this.id, own, peer, this.#abort.signal);
      this.#begin(shaken, peer, false);
    } catch (error) {
      this.pool.failed(this.clock.now(), key, error instanceof Error ? error.message : String(error));
    } finally {
      this.dialing--;
    }
  }

  /** Takes an accepted connection that shook hands. */
  accept(shaken: ShakenPeer): void {
    const { remote } = shaken.stream;
    if (!this.active || this.sessions.size >= this.connectionShare) {
      return shaken.stream.close(new PeerClosed("the swarm has no room"));
    }
    const peer = this.pool.add(this.clock.now(), remote, "incoming", { dialable: false });
    if (!peer) return shaken.stream.close(new PeerClosed("banned"));
    this.#begin(shaken, peer, true);
  }

  /** Lets candidates into the pool: the egress guard, bans and the filters of plugins decide. Returns how many are in. */
  async admit(source: string, candidates: readonly PeerCandidate[], trusted = false): Promise<number> {
    const { bus, egress } = this.#kernel;
    const sound = candidates.filter((candidate) => isCandidate(candidate));
    if (sound.length < candidates.length) {
      this.#kernel.log.warn(`Dropped ${candidates.length - sound.length} peers from ${source}: they have no address`);
    }
    let allowed = trusted
      ? sound
      : sound.filter(({ address, namedBy }) => egress.check(address, { namedBy }) === undefined);
    if (allowed.length > 0 && !trusted && bus.observers(admitPeers)) {
      try {
        const request = { id: this.id, source, addresses: allowed.map(({ address }) => address) };
        const answer = await bus.first(admitPeers, request, this.#abort.signal);
        if (answer !== undefined) allowed = allowed.filter((_, i) => answer?.[i] === true);
      } catch (error) {
        this.#kernel.log.warn(`No peers admitted from ${source}: ${message(error)}`);
        return 0;
      }
    }
    const now = this.clock.now();
    let added = 0;
    for (const { address } of allowed) {
      const known = this.pool.get(address.key) !== undefined;
      if (this.pool.add(now, address, source, { trusted }) && !known) added++;
    }
    if (added > 0) this.#wake();
    return added;
  }

  /** Once a second. */
  tick(now: number): void {
    if (this.sessions.size > 0) {
      for (const session of this.sessions) {
        session.tick(now);
        if (!session.closed && this.fetching) session.refill(now);
      }
      if (now >= this.#rechokeAt) this.rechoke(now);
    }
    if (now >= this.#saveAt && this.#moved !== this.#savedMark) {
      this.#saveAt = now + SAVE_INTERVAL;
      void this.#save();
    }
    if (this.state === "seeding") this.#checkSeedingGoals();
  }

  rechoke(now: number): void {
    this.#rechokeAt = now + rechokeInterval;
    if (this.sessions.size === 0) return;
    const peers = [...this.sessions].map((session) => ({
      session,
      key: String(session.key),
      interested: session.machine.peerInterested && this.#serves,
      snubbed: session.snubbed,
      down: session.down.rate(now),
      up: session.up.rate(now),
      connectedAt: session.connectedAt,
      unchokedSince: session.unchokedSince,
      sentSinceUnchoke: session.sentSinceUnchoke,
    }));
    const chosen = this.#choker.rechoke(now, peers, {
      slots: this.unchokeShare,
      seeding: this.uploadOnly,
    });
    for (const peer of peers) peer.session.setChoking(!chosen.has(peer), now);
  }

  /** How many peers want something of us: the claim on upload slots. */
  get interestedPeers(): number {
    let count = 0;
    for (const session of this.sessions) if (session.machine.peerInterested) count++;
    return count;
  }

  sessionClosed(session: PeerSession, reason: Error): void {
    if (!this.sessions.delete(session)) return;
    const now = this.clock.now();
    this.picker?.removeSource(session.machine.peerPieces);
    this.picker?.forget(session.key);
    // A peer that broke the protocol would do so again; one that merely left may be back.
    const retry = reason instanceof ProtocolError ? false : undefined;
    this.pool.closed(now, session.address.key, { worked: true, useful: session.useful, retry });
    this.#kernel.tell(peerClosed, { ...this.#peerEvent(session), reason: reason.message });
    if (!session.machine.amChoking) this.#rechokeAt = now;
  }

  // What is known of it.

  snapshot(now: number): SwarmSnapshot {
    const { record, shape } = this;
    const { uploaded, downloaded, wasted } = this.statistics;
    const length = shape?.length ?? 0;
    const done = this.#doneBytes();
    const wanted = this.#wantedBytes();
    const wantedDone = Math.min(wanted, this.#wantedDoneBytes());
    const down = this.down.rate(now);
    let seeds = 0;
    for (const session of this.sessions) if (session.complete) seeds++;
    return {
      id: this.id.key,
      name: this.name,
      state: this.state,
      error: this.error,
      origin: record.origin,
      path: record.path,
      private: this.private,
      sequential: record.sequential,
      length,
      wanted,
      done,
      wantedDone,
      checked: this.#checked,
      pieces: shape?.pieceCount ?? 0,
      piecesDone: this.#progress?.have.count ?? 0,
      pieceLength: shape?.pieceLength ?? 0,
      down,
      up: this.up.rate(now),
      downloaded,
      uploaded,
      wasted,
      ratio: length > 0 ? uploaded / length : 0,
      eta: this.fetching && down > 0 ? Math.round((wanted - wantedDone) / down * 1000) : undefined,
      connected: this.sessions.size,
      candidates: this.pool.size,
      seeds,
      trackers: this.#announcer.statuses(),
    };
  }

  detail(now: number): SwarmDetail {
    const { shape } = this;
    return {
      ...this.snapshot(now),
      files: (shape?.files ?? []).map((file, index) => ({
        path: [...(shape!.multi ? [shape!.name] : []), ...file.path].join("/"),
        length: file.length,
        done: this.#progress?.fileProgress(index) ?? 0,
        priority: this.#priorities[index] ?? NORMAL_PRIORITY,
      })),
      peers: [...this.sessions].map((session) => session.snapshot(now)),
      bitfield: toHex(this.#progress?.have.bytes ?? new Uint8Array(0)),
      availability: this.picker?.availability() ?? [],
    };
  }

  // Inside.

  #demand(): ConstructorParameters<typeof Discovery>[1] {
    return {
      id: this.id,
      wanted: () => Math.max(0, this.wantedPeers - this.pool.candidates(this.clock.now())),
      admit: (source, candidates) => this.admit(source, candidates),
    };
  }

  /** Asks plugins for the metadata until one brings bytes whose hash is right. */
  async #resolve(signal: AbortSignal): Promise<Info> {
    const { bus } = this.#kernel;
    if (!bus.observers(resolveMetadata)) {
      throw new Error("Cannot fetch the metadata of a magnet: no plugin provides it; add the .torrent file instead");
    }
    const raw = await bus.first(resolveMetadata, { id: this.id }, signal);
    if (!raw) throw new Error("Cannot fetch the metadata: no plugin found it");
    if (this.id.v1 && !bytesEqual(sha1(raw), this.id.v1.bytes)) {
      throw new Error("Cannot use the metadata that a plugin brought: its hash is not the magnet's");
    }
    return parseInfo(raw);
  }

  #learn(info: Info): void {
    this.shape = info;
    this.name = info.name;
    if (info.private) {
      // Only now it shows: what it must not have is taken back.
      this.#discovery.stop();
      this.#extensionsOf = undefined;
      for (const session of this.sessions) session.renewExtensions();
    }
    // Kept as a .torrent, so that a restart needs no second fetch.
    void this.#change({ source: encodeMetainfo({ info: info.raw, announce: this.#tiers }) });
  }

  async #openStore(signal: AbortSignal, existing = this.#existing): Promise<void> {
    const info = this.shape!;
    const { host, memory, state } = this.#kernel;
    this.#become("checking");
    const priorities = this.#priorities = this.#filePriorities(info);
    const store = await openPieceStore({
      clock: host.clock,
      disk: host.disk,
      layout: sha1Layout(info),
      path: this.record.path,
      partFile: this.#partFile,
      memory,
      records: state.pieces(this.id.key),
      wanted: this.#wantedFiles(),
      events: this.#storeEvents(),
      log: (text) => this.#kernel.log.warn(text),
    });
    if (signal.aborted) return store.close();
    this.store = store;
    // Other files became wanted while it opened.
    if (this.#priorities !== priorities) await store.select(this.#wantedFiles());
    // Files that nobody knows anything about: somebody put them there, and they may be right.
    const unknown = existing === "resume" && store.have.empty && await store.hasData();
    if (existing === "trust") await store.trust();
    else if (existing === "check" || unknown) {
      this.#checked = 0;
      await store.check((pieces) => this.#checked = pieces / info.pieceCount, signal);
      this.#checked = undefined;
    }
    if (signal.aborted) return;
    this.picker = new Picker(info, store.have, this.random);
    this.picker.sequential = this.record.sequential;
    this.picker.setPriorities(this.#piecePriorities());
    for (const session of [...this.sessions]) session.learnShape(info, store.have);
  }

  /** Downloading or seeding, by what is there. */
  #settle(): void {
    const complete = this.picker!.wantedCount === 0;
    if (complete === (this.state === "seeding") && this.fetching === !complete) return;
    this.#become(complete ? "seeding" : "downloading");
    this.#refresh();
  }

  #remember({ key, address }: PeerSession): void {
    this.#contributors.set(key, address);
    if (this.#contributors.size > MAX_CONTRIBUTORS) {
      this.#contributors.delete(this.#contributors.keys().next().value!);
    }
  }

  /** Interest, requests and slots anew, after the state or the wishes changed. */
  #refresh(): void {
    const now = this.clock.now();
    for (const session of this.sessions) {
      session.updateInterest();
      session.refill(now);
      session.flush();
    }
    this.rechoke(now);
  }

  /** Looks for peers: announces and asks discovery plugins, unless the swarm is private. */
  #meet(): void {
    if (this.#stopped) return;
    this.#announcer.start();
    if (!this.private) this.#discovery.start();
    for (const address of this.record.peers) void this.#addNamed(address);
  }

  /** Lets its trackers be on loopback and private addresses, if the user said so. */
  #allowTrackers(): void {
    this.#grants.dispose();
    this.#grants = new DisposableStack();
    if (!this.record.allowLocal) return;
    for (const text of new Set([...this.#tiers.flat(), ...this.record.trackers])) {
      if (!URL.canParse(text)) continue;
      const { hostname, port, protocol } = new URL(text);
      this.#grants.use(this.#kernel.egress.grant(`${hostname}:${port || (protocol === "https:" ? 443 : 80)}`));
    }
  }

  async #addNamed(text: string): Promise<void> {
    try {
      await this.addPeers([text]);
    } catch (error) {
      this.#kernel.log.warn(message(error));
    }
  }

  /** Adds peers that the user named, as `host:port`. */
  async addPeers(texts: readonly string[]): Promise<void> {
    const addresses: PeerAddress[] = [];
    for (const text of texts) addresses.push(...await resolveNamed(this.#kernel.host.net, text));
    await this.admit("user", addresses.map((address) => ({ address })), true);
  }

  /** No more peers: closes sessions, announces `stopped`, saves and closes the store. */
  async #rest(reason: Error): Promise<void> {
    this.#abort.abort(reason);
    this.#retry?.cancel();
    this.#discovery.stop();
    for (const session of [...this.sessions]) session.close(reason);
    // Trackers are told what there is before the store is gone.
    const told = this.#announcer.stop();
    const store = this.store;
    this.#rested = store ?? this.#rested;
    this.store = this.picker = undefined;
    const closed = store?.close().catch((error) => {
      this.#kernel.log.warn(`Cannot save all of "${this.name}": ${message(error)}`);
    });
    await Promise.all([told, closed]);
    await this.#save();
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #begin(shaken: ShakenPeer, peer: PoolPeer, incoming: boolean): void {
    const { stream, handshake } = shaken;
    const refuse = (why: string): void => {
      stream.close(new PeerClosed(why));
      this.pool.closed(this.clock.now(), peer.address.key, { worked: true, useful: false });
    };
    if (!this.active) return refuse("the swarm does not want peers now");
    if (bytesEqual(handshake.peerId, this.peerId)) {
      this.pool.ban(peer.address.key, "this is ourselves");
      return refuse("this is ourselves");
    }
    const twin = this.#twinOf(handshake.peerId);
    if (twin) {
      // Both sides must close the same one of two connections: the one that the greater id dialed stays.
      const keepDialed = toHex(this.peerId) > toHex(handshake.peerId);
      if (twin.origin.incoming === incoming || keepDialed === incoming) return refuse("connected to this peer already");
      twin.close(new PeerClosed("connected to this peer twice"));
    }
    this.pool.connected(peer.address.key, { transport: shaken.transport });
    const session = new PeerSession(this, {
      stream,
      address: peer.address,
      peerId: handshake.peerId,
      incoming,
      transport: shaken.transport,
      encryption: shaken.encryption,
      source: [...peer.sources][0] ?? "incoming",
      fast: handshake.fast,
      extended: handshake.extended,
    });
    this.sessions.add(session);
    this.picker?.addSource(session.machine.peerPieces);
    session.start();
    if (handshake.fast && this.shape && this.state === "downloading" || this.state === "seeding") {
      this.#allowFast(session);
    }
    this.#kernel.tell(peerConnected, this.#peerEvent(session));
  }

  #allowFast(session: PeerSession): void {
    const info = this.shape;
    if (!info || !session.machine.fast) return;
    for (const piece of allowedFastSet(session.address, this.id.wireIds[0].bytes, info.pieceCount)) {
      if (this.store?.have.has(piece)) session.machine.sendAllowedFast(piece);
    }
    session.flush();
  }

  #twinOf(peerId: Uint8Array): PeerSession | undefined {
    for (const session of this.sessions) if (bytesEqual(session.origin.peerId, peerId)) return session;
    return undefined;
  }

  #onlySeeds(session: PeerSession): boolean {
    return this.state === "seeding" && session.complete;
  }

  /** Whether blocks are served. */
  get #serves(): boolean {
    return this.store !== undefined && (this.state === "downloading" || this.state === "seeding");
  }

  #storeEvents(): StoreEvents {
    return {
      pieceStored: (piece, wrong) => this.#stored(piece, wrong),
      pieceFailed: (piece) => this.#pieceFailed(piece),
      pieceLost: (piece) => this.#pieceLost(piece),
      failed: (error) => this.#fail(error),
      drained: () => {
        this.#drained?.resolve();
        this.#drained = undefined;
      },
    };
  }

  #stored(piece: number, wrong: readonly (readonly number[])[]): void {
    const { picker } = this;
    if (!picker) return;
    const wanted = picker.priority(piece) > 0;
    picker.stored(piece);
    for (const session of this.sessions) {
      if (session.has(piece)) {
        if (wanted) session.interesting--;
        session.updateInterest();
      } else session.machine.sendHave(piece);
      session.flush();
    }
    for (const key of this.#blame.proven(piece, wrong)) this.#ban(key, `sent wrong bytes of piece ${piece}`);
    this.#blame.drop(piece);
    this.#kernel.tell(pieceVerified, { ...this.#event(), piece });
    if (picker.wantedCount === 0 && this.state === "downloading") this.#complete();
  }

  #pieceFailed(piece: number): void {
    this.wasted(this.shape!.pieceSize(piece));
    this.#restartPiece(piece);
    const { ban, only } = this.#blame.failed(piece, blocksIn(this.shape!, piece));
    this.#kernel.tell(pieceFailed, { ...this.#event(), piece });
    if (only !== undefined) this.#ban(only, `piece ${piece}, which it alone sent, does not match its hash`);
    for (const key of ban) this.#ban(key, "took part in too many failed pieces");
    const now = this.clock.now();
    for (const session of this.sessions) session.refill(now);
  }

  #pieceLost(piece: number): void {
    if (!this.picker) return;
    this.#restartPiece(piece);
    // A file that is cut loses many at once: what is wanted is counted anew after the last.
    if (!this.#losing) queueMicrotask(() => this.#countLost());
    this.#losing = true;
  }

  #countLost(): void {
    this.#losing = false;
    const { picker } = this;
    if (!picker) return;
    picker.reset();
    this.#reconsider();
  }

  /** What is wanted changed: of whom something is wanted, and whether it is complete. */
  #reconsider(): void {
    const { picker } = this;
    if (!picker) return;
    for (const session of this.sessions) session.interesting = picker.interesting(session.machine.peerPieces);
    if (this.state !== "downloading" && this.state !== "seeding") return;
    this.#settle();
    this.#refresh();
  }

  #restartPiece(piece: number): void {
    this.picker?.lost(piece);
    for (const session of this.sessions) session.machine.restartPiece(piece);
  }

  #ban(key: number, why: string): void {
    // Who left before the proof is banned all the same.
    const present = [...this.sessions].find((session) => session.key === key);
    const address = present?.address ?? this.#contributors.get(key);
    if (!address) return;
    this.#contributors.delete(key);
    this.#kernel.log.info(`Banned ${address.key} from "${this.name}": it ${why}`);
    this.pool.ban(banTarget(address), why);
    present?.close(new ProtocolError(`Banned: it ${why}`));
  }

  #complete(): void {
    this.#settle();
    // Trackers count downloads of the whole, not of a selection.
    if (this.left === 0) this.#announcer.completed();
    this.#kernel.tell(swarmCompleted, this.#event());
    for (const session of [...this.sessions]) {
      if (this.#onlySeeds(session)) session.close(new PeerClosed("both sides have everything"));
      else session.renewExtensions();
    }
  }

  #checkSeedingGoals(): void {
    const { limits } = this.record;
    const ratio = limits?.ratio ?? this.#kernel.limits.ratio;
    const seedTime = limits?.seedTime ?? this.#kernel.limits.seedTime;
    const length = this.shape?.length ?? 0;
    const { uploaded } = this.statistics;
    const enough = ratio !== undefined && length > 0 && uploaded >= ratio * length;
    const longEnough = seedTime !== undefined && this.statistics.seedTime >= seedTime;
    if (!enough && !longEnough) return;
    this.#become("finished");
    void this.#rest(new PeerClosed("the swarm reached its seeding goal"));
  }

  #fail(error: unknown): void {
    this.error = message(error);
    this.#become("failed");
    this.#discovery.stop();
    for (const session of [...this.sessions]) session.close(new PeerClosed("the swarm failed"));
    this.#drained?.resolve();
    this.#drained = undefined;
    this.#retry?.cancel();
    if (!this.store) void this.#announcer.stop();
    if (!this.store || this.#stopped) return;
    this.#retry = this.clock.after(RETRY_INTERVAL, () => void this.#tryAgain());
  }

  async #tryAgain(): Promise<void> {
    try {
      await this.store?.retry();
    } catch (error) {
      return this.#fail(error);
    }
    if (this.state !== "failed" || !this.picker) return;
    this.picker.reset();
    this.#settle();
    this.#meet();
  }

  #become(state: SwarmState): void {
    if (state !== "failed") this.error = undefined;
    if (state === this.state && state !== "failed") return;
    const now = this.clock.now();
    if (this.#seedingSince !== undefined) this.#seedTime += now - this.#seedingSince;
    this.#seedingSince = state === "seeding" ? now : undefined;
    this.state = state;
    this.#kernel.tell(swarmState, { ...this.#event(), state, error: this.error });
  }

  get #partFile(): string {
    return `${this.record.path}/.weft/${this.id.key}.parts`;
  }

  #applyRates(): void {
    const { limits } = this.record;
    this.downLimit.rate = lower(limits?.down, this.#rateShares.down);
    this.upLimit.rate = lower(limits?.up, this.#rateShares.up);
  }

  #filePriorities({ files }: Info): number[] {
    const { select, priorities } = this.record;
    return files.map((_, index) => priorities?.[index] ?? (!select || select.includes(index) ? NORMAL_PRIORITY : 0));
  }

  #wantedFiles(): boolean[] {
    return this.#priorities.map((priority) => priority > 0);
  }

  #piecePriorities(): Uint8Array {
    const info = this.shape!;
    const priorities = new Uint8Array(info.pieceCount);
    info.files.forEach((file, index) => {
      if (file.pad || file.length === 0) return;
      const first = Math.floor(file.offset / info.pieceLength);
      const last = Math.floor((file.offset + file.length - 1) / info.pieceLength);
      for (let piece = first; piece <= last; piece++) {
        priorities[piece] = Math.max(priorities[piece], this.#priorities[index]);
      }
    });
    return priorities;
  }

  #doneBytes(): number {
    const { shape } = this;
    const have = this.#progress?.have;
    if (!shape || !have || have.empty) return 0;
    const last = shape.pieceCount - 1;
    const short = have.has(last) ? shape.pieceLength - shape.pieceSize(last) : 0;
    return have.count * shape.pieceLength - short;
  }

  #wantedBytes(): number {
    const files = this.shape?.files ?? [];
    if (this.#priorities.length !== files.length) return this.shape?.length ?? 0;
    return files.reduce((sum, file, i) => this.#priorities[i] > 0 ? sum + file.length : sum, 0);
  }

  #wantedDoneBytes(): number {
    const { shape } = this;
    const progress = this.#progress;
    if (!shape || !progress) return 0;
    if (this.#priorities.every((priority) => priority > 0)) return this.#doneBytes();
    return shape.files.reduce((sum, _, i) => this.#priorities[i] > 0 ? sum + progress.fileProgress(i) : sum, 0);
  }

  /** What there is of it: as the store says, or said last while the swarm rests. */
  get #progress(): Pick<PieceStore, "have" | "fileProgress"> | undefined {
    return this.store ?? this.#rested;
  }

  /** Sums over its whole life. */
  get statistics(): SwarmStatistics {
    const { record } = this;
    const seeding = this.#seedingSince === undefined ? 0 : this.clock.now() - this.#seedingSince;
    return {
      uploaded: record.uploaded + this.up.total,
      downloaded: record.downloaded + this.down.total,
      wasted: record.wasted + this.#wasted,
      seedTime: record.seedTime + this.#seedTime + seeding,
      completed: record.completed,
    };
  }

  get #moved(): number {
    return this.down.total + this.up.total + this.#wasted + this.#seedTime;
  }

  async #change(change: Partial<SwarmRecord>): Promise<void> {
    this.record = { ...this.record, ...change };
    await this.#saving(() => this.#kernel.state.saveSwarm(this.record));
  }

  async #save(): Promise<void> {
    this.#savedMark = this.#moved;
    await this.#saving(() => this.#kernel.state.saveStatistics(this.id.key, this.statistics));
  }

  async #saving(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#kernel.log.warn(`Cannot save the state of "${this.name}": ${message(error)}`);
    }
  }

  #event(): { id: TorrentId; name: string } {
    return { id: this.id, name: this.name };
  }

  #peerEvent(session: PeerSession): {
    id: TorrentId;
    name: string;
    address: PeerAddress;
    incoming: boolean;
    transport: string;
  } {
    const { address, origin: { incoming, transport } } = session;
    return { ...this.#event(), address, incoming, transport };
  }
}

/** Plugins may yield anything. */
function isCandidate(candidate: PeerCandidate): boolean {
  const { namedBy, address: { ip, port, key } = {} } = candidate ?? {};
  if (namedBy !== undefined && typeof namedBy !== "string") return false;
  return typeof ip === "string" && typeof key === "string" && parseIp(ip)?.text === ip && Number(port) > 0;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whom to ban for a peer's deed: its IP on the internet; on a LAN or behind one address, where many live, only itself. */
function banTarget({ ip, key }: PeerAddress): string {
  return ipScope(ip) === "public" ? ip : key;
}

/** The lower of two limits, either of which may not be there. */
function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? a ?? b : Math.min(a, b);
}
