import { type Clock, type Disk, DiskError, type DiskFault, type Timer } from "../api/mod.ts";
import { Bitfield } from "../wire/mod.ts";
import { Assembly } from "./assembly.ts";
import { checkPieces } from "./check.ts";
import { Claims } from "./claims.ts";
import { FileChangedError, TorrentFiles } from "./files.ts";
import { piecesOf } from "./layout.ts";
import { MAX_BUFFER_BYTES, type StoreMemory } from "./memory.ts";
import { safePaths, SaveFolder } from "./paths.ts";
import { ReadAhead } from "./read_ahead.ts";
import type { PieceRecords } from "./records.ts";
import { dropChanged } from "./resume.ts";
import type { Layout, PieceStore, StoreEvents } from "./types.ts";

// Files that nobody used for this long are closed, and their stamps taken.
const tidyInterval = 30_000;
// While checking, what was found is committed this often, so that little of a long check is lost with the process.
const PIECES_PER_COMMIT = 1024;

const REMEDIES: Readonly<Record<DiskFault, string>> = {
  full: "free some space",
  denied: "check its permissions",
  readOnly: "make the disk writable",
  notFound: "make its folder available",
  exists: "move what stands in its way",
  tooManyFiles: 'raise the limit of open files (ulimit -n) or lower "limits.openFiles"',
  io: "check the disk",
};

/** What {@link openPieceStore} needs. */
export interface PieceStoreOptions {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly layout: Layout;
  /** The save folder; the torrent's own folder or file stands in it. */
  readonly path: string;
  /** Where bytes of unwanted files live. Its folder is created when it is needed. */
  readonly partFile: string;
  readonly memory: StoreMemory;
  /** Without records nothing is resumed and nothing outlives the store. */
  readonly records?: PieceRecords;
  /** By file index; all if not given. */
  readonly wanted?: readonly boolean[];
  readonly events: StoreEvents;
  /** Told when saved claims turned out not to hold. */
  readonly log?: (message: string) => void;
}

/**
 * Opens the pieces of one torrent, and believes of its records what the files on disk bear out. The store can do a
 * little more than the swarm needs: `reverify(piece)` judges a complete piece again whose verifier didn't know.
 */
export async function openPieceStore(options: PieceStoreOptions): Promise<TorrentStore> {
  const { disk, layout, path, partFile, records, memory, wanted, log } = options;
  const folder = new SaveFolder(disk, path);
  const files: TorrentFiles = new TorrentFiles({
    ...options,
    folder,
    paths: safePaths(layout, folder.nameOf(partFile)),
    openFiles: memory.openFiles,
    beforeWriting: (file): Promise<void> => store.beforeWriting(file),
  });
  const saved = await records?.load(layout.pieceCount);
  const stamps = new Map(saved?.stamps.map((stamp) => [stamp.file, stamp]));
  const bits = new Bitfield(layout.pieceCount, saved?.bits);
  const dropped = await dropChanged(disk, layout, files, partFile, bits, stamps);
  if (dropped.size > 0) {
    log?.(`Dropped ${dropped.size} pieces of "${layout.name}": their files changed since they were saved`);
  }
  for (const index of files.indexes) {
    const stamp = stamps.get(index);
    if (stamp) files.resume(stamp);
    else if (wanted?.[index] === false && !await files.exists(index).catch(() => true)) files.setHome(index, "part");
  }
  const store: TorrentStore = new TorrentStore(options, files, bits, dropped);
  // What became wanted since it was saved moves now; a disk that refuses is told as `failed`.
  const stranded = files.indexes.some((index) => files.home(index) === "part" && wanted?.[index] !== false);
  if (stranded) await store.select(wanted ?? layout.files.map(() => true)).catch(() => {});
  else await store.createEmptyFiles();
  return store;
}

/** See {@link openPieceStore}. */
class TorrentStore implements PieceStore {
  readonly #options: PieceStoreOptions;
  readonly #files: TorrentFiles;
  readonly #claims: Claims;
  readonly #assembly: Assembly;
  readonly #readAhead: ReadAhead;
  readonly #drained: Disposable;
  /** The wanted files, by index. */
  #wanted: readonly boolean[];
  #failure?: Error;
  #retrying = false;
  #checking = false;
  #closed = false;
  #backlogged = false;
  #tidying?: Timer;
  /** Selecting and checking take turns. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: PieceStoreOptions, files: TorrentFiles, bits: Bitfield, dropped: ReadonlySet<number>) {
    const { layout, clock, records, memory, events } = options;
    this.#options = options;
    this.#files = files;
    this.#wanted = options.wanted ?? layout.files.map(() => true);
    const fault = (error: unknown) => this.#fail(error);
    this.#claims = new Claims({
      layout,
      clock,
      records,
      bits: bits.bytes,
      changed: dropped,
      committed: (piece, wrong) => events.pieceStored(piece, wrong),
      completed: (file) => void this.#settle([file]).catch(fault),
      fault,
    });
    this.#assembly = new Assembly({
      layout,
      files,
      clock,
      budget: memory.openPieces,
      verified: (piece, wrong) => this.#claims.claim(piece, wrong),
      failed: (piece) => events.pieceFailed(piece),
      lost: (piece) => events.pieceLost?.(piece),
      fault,
    });
    this.#readAhead = new ReadAhead(layout, files, memory.readAhead);
    this.#drained = memory.openPieces.onDrained(() => {
      if (!this.#backlogged) return;
      this.#backlogged = false;
      queueMicrotask(() => this.#closed || events.drained());
    });
  }

  get have(): Bitfield {
    return this.#claims.have;
  }

  async hasData(): Promise<boolean> {
    for (const index of this.#files.indexes) {
      if (this.#options.layout.files[index].length > 0 && await this.#files.exists(index)) return true;
    }
    return false;
  }

  get backlog(): boolean {
    return this.#backlogged = this.#options.memory.openPieces.over;
  }

  write(piece: number, begin: number, bytes: Uint8Array): void {
    if (this.#closed || this.#checking || this.#claims.has(piece)) return;
    this.#assembly.write(piece, begin, bytes);
    this.#tidyLater();
  }

  discard(piece: number): void {
    this.#assembly.discard(piece);
  }

  /** Judges a complete piece again whose verifier answered `"unknown"`. */
  reverify(piece: number): void {
    this.#assembly.reverify(piece);
  }

  read(piece: number, begin: number, into: Uint8Array): true | Promise<void> {
    if (this.#closed || this.#failure || !this.have.has(piece)) return Promise.reject(this.#unreadable(piece));
    const result = this.#readAhead.read(piece, begin, into);
    if (result === true) return true;
    this.#tidyLater();
    return result.catch((error) => {
      this.#fail(error);
      throw error;
    });
  }

  select(wanted: readonly boolean[]): Promise<void> {
    return this.#inTurn(async () => {
      this.#wanted = [...wanted];
      await this.#assembly.stop();
      try {
        for (const index of this.#files.indexes) {
          if (this.#files.home(index) === "part" && wanted[index]) await this.#moveOutOfPart(index);
          else if (!wanted[index] && !await this.#files.exists(index)) this.#files.setHome(index, "part");
        }
        if (this.#files.indexes.every((index) => this.#files.home(index) === "file")) await this.#files.removePart();
        await this.createEmptyFiles();
      } catch (error) {
        this.#fail(error);
        throw error;
      } finally {
        if (!this.#failure) this.#assembly.resume();
      }
    });
  }

  check(onProgress: (piecesChecked: number) => void, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      this.#checking = true;
      try {
        await this.#assembly.stop();
        this.#assembly.clear();
        if (!this.#failure) this.#assembly.resume();
        this.#readAhead.clear();
        const usable = await this.#existing();
        let count = 0;
        await checkPieces({
          ...this.#options,
          files: this.#files,
          usable,
          signal,
          checked: (piece, right) => {
            if (right) this.#claims.claim(piece);
            else this.#claims.drop([piece]);
            if (++count % PIECES_PER_COMMIT === 0) this.#claims.commit().catch((error) => this.#fail(error));
            onProgress(count);
          },
        });
      } finally {
        this.#checking = false;
        await this.#claims.commit();
      }
    });
  }

  trust(): Promise<void> {
    return this.#inTurn(async () => {
      const { layout } = this.#options;
      const whole = await this.#existing((index, size) => size >= layout.files[index].length);
      const missing = new Set<number>();
      for (const index of this.#files.indexes) {
        if (whole.has(index)) continue;
        const [first, end] = piecesOf(layout, index);
        for (let piece = first; piece < end; piece++) missing.add(piece);
      }
      for (let piece = 0; piece < layout.pieceCount; piece++) if (!missing.has(piece)) this.#claims.claim(piece);
      await this.#claims.commit();
    });
  }

  async retry(): Promise<void> {
    if (!this.#failure) return;
    this.#failure = undefined;
    this.#retrying = true;
    try {
      await this.createEmptyFiles();
      this.#assembly.resume();
      await this.#assembly.flush(false);
      await this.#claims.commit();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#retrying = false;
    }
    if (this.#failure) throw this.#failure;
  }

  fileProgress(index: number): number {
    return this.#claims.verified(index);
  }

  async flush(): Promise<void> {
    await this.#assembly.flush(true);
    if (this.#failure) throw this.#failure;
    await this.#claims.commit();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#turn;
      await this.#assembly.flush(false);
      this.#closed = true;
      await this.#assembly.stop();
      await this.#settle(this.#files.writingFiles(false));
      await this.#claims.commit();
    } finally {
      this.#closed = true;
      this.#claims.close();
      this.#tidying?.cancel();
      this.#drained[Symbol.dispose]();
      this.#assembly.clear();
      this.#readAhead.clear();
      await this.#files.close();
    }
  }

  /** Records that a file is about to be written, before it is: until it settles, its stamp is only a lower bound. */
  async beforeWriting(file: number): Promise<void> {
    this.#claims.stamp(await this.#files.stamp(file, true));
    await this.#claims.commit();
  }

  /** Creates the wanted files that have no bytes. */
  async createEmptyFiles(): Promise<void> {
    const { layout } = this.#options;
    try {
      for (const index of this.#files.indexes) {
        if (this.#wanted[index] && layout.files[index].length === 0) await this.#files.createEmpty(index);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Files that are there, by index; their stamps are taken before anything is believed of them. */
  async #existing(suits: (index: number, size: number) => boolean = () => true): Promise<Set<number>> {
    const found = new Set<number>();
    for (const index of this.#files.indexes) {
      const inPart = this.#files.home(index) === "part";
      if (!inPart && !await this.#files.exists(index)) continue;
      const stamp = await this.#files.settle(index);
      if (stamp) this.#claims.stamp(stamp);
      if (stamp && !inPart && suits(index, stamp.size)) found.add(index);
    }
    return found;
  }

  async #moveOutOfPart(index: number): Promise<void> {
    const { layout } = this.#options;
    const { offset, length } = layout.files[index];
    const [first, end] = piecesOf(layout, index);
    const open = new Set(this.#assembly.open);
    const buffer = new Uint8Array(MAX_BUFFER_BYTES);
    for (let piece = first; piece < end; piece++) {
      if (!this.#claims.has(piece) && !open.has(piece)) continue;
      const stop = Math.min((piece + 1) * layout.pieceLength, offset + length);
      for (let at = Math.max(piece * layout.pieceLength, offset); at < stop; at += buffer.length) {
        const bytes = buffer.subarray(0, Math.min(buffer.length, stop - at));
        const count = await this.#files.readPart(at, bytes);
        if (count > 0) await this.#files.writeFile(index, at - offset, bytes.subarray(0, count));
      }
    }
    // Until this commit the records say that the bytes are in the part file, and they still are.
    this.#files.setHome(index, "file");
    await this.#files.announce(index);
  }

  async #settle(files: readonly number[]): Promise<void> {
    for (const file of files) {
      const stamp = await this.#files.settle(file);
      if (stamp) this.#claims.stamp(stamp);
    }
  }

  #tidyLater(): void {
    this.#tidying ??= this.#options.clock.after(tidyInterval, () => {
      this.#tidying = undefined;
      this.#tidy().catch((error) => this.#fail(error));
    });
  }

  async #tidy(): Promise<void> {
    if (await this.#files.closeIdle() && !this.#closed) this.#tidyLater();
    await this.#settle(this.#files.writingFiles(true));
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  #unreadable(piece: number): Error {
    if (this.#failure) return this.#failure;
    return new Error(`Cannot read piece ${piece}: ${this.#closed ? "the store is closed" : "it isn't verified"}`);
  }

  #fail(error: unknown): void {
    if (error instanceof FileChangedError) this.#forget(error.file);
    if (this.#failure || this.#closed) return;
    const failure = this.#failure = describe(error);
    this.#assembly.halt();
    if (!this.#retrying) queueMicrotask(() => this.#options.events.failed(failure));
  }

  /** Takes back the pieces of a file that changed, or of all in the part file. */
  #forget(file: number | undefined): void {
    const { layout, events } = this.#options;
    const inPart = () => this.#files.indexes.filter((index) => this.#files.home(index) === "part");
    for (const index of file === undefined ? inPart() : [file]) {
      const [first, end] = piecesOf(layout, index);
      const pieces = Array.from({ length: end - first }, (_, i) => first + i);
      const lost = pieces.filter((piece) => this.#assembly.discard(piece)).concat(this.#claims.drop(pieces));
      queueMicrotask(() => lost.forEach((piece) => events.pieceLost?.(piece)));
    }
    this.#readAhead.clear();
    this.#claims.commit().catch((error) => this.#fail(error));
  }
}

export type { TorrentStore };

function describe(error: unknown): Error {
  if (error instanceof DiskError) {
    return new DiskError(error.fault, `${error.message}; ${REMEDIES[error.fault]}`, { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
