/**
 * The pieces of one swarm: the store that keeps them, the picker that chooses them, and what follows when one is
 * stored, wrong or lost.
 *
 * @module
 */
import { pieceFailed, pieceVerified, type TorrentId } from "../../api/mod.ts";
import {
  heldByOthers,
  type Holder,
  openPieceStore,
  type PieceStore,
  savedProgress,
  sha1Layout,
  type StoreEvents,
  type SwarmRecord,
} from "../../store/mod.ts";
import type { Info } from "../../wire/mod.ts";
import { Blame } from "./blame.ts";
import { blocksIn } from "./blocks.ts";
import type { Kernel } from "../kernel.ts";
import type { FileReaders } from "./file_reader.ts";
import { type BlockSource, Picker } from "./picker.ts";
import type { SwarmSources } from "./sources.ts";
import { PeerClosed } from "../session/session.ts";
import type { Selection } from "./selection.ts";
import type { SwarmPeers } from "../peers/peers.ts";

/** What the pieces need of their swarm. */
export interface PiecesSwarm {
  readonly id: TorrentId;
  readonly name: string;
  readonly record: SwarmRecord;
  readonly selection: Selection | undefined;
  readonly peers: SwarmPeers;
  readonly sources: SwarmSources;
  readonly readers: FileReaders;
  /** As its files' holder; undefined while its metadata isn't known. */
  readonly holder: Holder | undefined;
  /** Holders of the swarms that were added before this one. */
  olderHolders(): Iterable<Holder>;
  wasted(bytes: number): void;
  /** Pieces came or went: the swarm may be complete, or no longer. */
  progressed(): void;
  /** The disk refused. */
  failed(error: unknown): void;
}

/** Something that is wanted isn't there, and it may not be fetched: the swarm is there to seed alone. */
export class IncompleteError extends Error {
  override readonly name = "IncompleteError";
}

// Files named in an error: more would hide what to do.
const NAMED_FILES = 3;

export class SwarmPieces {
  store: PieceStore | undefined;
  picker: Picker | undefined;
  /** The share of a running check that is done, 0 to 1. */
  checked: number | undefined;
  /** All that blocks are asked of: sessions, and sources that are no peers. */
  readonly blockSources: Iterable<BlockSource> = { [Symbol.iterator]: () => this.#blockSources() };

  readonly #kernel: Kernel;
  readonly #swarm: PiecesSwarm;
  readonly #blame = new Blame();
  #info: Info | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  /** Pieces were lost, and what is wanted is not counted yet. */
  #losing = false;
  /** Among them such as peers were told of. */
  #broken = false;
  /** Settles when the store before is closed: two on the same files would undo each other's records. */
  #closing: Promise<void> | undefined;
  /** The store that was closed last, or what the records say. */
  #rested: Pick<PieceStore, "have" | "fileProgress"> | undefined;

  constructor(kernel: Kernel, swarm: PiecesSwarm) {
    this.#kernel = kernel;
    this.#swarm = swarm;
  }

  /** What there is: as the store says, or said last while the swarm rests. */
  get progress(): Pick<PieceStore, "have" | "fileProgress"> | undefined {
    return this.store ?? this.#rested;
  }

  /** Where bytes of unwanted files live. */
  get partFile(): string {
    return `${this.#swarm.record.path}/.weft/${this.#swarm.id.key}.parts`;
  }

  /**
   * Opens the store, and looks at what is there as `existing` and `force` say (see AddSwarm). An abort or an error leaves
   * it half open: close it.
   *
   * @throws {ObstacleError} when files stand in the way
   * @throws {IncompleteError} when the swarm is there to seed alone, and lacks something
   */
  async open(
    info: Info,
    selection: Selection,
    { existing, force }: { readonly existing: "resume" | "check" | "trust"; readonly force: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { host, memory, state, log } = this.#kernel;
    const { id, record, peers } = this.#swarm;
    await this.#closing;
    if (signal.aborted) return;
    const store = await openPieceStore({
      clock: host.clock,
      disk: host.disk,
      layout: sha1Layout(info),
      path: record.path,
      partFile: this.partFile,
      memory,
      records: state.pieces(id.key),
      wanted: selection.wantedFiles,
      readOnly: record.readOnly,
      followLinks: record.followLinks,
      events: this.#storeEvents(),
      log: (text) => log.warn(text),
    });
    if (signal.aborted) return this.#shut(store);
    this.#info = info;
    this.store = store;
    // Files that nobody knows anything about: somebody put them there, and they may be right.
    const unknown = existing === "resume" && !store.doubtful && await store.hasUnknownData();
    const progress = (pieces: number): void => void (this.checked = pieces / info.pieceCount);
    if (existing === "trust") await store.trust();
    else if (existing === "check" || unknown) await store.check(progress, signal);
    else if (store.doubtful) await store.look(progress, signal);
    this.checked = undefined;
    if (signal.aborted) return;
    const held = (paths: readonly string[]): Promise<ReadonlySet<string>> =>
      heldByOthers(host.disk, this.#swarm.holder!, paths, this.#swarm.olderHolders());
    if (!record.readOnly) await store.clearWay({ force, held });
    for (const text of store.oversize) log.warn(text);
    if (signal.aborted) return;
    // Other files may have become wanted while it opened.
    const wishes = this.#swarm.selection ?? selection;
    if (wishes !== selection) await store.select(wishes.wantedFiles);
    this.picker = new Picker(info, store.have, host.random);
    this.picker.sequential = record.sequential;
    this.picker.setPriorities(wishes.piecePriorities());
    if (record.readOnly) await this.expectWhole();
    this.#swarm.readers.renew();
    for (const session of [...peers.sessions]) session.learnShape(info, store.have);
  }

  /** Learns from the records what there is, without looking: what a swarm shows that doesn't begin. */
  async recall(info: Info): Promise<void> {
    const { state, host } = this.#kernel;
    const saved = await savedProgress(sha1Layout(info), state.pieces(this.#swarm.id.key), host.clock);
    this.#rested ??= saved;
  }

  /** Throws {@link IncompleteError}, which says what is wrong with which file, unless all that is wanted is there. */
  async expectWhole(): Promise<void> {
    const { picker, store } = this;
    if (!store || !picker || picker.wantedCount === 0) return;
    const lack = await store.describeLack();
    const more = lack.length > NAMED_FILES ? `, and ${lack.length - NAMED_FILES} more files` : "";
    throw new IncompleteError(
      `Cannot seed "${this.#swarm.name}": ${picker.wantedCount} of ${this.#info!.pieceCount} pieces are missing or ` +
        `differ: ${lack.slice(0, NAMED_FILES).join(", ")}${more}; complete them with "weft get"`,
    );
  }

  /** Flushes and closes the store; what was there stays known. */
  async close(): Promise<void> {
    const { store } = this;
    this.#rested = store ?? this.#rested;
    this.store = this.picker = undefined;
    this.checked = undefined;
    this.release();
    if (store) await this.#shut(store);
  }

  async #shut(store: PieceStore): Promise<void> {
    const closed = store.close();
    this.#closing = closed.catch(() => {});
    await closed;
  }

  /** Other files are wanted. */
  async select(selection: Selection): Promise<void> {
    await this.store?.select(selection.wantedFiles);
    this.picker?.setPriorities(selection.piecePriorities());
    this.#countInteresting();
    this.#swarm.sources.look();
  }

  /** Resolves when all that is wanted is surely there; what isn't is told as lost before. */
  async confirm(): Promise<void> {
    await this.store?.confirm();
  }

  /** Tries the disk again after it refused. */
  async retry(): Promise<void> {
    await this.store?.retry();
    this.picker?.reset();
  }

  /** Resolves when the store takes blocks again. */
  drained(): Promise<void> {
    return (this.#drained ??= Promise.withResolvers()).promise;
  }

  /** Lets those go who wait for the store. */
  release(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** Bytes of a block begin to come from the source with this key. */
  blockBegan(key: number, piece: number, block: number): void {
    this.#blame.record(piece, block, key);
  }

  #storeEvents(): StoreEvents {
    return {
      pieceStored: (piece, wrong) => this.#stored(piece, wrong),
      pieceFailed: (piece) => this.#failed(piece),
      pieceLost: (piece, had) => this.#lost(piece, had),
      failed: (error) => this.#swarm.failed(error),
      drained: () => this.release(),
    };
  }

  #stored(piece: number, wrong: readonly (readonly number[])[]): void {
    const { picker } = this;
    if (!picker) return;
    const { id, name, peers, readers } = this.#swarm;
    const wanted = picker.priority(piece) > 0;
    picker.stored(piece);
    readers.wake();
    for (const session of peers.sessions) session.pieceStored(piece, wanted);
    for (const key of this.#blame.proven(piece, wrong)) this.#ban(key, piece, `sent wrong bytes of piece ${piece}`);
    this.#blame.drop(piece);
    this.#kernel.tell(pieceVerified, { id, name, private: this.#info!.private, piece });
    if (picker.wantedCount === 0) this.#swarm.progressed();
  }

  #failed(piece: number): void {
    const { id, name, peers, sources } = this.#swarm;
    this.#swarm.wasted(this.#info!.pieceSize(piece));
    this.#restart(piece);
    const { ban, only } = this.#blame.failed(piece, blocksIn(this.#info!, piece));
    this.#kernel.tell(pieceFailed, { id, name, private: this.#info!.private, piece });
    if (only !== undefined) this.#ban(only, piece, `sent piece ${piece} alone, and it does not match its hash`);
    for (const key of ban) this.#ban(key, piece, "took part in too many failed pieces");
    sources.look();
    const now = this.#kernel.host.clock.now();
    for (const session of peers.sessions) session.refill(now);
  }

  #ban(key: number, piece: number, why: string): void {
    if (!this.#swarm.sources.lied(key, piece, why)) this.#swarm.peers.ban(key, why);
  }

  *#blockSources(): Iterator<BlockSource> {
    yield* this.#swarm.peers.sessions;
    yield* this.#swarm.sources;
  }

  #lost(piece: number, had: boolean): void {
    if (!this.picker) return;
    this.#broken ||= had;
    this.#restart(piece);
    // A file that is cut loses many at once: what is wanted is counted anew after the last.
    if (!this.#losing) queueMicrotask(() => this.#countLost());
    this.#losing = true;
  }

  #countLost(): void {
    this.#losing = false;
    if (!this.picker) return;
    this.picker.reset();
    // Who was told of pieces that are gone can't be told otherwise: they come back to what there is.
    if (this.#broken) this.#swarm.peers.closeAll(new PeerClosed("pieces were lost"));
    this.#broken = false;
    this.#countInteresting();
    this.#swarm.sources.look();
    this.#swarm.progressed();
  }

  #restart(piece: number): void {
    this.picker?.lost(piece);
    for (const session of this.#swarm.peers.sessions) session.machine.restartPiece(piece);
  }

  #countInteresting(): void {
    const { picker } = this;
    if (!picker) return;
    for (const session of this.#swarm.peers.sessions) {
      session.interesting = picker.interesting(session.machine.peerPieces);
    }
  }
}
