/**
 * One torrent's life: from the metadata through checking and downloading to seeding. Its peers are in
 * {@link SwarmPeers}, its pieces in {@link SwarmPieces}, what is kept of it in {@link Ledger}.
 *
 * @module
 */
import {
  type Clock,
  CommandError,
  type ConnectedPeer,
  dhtNodeNamed,
  dhtService,
  type EgressGrant,
  errorText,
  type HoldRequest,
  holdSwarm,
  PluginError,
  type StreamSecurity,
  streamSecurity,
  swarmCompleted,
  type SwarmEvent,
  type SwarmFile,
  type SwarmLimits,
  type SwarmState,
  swarmState,
  type Timer,
  trackerClients,
  type TrackerStatus,
  trackerStatus,
  type UpdateSwarm,
  wireExtensions,
} from "../api/mod.ts";
import {
  deleteFiles,
  heldByOthers,
  type Holder,
  ObstacleError,
  ownFiles,
  type PieceStore,
  sha1Layout,
  type SwarmRecord,
} from "../store/mod.ts";
import { encodeMetainfo, type Info, type PeerAddress, type TorrentId } from "../wire/mod.ts";
import { Announcer } from "./trackers/announcer.ts";
import { Discovery } from "./discovery.ts";
import type { Kernel } from "./kernel.ts";
import { Ledger } from "./ledger.ts";
import { MetadataQuest } from "./metadata.ts";
import { createPeerId } from "./peer_id.ts";
import { PeerClosed, PeerSession } from "./session/session.ts";
import { FileReaders, type ReadersSwarm } from "./pieces/file_reader.ts";
import type { BlockSource, Picker } from "./pieces/picker.ts";
import { MAX_PRIORITY } from "./pieces/piece_order.ts";
import { RateLimiter } from "./rate_limit.ts";
import { doneBytes, NORMAL_PRIORITY, Selection, selectionProblem } from "./pieces/selection.ts";
import type { ProvidedExtension } from "./session/extensions.ts";
import { type PeersSwarm, SwarmPeers } from "./peers/peers.ts";
import { IncompleteError, type PiecesSwarm, SwarmPieces } from "./pieces/pieces.ts";
import type { Source } from "./pieces/source.ts";
import { type NamedSource, type SourcesSwarm, SwarmSources } from "./pieces/sources.ts";
import { TrackerGrants } from "./trackers/grants.ts";

/** What a swarm begins with. */
export interface SwarmOptions {
  readonly record: SwarmRecord;
  readonly id: TorrentId;
  readonly name: string;
  /** Undefined for a magnet. */
  readonly info?: Info;
  readonly tiers: readonly (readonly string[])[];
  /** Sources of blocks that it names, such as web seeds. */
  readonly sources: readonly NamedSource[];
  /** DHT nodes that its torrent names, as `host:port`. */
  readonly nodes: readonly string[];
  /** What to do with data that is there: see AddSwarm. */
  readonly existing: "resume" | "check" | "trust";
  /** It may overwrite files that aren't its own. */
  readonly force: boolean;
  /** Every swarm of the runtime: they may share files. */
  all(): Iterable<Swarm>;
  /** It has something to do: {@link Swarm.idleUntil} may have changed. */
  wake(): void;
}

// A failed disk is tried again so often (ms).
const RETRY_INTERVAL = 30_000;
// A goal that is this far off (ms) is another than the one that was reached.
const GOAL_MARGIN = 1_000;

export class Swarm implements PeersSwarm, PiecesSwarm, SourcesSwarm, ReadersSwarm {
  readonly id: TorrentId;
  readonly peerId: Uint8Array;
  readonly peers: SwarmPeers;
  readonly pieces: SwarmPieces;
  readonly sources: SwarmSources;
  readonly readers: FileReaders;
  readonly namedSources: readonly NamedSource[];
  readonly ledger: Ledger;
  readonly downLimit: RateLimiter;
  readonly upLimit: RateLimiter;
  readonly nodes: readonly string[];
  readonly wake: () => void;
  name: string;
  /** Undefined while only a magnet is known. */
  shape: Info | undefined;
  selection: Selection | undefined;
  state: SwarmState = "paused";
  error: string | undefined;
  /** Why a plugin holds it. */
  held: string | undefined;
  /** The files that it failed for, since it may not overwrite them. */
  obstacles: readonly string[] | undefined;

  readonly #kernel: Kernel;
  readonly #announcer: Announcer;
  readonly #discovery: Discovery;
  readonly #metadata: MetadataQuest;
  readonly #tiers: readonly (readonly string[])[];
  #existing: SwarmOptions["existing"];
  /** Files that stand in its way may be overwritten when it next begins. */
  #force: boolean;
  readonly #all: SwarmOptions["all"];
  /** The next time it begins, all data is hashed. */
  #checkWanted = false;
  /** What it does and did: what comes next waits for it. */
  #life: Promise<void> = Promise.resolve();
  #abort = new AbortController();
  /** What the user allowed its trackers and web seeds. */
  readonly #grants: TrackerGrants;
  #rateShares: { readonly down?: number; readonly up?: number } = {};
  #retry: Timer | undefined;
  #begun = false;
  /** What it was about to do when it was held. */
  #heldFrom: HoldRequest["doing"] | undefined;
  /** It is looked at whether all that is wanted is there. */
  #confirming = false;
  #stopped = false;
  #extensions: readonly ProvidedExtension[] = [];
  /** The hook table that `#extensions` was read from. */
  #extensionsOf: unknown;

  constructor(kernel: Kernel, options: SwarmOptions) {
    const { clock, random } = kernel.host;
    this.#kernel = kernel;
    this.id = options.id;
    this.name = options.name;
    this.nodes = options.nodes;
    this.wake = options.wake;
    this.peerId = createPeerId(random);
    this.#tiers = options.tiers;
    this.#grants = new TrackerGrants(kernel.egress);
    this.#existing = options.existing;
    this.#force = options.force;
    this.#all = options.all;
    this.ledger = new Ledger(kernel.state, options.record, (error) => {
      kernel.log.warn(`Cannot save the state of "${this.name}": ${errorText(error)}`);
    });
    this.downLimit = new RateLimiter(options.record.limits?.down, kernel.downLimit);
    this.upLimit = new RateLimiter(options.record.limits?.up, kernel.upLimit);
    this.peers = new SwarmPeers(kernel, this);
    this.pieces = new SwarmPieces(kernel, this);
    this.sources = new SwarmSources(kernel, this);
    this.readers = new FileReaders(this);
    this.namedSources = options.sources;
    if (options.info) this.#shapeUp(options.info);
    this.#allowTrackers();
    this.#metadata = new MetadataQuest(kernel, options.id);
    this.#discovery = new Discovery(kernel, {
      id: this.id,
      wanted: () => Math.max(0, this.peers.wanted - this.peers.untried(clock.now())),
      admit: (source, candidates) => this.peers.admit(source, candidates),
    });
    this.#announcer = new Announcer({
      clock,
      random,
      id: this.id,
      tiers: options.tiers,
      client: (scheme) => kernel.bus.get(trackerClients, scheme, this),
      stats: () => ({
        uploaded: this.ledger.up.total,
        downloaded: this.ledger.down.total,
        left: this.left,
        wanted: this.peers.wanted,
        port: kernel.listenPort,
        encryption: strictest(kernel.bus.values(streamSecurity).map(({ value }) => value?.policy)),
      }),
      peerId: this.peerId,
      key: random.below(2 ** 32),
      onPeers: (peers, { url, from }) =>
        void this.peers.admit(`tracker:${hostOf(url)}`, peers.map((address) => ({ address, namedBy: from }))),
      grant: this.grant,
      onExternalIp: (ip, from) => this.seenAs(ip, from ?? ""),
      onStatus: (status) => kernel.tell(trackerStatus, { ...this.#event(), status }),
    });
  }

  get record(): SwarmRecord {
    return this.ledger.record;
  }

  get private(): boolean {
    return this.shape?.private ?? false;
  }

  /** Bytes still to fetch; 1 while that isn't known. */
  get left(): number {
    const { progress } = this.pieces;
    if (!this.shape) return 1;
    return this.shape.length - (progress ? doneBytes(this.shape, progress) : 0);
  }

  get trackers(): readonly TrackerStatus[] {
    return this.#announcer.statuses();
  }

  /** Peers are welcome. */
  get active(): boolean {
    return !this.#stopped && (this.fetching || this.uploadOnly || this.state === "metadata");
  }

  get serves(): boolean {
    return this.store !== undefined && (this.fetching || this.uploadOnly);
  }

  get fetching(): boolean {
    return this.state === "downloading";
  }

  get uploadOnly(): boolean {
    return this.state === "seeding";
  }

  /** Aborts when the swarm rests. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  // Its life.

  /** Begins, unless it has, or is paused. Problems become its state. */
  start(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#life = this.#begin(this.signal);
  }

  /** Stops: says `stopped` to trackers, closes peers, saves, and lets go of the files. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#restart(new PeerClosed("this client stops"));
    this.#grants.revoke();
  }

  /** Pauses or resumes. Resolves when what it did has ended; what it does then goes on. */
  async setPaused(paused: boolean): Promise<void> {
    if (this.record.paused === paused) return;
    const saved = this.ledger.change({ paused });
    if (paused) this.#become("paused");
    await Promise.all([saved, this.#restart(new PeerClosed("the swarm is paused"))]);
  }

  /** Asks anew whether it may run, and does as it is told. */
  async review(): Promise<void> {
    const doing = this.#doing;
    if (!doing) return;
    const { signal } = this;
    const held = await this.#mayNot(doing, signal).catch(() => this.held);
    // Something else began meanwhile, and asked by itself.
    if (signal.aborted || this.#doing !== doing || held === this.held) return;
    if (held !== undefined && this.held !== undefined) this.held = held;
    else await this.#restart(new PeerClosed(held === undefined ? "it may go on" : `it is held: ${held}`));
  }

  /** Begins to hash all data again, also of a paused swarm. */
  recheck(): void {
    if (!this.shape) throw new CommandError(`Cannot check "${this.name}": its metadata is not known yet`);
    this.#checkWanted = true;
    this.#become("checking");
    void this.#restart(new PeerClosed("the swarm checks its files"));
  }

  /** Once a second. */
  tick(now: number): void {
    this.peers.tick(now);
    this.ledger.tick(now);
    if (this.state === "seeding" && this.#reachedGoal(now)) {
      this.#become("finished");
      void this.#end(new PeerClosed("the swarm reached its seeding goal"));
    } else if (this.state === "finished" && !this.#reachedGoal(now, GOAL_MARGIN)) {
      this.#become("checking");
      void this.#restart(new PeerClosed("the swarm has another seeding goal"));
    }
  }

  /** When it next has something to do, if nothing happens to it before; `now` or less while it has. */
  idleUntil(now: number): number {
    if (this.ledger.unsaved) return now;
    return Math.min(this.peers.idleUntil(now), this.state === "seeding" ? this.#goalAt(now) : Infinity);
  }

  /**
   * The files that it wrote or has pieces in, but for those that another swarm has as well, to be deleted by the function
   * that it resolves to. Call it after {@link Swarm.stop}, and while the state still has its records.
   */
  async data(): Promise<{ delete(): Promise<void> }> {
    const { holder } = this;
    const { disk } = this.#kernel.host;
    const files = holder ? await ownFiles(disk, holder) : [];
    const held = holder ? await heldByOthers(disk, holder, files, this.#otherHolders()) : new Set();
    return {
      delete: async () => {
        if (holder) await deleteFiles(disk, holder, files.filter((file) => !held.has(file)));
      },
    };
  }

  /** Begins anew, and may overwrite the files that stand in its way. */
  async overwrite(): Promise<void> {
    this.#force = true;
    this.#become("checking");
    await this.#restart(new PeerClosed("the swarm may overwrite files"));
  }

  // What the user wishes.

  async setLimits(limits: SwarmLimits): Promise<void> {
    await this.ledger.change({ limits: { ...this.record.limits, ...limits } });
    this.#applyRates();
    this.wake();
  }

  /** Its share of the runtime's limits, bytes per second; undefined where there are none. */
  shareRates(down: number | undefined, up: number | undefined): void {
    this.#rateShares = { down, up };
    this.#applyRates();
  }

  async setSequential(sequential: boolean): Promise<void> {
    await this.ledger.change({ sequential });
    if (this.pieces.picker) this.pieces.picker.sequential = sequential;
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
    await this.ledger.change({ priorities: { ...this.record.priorities, ...priorities } });
    if (!this.shape) return;
    this.selection = new Selection(this.shape, this.record);
    await this.pieces.select(this.selection);
    // What was selected before may have been nothing that is there.
    if (this.state === "failed" && !this.store) void this.#restart(new PeerClosed("other files are wanted"));
    this.progressed();
  }

  /** Opens a file for reading, and wants it from now on. */
  async openFile(index: number): Promise<SwarmFile> {
    if (!this.shape) throw new CommandError(`Cannot open a file of "${this.name}": its metadata is not known yet`);
    const file = this.shape.files[index];
    if (!file || file.pad) throw new CommandError(`Cannot open file ${index}: "${this.name}" has no such file`);
    if (this.selection!.priorities[index] === 0) await this.setPriorities({ [index]: NORMAL_PRIORITY });
    return this.readers.open(index);
  }

  /** The priorities that select just these files. */
  prioritiesOf(indexes: readonly number[]): Record<number, number> {
    if (!this.shape) throw new CommandError(`Cannot select files of "${this.name}": its metadata is not known yet`);
    const count = this.shape.files.length;
    const problem = selectionProblem(indexes, count);
    if (problem) throw new CommandError(`Cannot select files of "${this.name}": ${problem}`);
    const selected = new Set(indexes);
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [i, selected.has(i) ? NORMAL_PRIORITY : 0]));
  }

  /** Adds trackers to those that it has, and says whether all may be on loopback and private addresses. */
  async setTrackers({ trackers: added = [], allowLocal = this.record.allowLocal }: UpdateSwarm): Promise<void> {
    const sooner = allowLocal && !this.record.allowLocal;
    await this.ledger.change({ trackers: [...new Set([...this.record.trackers, ...added])], allowLocal });
    this.#allowTrackers();
    for (const url of added) this.#announcer.addTracker(url);
    if (sooner) this.#announcer.announceNow();
  }

  announceNow(): void {
    this.#announcer.announceNow();
  }

  /** The plugins changed: other tracker clients, other extensions, others who bring metadata. */
  pluginsChanged(): void {
    this.#announcer.clientsChanged();
    if (this.fetching) this.sources.start();
    void this.review();
    this.#discovery.renew();
    this.peers.pluginsChanged();
    this.peers.renewExtensions();
    if (this.state === "metadata") this.#metadata.renew();
    else if (this.state === "failed" && !this.shape) void this.#restart(new PeerClosed("the plugins changed"));
  }

  // What its sessions, peers and pieces ask of it, and tell it.

  get clock(): Clock {
    return this.#kernel.host.clock;
  }

  get store(): PieceStore | undefined {
    return this.pieces.store;
  }

  get picker(): Picker | undefined {
    return this.pieces.picker;
  }

  get blockSources(): Iterable<BlockSource> {
    return this.pieces.blockSources;
  }

  get grant(): EgressGrant {
    return this.#grants.guard;
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

  get extensions(): readonly ProvidedExtension[] {
    const { bus } = this.#kernel;
    if (this.#extensionsOf !== bus.table) {
      this.#extensionsOf = bus.table;
      this.#extensions = bus.values(wireExtensions, this)
        .filter(({ value }) => !(this.private && value?.publicOnly))
        .map(({ key, plugin, value }) => ({ name: key, plugin, provided: value }));
    }
    return this.#extensions;
  }

  connectedPeers(): readonly ConnectedPeer[] {
    return this.peers.connected();
  }

  get metadata(): Uint8Array | undefined {
    return this.shape?.raw;
  }

  get holder(): Holder | undefined {
    if (!this.shape) return undefined;
    const { record, pieces: { partFile } } = this;
    const layout = sha1Layout(this.shape);
    const { path, followLinks } = record;
    return { layout, path, followLinks, partFile, records: this.#kernel.state.pieces(this.id.key) };
  }

  olderHolders(): Iterable<Holder> {
    return this.#otherHolders(({ record: { added, key } }) =>
      added < this.record.added || (added === this.record.added && key < this.record.key)
    );
  }

  *#otherHolders(suits: (swarm: Swarm) => boolean = () => true): Generator<Holder> {
    for (const swarm of this.#all()) {
      if (swarm !== this && swarm.holder && suits(swarm)) yield swarm.holder;
    }
  }

  dialNow(plugin: string, address: PeerAddress, transport: string, namedBy: string): void {
    if (!this.private) void this.peers.dialNow(plugin, { address, namedBy }, transport);
  }

  found(plugin: string, addresses: readonly PeerAddress[], namedBy: string): void {
    // Of a private swarm only its trackers name peers (BEP 27), whatever a plugin does.
    if (this.private) return;
    void this.peers.admit(plugin, addresses.map((address) => ({ address, namedBy })));
  }

  /** The UDP port of the DHT node that peers are told of, 0 without one. */
  get dhtPort(): number {
    return this.private ? 0 : this.#kernel.bus.values(dhtService).find(({ value }) => value?.port > 0)?.value.port ?? 0;
  }

  seenAs(ip: string, witness: string): void {
    this.peers.seenAs(ip, witness);
  }

  dhtNode(address: PeerAddress): void {
    if (!this.private) this.#kernel.bus.emit(dhtNodeNamed, { address });
  }

  deadlinesChanged(): void {
    const now = this.clock.now();
    for (const session of this.peers.sessions) session.refill(now);
    this.sources.look();
  }

  drained(): Promise<void> {
    return this.pieces.drained();
  }

  blockBegan(source: PeerSession | Source, piece: number, block: number): void {
    if (source instanceof PeerSession && !source.useful) this.peers.contributes(source);
    this.pieces.blockBegan(source.key, piece, block);
  }

  downloaded(bytes: number, now: number): void {
    this.ledger.down.add(now, bytes);
  }

  uploaded(bytes: number, now: number): void {
    this.ledger.up.add(now, bytes);
  }

  extensionFailed(name: string, error: Error): void {
    const provided = this.#kernel.bus.table.values(wireExtensions).find(({ key }) => key === name);
    if (!provided) return;
    const failure = new PluginError(provided.plugin, wireExtensions.name, `${name}: ${error.message}`, {
      cause: error,
    });
    this.#kernel.log.warn(failure.message);
    provided.owner.failed(failure);
  }

  wasted(bytes: number): void {
    this.ledger.wasted(bytes);
  }

  interestChanged(): void {
    this.peers.interestChanged(this.clock.now());
  }

  piecesChanged(session: PeerSession): void {
    this.peers.piecesChanged(session);
  }

  sessionClosed(session: PeerSession, reason: Error): void {
    this.peers.closed(session, reason);
  }

  /** Pieces came or went, or other ones are wanted. */
  progressed(): void {
    if (!this.serves || !this.picker) return;
    if (this.fetching && this.picker.wantedCount === 0) void this.#confirm();
    else this.#settle();
  }

  /** It can't go on: the reason is shown, and the disk tried again later. */
  failed(error: unknown): void {
    this.error = errorText(error);
    this.obstacles = error instanceof ObstacleError && !error.shared ? error.paths : undefined;
    this.#become("failed");
    this.#discovery.stop();
    this.sources.stop(new PeerClosed("the swarm failed"));
    this.peers.closeAll(new PeerClosed("the swarm failed"));
    this.pieces.release();
    this.#retry?.cancel();
    if (!this.store) void this.#announcer.stop();
    else if (!this.#stopped) this.#retry = this.clock.after(RETRY_INTERVAL, () => void this.#tryAgain());
  }

  /**
   * Ends what it does, and begins anew as is wished by then. One after another: a hasty command ends what the one
   * before began, and the last word counts. Resolves when what it did has ended.
   */
  #restart(reason: Error): Promise<void> {
    this.#begun = true;
    const rested = this.#end(reason);
    const { signal } = this.#abort = new AbortController();
    this.#life = rested.then(() => this.#begin(signal));
    return rested;
  }

  #end(reason: Error): Promise<void> {
    this.#abort.abort(reason);
    return this.#life = this.#life.then(() => this.#rest(reason));
  }

  /** Opens the store, checks what is there, and looks for peers, until `signal` aborts. Never rejects. */
  async #begin(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#stopped) return;
    if (this.record.paused && !this.#checkWanted) return await this.#idle();
    try {
      if (!this.shape) {
        if (await this.#isHeld("metadata", signal)) return;
        this.#become("metadata");
        this.#meet();
        const info = await this.#metadata.find(signal);
        if (signal.aborted) return;
        this.#learn(info);
      }
      this.#expectSelection();
      // A look at the records is no check: whether it downloads or seeds is known only after it.
      if ((this.#checkWanted || this.#existing === "check") && await this.#isHeld("checking", signal)) return;
      this.#become("checking");
      const existing = this.#checkWanted ? "check" : this.#existing;
      await this.pieces.open(this.shape!, this.selection!, { existing, force: this.#force }, signal);
      if (signal.aborted) return;
      this.#checkWanted = this.#force = false;
      this.#existing = "resume";
      if (this.record.paused) {
        this.#become("paused");
        return await this.#rest(new PeerClosed("the swarm is paused"));
      }
      if (await this.#isHeld(this.picker!.wantedCount > 0 ? "downloading" : "seeding", signal)) return;
      this.#settle();
      this.#meet();
    } catch (error) {
      if (signal.aborted) return;
      // It waits to be told what to do, rather than for the disk.
      if (error instanceof ObstacleError || error instanceof IncompleteError) await this.pieces.close();
      this.failed(error);
    }
  }

  /** A magnet's selection is looked at once its files are known. @throws {CommandError} when nothing of it is there */
  #expectSelection(): void {
    const { record: { select, priorities }, shape } = this;
    const problem = priorities ? undefined : selectionProblem(select, shape!.files.length);
    if (!problem) return;
    if (select!.every((index) => index >= shape!.files.length)) {
      throw new CommandError(`Cannot select files of "${this.name}": ${problem}`);
    }
    this.#kernel.log.warn(`Of "${this.name}" not all that was selected is there: ${problem}`);
  }

  /** What it does, or would do if it were not held; undefined where nobody may say anything about it. */
  get #doing(): HoldRequest["doing"] | undefined {
    if (this.#stopped || this.record.paused || !this.#begun) return undefined;
    if (this.state === "held") return this.#heldFrom;
    const works = this.state === "metadata" || this.state === "checking" || this.state === "downloading" ||
      this.state === "seeding";
    return works ? this.state as HoldRequest["doing"] : undefined;
  }

  /** Asks whether it may do that; it rests, with the reason, where it may not. */
  async #isHeld(doing: HoldRequest["doing"], signal: AbortSignal): Promise<boolean> {
    const held = await this.#mayNot(doing, signal);
    if (signal.aborted) return true;
    if (held === undefined) return false;
    this.held = held;
    this.#heldFrom = doing;
    this.#become("held");
    await this.#rest(new PeerClosed(`the swarm is held: ${held}`));
    await this.#recall();
    return true;
  }

  /** The reason why it may not do that now. */
  async #mayNot(doing: HoldRequest["doing"], signal: AbortSignal): Promise<string | undefined> {
    const { bus } = this.#kernel;
    if (!bus.observers(holdSwarm)) return undefined;
    const { shape, record: { path, added } } = this;
    const size = { length: shape?.length ?? 0, left: shape ? this.left : 0 };
    return await bus.first(holdSwarm, { ...this.#event(), doing, path, added, ...size }, signal);
  }

  /** Begins as one that is paused: only what it had is to be seen. */
  async #idle(): Promise<void> {
    this.#become("paused");
    await this.#recall();
  }

  /** What it had is known, also where its files weren't looked at. */
  async #recall(): Promise<void> {
    if (!this.shape || this.pieces.progress) return;
    await this.pieces.recall(this.shape).catch((error) => this.#kernel.log.warn(errorText(error)));
  }

  #learn(info: Info): void {
    this.#shapeUp(info);
    if (info.private) {
      // Only now it shows: what it must not have is taken back.
      this.#discovery.stop();
      this.#extensionsOf = undefined;
    }
    // Peers hear that there is metadata to be had now.
    this.peers.renewExtensions();
    // Kept as a .torrent, so that a restart needs no second fetch.
    const webSeeds = this.namedSources.filter(({ kind }) => kind === "url-list").map(({ url }) => url);
    void this.ledger.change({ source: encodeMetainfo({ info: info.raw, announce: this.#tiers, webSeeds }) });
  }

  #shapeUp(info: Info): void {
    this.shape = info;
    this.name = info.name;
    this.selection = new Selection(info, this.record);
  }

  /** Downloading or seeding, by what is there. */
  #settle(): void {
    if (this.record.readOnly && this.picker!.wantedCount > 0) {
      return void this.pieces.expectWhole().catch((error) => this.failed(error));
    }
    this.#become(this.picker!.wantedCount === 0 ? "seeding" : "downloading");
    if (this.fetching) this.sources.start();
    else this.sources.stop(new PeerClosed("all that is wanted is there"));
    this.peers.refresh();
  }

  /** All that is wanted was stored: before that is said, it is looked at whether it is there. */
  async #confirm(): Promise<void> {
    if (this.#confirming) return;
    this.#confirming = true;
    try {
      await this.pieces.confirm();
    } catch {
      return; // the store told it as a failure, or is closed
    } finally {
      this.#confirming = false;
    }
    if (!this.fetching || !this.picker) return;
    const complete = this.picker.wantedCount === 0;
    this.#settle();
    if (!complete) return;
    this.#complete();
    void this.review();
  }

  #complete(): void {
    // Trackers count downloads of the whole, not of a selection.
    if (this.left === 0) this.#announcer.completed();
    void this.ledger.completed(this.clock.wall(), this.clock.now());
    this.#kernel.tell(swarmCompleted, this.#event());
    this.peers.closeSeeds();
    this.peers.renewExtensions();
  }

  /** Looks for peers: announces and asks discovery plugins, unless the swarm is private. */
  #meet(): void {
    if (this.#stopped) return;
    this.#announcer.start();
    if (!this.private) this.#discovery.start();
    for (const address of this.record.peers) {
      this.peers.admitNamed([address]).catch((error) => this.#kernel.log.warn(errorText(error)));
    }
  }

  /** No more peers: closes sessions, announces `stopped`, saves and closes the store. */
  async #rest(reason: Error): Promise<void> {
    this.#retry?.cancel();
    this.#discovery.stop();
    this.sources.stop(reason);
    this.peers.closeAll(reason);
    // Trackers are told what there is before the store is gone.
    const told = this.#announcer.stop();
    const closed = this.pieces.close().catch((error) => {
      this.#kernel.log.warn(`Cannot save all of "${this.name}": ${errorText(error)}`);
    });
    await Promise.all([told, closed]);
    await this.ledger.save(this.clock.now());
  }

  async #tryAgain(): Promise<void> {
    try {
      await this.pieces.retry();
    } catch (error) {
      return this.failed(error);
    }
    if (this.state !== "failed") return;
    if (!this.picker) return void this.#restart(new PeerClosed("the swarm begins anew"));
    this.#settle();
    this.#meet();
  }

  /** Lets its trackers be on loopback and private addresses, if the user said so. */
  #allowTrackers(): void {
    const sources = this.namedSources.map(({ url }) => url);
    this.#grants.renew(this.record.allowLocal ? [...this.#tiers.flat(), ...this.record.trackers, ...sources] : []);
  }

  #reachedGoal(now: number, within = 0): boolean {
    const ratio = this.record.limits?.ratio ?? this.#kernel.limits.ratio ?? Infinity;
    const length = this.shape?.length ?? 0;
    return length > 0 && this.ledger.statistics(now).uploaded >= ratio * length ||
      this.#goalAt(now) <= now + within;
  }

  /** When it will have seeded for as long as is wished. */
  #goalAt(now: number): number {
    const seedTime = this.record.limits?.seedTime ?? this.#kernel.limits.seedTime ?? Infinity;
    return now + seedTime - this.ledger.statistics(now).seedTime;
  }

  #become(state: SwarmState): void {
    if (state !== "failed") this.error = this.obstacles = undefined;
    if (state !== "held") this.held = undefined;
    if (state === this.state && state !== "failed") return;
    this.ledger.seeding(state === "seeding", this.clock.now());
    this.state = state;
    this.wake();
    this.readers.wake();
    this.#kernel.tell(swarmState, { ...this.#event(), state, error: this.error, held: this.held });
  }

  #applyRates(): void {
    const { limits } = this.record;
    this.downLimit.rate = lower(limits?.down, this.#rateShares.down);
    this.upLimit.rate = lower(limits?.up, this.#rateShares.up);
  }

  #event(): SwarmEvent {
    return { id: this.id, name: this.name, private: this.private };
  }
}

function strictest(policies: readonly StreamSecurity["policy"][]): StreamSecurity["policy"] | undefined {
  return (["required", "supported"] as const).find((policy) => policies.includes(policy));
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** The lower of two limits, either of which may not be there. */
function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? a ?? b : Math.min(a, b);
}
