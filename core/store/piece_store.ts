import { type Clock, type Disk, DiskError, type DiskFault, type Timer } from "../api/mod.ts";
import { Bitfield } from "../wire/mod.ts";
import { Assembly } from "./assembly.ts";
import { Claims } from "./claims.ts";
import { Doubts } from "./doubts.ts";
import { FileChangedError, TorrentFiles } from "./files.ts";
import { PADDING, piecesOf, spansOf } from "./layout.ts";
import { MAX_BUFFER_BYTES, type StoreMemory } from "./memory.ts";
import { namesOnDisk } from "./names.ts";
import { followingDisk, SaveFolder } from "./paths.ts";
import { ReadAhead } from "./read_ahead.ts";
import { type FileStamp, type PieceRecords, UNSURE } from "./records.ts";
import { findChanged } from "./resume.ts";
import type { Layout, PieceStore, StoreEvents } from "./types.ts";
import { isBlank, ObstacleError, WriteGuard } from "./write_guard.ts";

// Files that nobody used for this long are closed, and their stamps taken.
const tidyInterval = 30_000;
// Looks at several files at once: a torrent may have many thousands.
const MAX_LOOKS = 16;

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
  /** Nothing is written but the records: empty files aren't made, and blocks are refused. */
  readonly readOnly?: boolean;
  /** Reads through symlinks, wherever they lead; only with `readOnly`. */
  readonly followLinks?: boolean;
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
export async function openPieceStore(given: PieceStoreOptions): Promise<TorrentStore> {
  const { followLinks = false, readOnly = false } = given;
  if (followLinks && !readOnly) throw new Error("Cannot follow symlinks where files may be written to");
  const options = followLinks ? { ...given, disk: followingDisk(given.disk) } : given;
  const { disk, layout, path, partFile, records, memory, wanted, log } = options;
  const folder = new SaveFolder(disk, path, followLinks);
  const paths = await namesOnDisk(disk, folder, layout, folder.nameOf(partFile));
  const guard = new WriteGuard(disk, folder, paths);
  const files: TorrentFiles = new TorrentFiles({
    ...options,
    folder,
    paths,
    guard,
    openFiles: memory.openFiles,
    beforeWriting: (file): Promise<void> => store.beforeWriting(file),
  });
  const saved = await records?.load(layout.pieceCount);
  const stamps = new Map(saved?.stamps.map((stamp) => [stamp.file, stamp]));
  const bits = new Bitfield(layout.pieceCount, saved?.bits);
  const changed = await findChanged(disk, layout, files, partFile, bits, stamps);
  for (const index of files.indexes) {
    const stamp = stamps.get(index);
    if (stamp) {
      if (changed.has(index)) files.setHome(index, stamp.home);
      else files.resume(stamp);
      if (stamp.home === "file") guard.left(index, stamp);
    } else if (wanted?.[index] === false && !await files.exists(index).catch(() => true)) files.setHome(index, "part");
  }
  const store: TorrentStore = new TorrentStore(options, files, guard, bits);
  for (const stamp of stamps.values()) store.measure(stamp);
  if (changed.size > 0) {
    log?.(`${changed.size} files of "${layout.name}" changed since they were saved: hashing them again`);
  }
  for (const index of changed) store.doubt(index, stamps.get(index)?.size === UNSURE);
  // Where files may be gone, none is made before they were looked at.
  if (!store.doubtful) await store.moveIn();
  return store;
}

/** See {@link openPieceStore}. */
class TorrentStore implements PieceStore {
  readonly #options: PieceStoreOptions;
  readonly #files: TorrentFiles;
  readonly #guard: WriteGuard;
  readonly #claims: Claims;
  readonly #doubts: Doubts;
  readonly #assembly: Assembly;
  readonly #readAhead: ReadAhead;
  readonly #drained: Disposable;
  /** The wanted files, by index. */
  #wanted: readonly boolean[];
  /** Bytes of the files that are longer than they should be. */
  readonly #oversize = new Map<number, number>();
  #failure?: Error;
  #retrying = false;
  #checking = false;
  #closed = false;
  #backlogged = false;
  #tidying?: Timer;
  /** The look at files that changed while the torrent runs, while there is one. */
  #looking?: Promise<void>;
  readonly #closing = new AbortController();
  /** Selecting, checking and looking take turns. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: PieceStoreOptions, files: TorrentFiles, guard: WriteGuard, bits: Bitfield) {
    const { layout, clock, records, memory, events } = options;
    this.#options = options;
    this.#files = files;
    this.#guard = guard;
    this.#wanted = options.wanted ?? layout.files.map(() => true);
    const fault = (error: unknown) => this.#fail(error);
    this.#claims = new Claims({
      layout,
      clock,
      records,
      bits: bits.bytes,
      committed: (piece, wrong) => events.pieceStored(piece, wrong),
      completed: (file) => void this.#settle([file]).catch(fault),
      fault,
    });
    this.#doubts = new Doubts({
      ...options,
      files,
      claims: this.#claims,
      isOwn: (file) => this.#isOwn(file),
      measure: (stamp) => this.measure(stamp),
      adopt: (piece) => this.#adopt(piece),
    });
    this.#assembly = new Assembly({
      layout,
      files,
      clock,
      budget: memory.openPieces,
      verified: (piece, wrong) => {
        if (this.#guard.hasStrangers) this.#adopt(piece);
        this.#claims.claim(piece, wrong);
      },
      failed: (piece) => events.pieceFailed(piece),
      lost: (piece) => events.pieceLost?.(piece, false),
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

  get doubtful(): boolean {
    return this.#doubts.any;
  }

  async hasUnknownData(): Promise<boolean> {
    for (const index of this.#lacking()) {
      const found = await this.#guard.look(index);
      if (found === "stranger" && this.#wanted[index] && this.#hasInnerPiece(index)) return true;
      if (this.have.empty && (found === "stranger" || found === "own")) return true;
    }
    return false;
  }

  async describeLack(): Promise<string[]> {
    const { disk, layout } = this.#options;
    const short: string[] = [];
    const different: string[] = [];
    for (const index of this.#files.indexes) {
      const { length } = layout.files[index];
      if (!this.#wanted[index] || length === 0 || this.#claims.complete(index)) continue;
      const path = this.#files.path(index);
      const size = (await disk.lstat(path))?.size;
      if (size === undefined) short.push(`"${path}" is not there`);
      else if (size < length) short.push(`"${path}" has ${size} of ${length} bytes`);
      else if (this.#lacksInnerPiece(index)) different.push(`"${path}" differs`);
      else if (short.length === 0 && different.length === 0) different.push(`"${path}" or a file beside it differs`);
    }
    return [...short, ...different];
  }

  get oversize(): readonly string[] {
    const { layout } = this.#options;
    return Array.from(
      this.#oversize,
      ([index, size]) =>
        `"${this.#files.path(index)}" has ${size} bytes, ${
          layout.files[index].length
        } are the torrent's; the rest is left alone`,
    );
  }

  /** Notes a file that is longer than it should be, or no longer is. */
  measure({ file, home, size }: FileStamp): void {
    if (home === "file" && size > this.#options.layout.files[file]?.length) this.#oversize.set(file, size);
    else this.#oversize.delete(file);
  }

  async clearWay({ force, held }: Parameters<PieceStore["clearWay"]>[0]): Promise<void> {
    const there = force ? [...this.#oversize.keys()].filter((index) => this.#wanted[index]) : [];
    for (const index of this.#lacking()) {
      if (there.includes(index)) continue;
      const found = await this.#guard.look(index);
      if (found === "stranger" && !this.#wanted[index]) this.#files.setHome(index, "part");
      else if (found === "stranger" || found === "own") there.push(index);
    }
    const shared = await held(there.map((index) => this.#files.path(index)));
    const older: string[] = [];
    const strangers: string[] = [];
    for (const index of there) {
      const path = this.#files.path(index);
      if (shared.has(path)) {
        this.#guard.share(index);
        if (this.#wanted[index] && this.#lacksInnerPiece(index)) older.push(path);
      } else if (await this.#guard.look(index) === "stranger" && !force && !await this.#mayBeOurs(index)) {
        strangers.push(path);
      }
    }
    if (strangers.length > 0) throw new ObstacleError(strangers, false);
    if (older.length > 0) throw new ObstacleError(older, true);
    if (force) await this.#takeOver(there.filter((index) => !shared.has(this.#files.path(index))));
  }

  get backlog(): boolean {
    return this.#backlogged = this.#options.memory.openPieces.over;
  }

  write(piece: number, begin: number, bytes: Uint8Array): void {
    if (this.#closed || this.#checking || this.#options.readOnly || this.#claims.has(piece)) return;
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
    if (this.#doubts.any && this.#doubts.covers(piece)) return this.#readAgain(piece, begin, into);
    const result = this.#readAhead.read(piece, begin, into);
    if (result === true) return true;
    this.#tidyLater();
    return result.catch(async (error) => {
      this.#fail(error);
      if (!(error instanceof FileChangedError)) throw error;
      await this.#readAgain(piece, begin, into);
    });
  }

  /** Hashes a piece whose file changed, and reads it if it is still right. */
  async #readAgain(piece: number, begin: number, into: Uint8Array): Promise<void> {
    let right = true;
    try {
      if (this.#doubts.covers(piece)) right = await this.#doubts.clear(piece);
      if (right) await this.#readAhead.read(piece, begin, into);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    if (!right) throw this.#unreadable(piece);
  }

  select(wanted: readonly boolean[]): Promise<void> {
    return this.#inTurn(() => this.#selectNow(wanted));
  }

  check(onProgress: (piecesChecked: number) => void, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      this.#checking = true;
      try {
        await this.#assembly.stop();
        this.#assembly.clear();
        if (!this.#failure) this.#assembly.resume();
        this.#readAhead.clear();
        this.#doubts.addAll();
        for (const index of this.#files.indexes) if (await this.#isOwn(index)) this.#doubts.note(index);
        await this.#claims.commit();
        await this.#doubts.look({ onProgress, signal, told: true });
      } finally {
        this.#checking = false;
        await this.#claims.commit();
      }
      if (this.#doubts.any) this.#lookSoon();
      await this.moveIn();
    });
  }

  look(onProgress: (piecesChecked: number) => void, signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#look(signal, onProgress));
  }

  async confirm(): Promise<void> {
    const { layout } = this.#options;
    await this.#inspectAll((index) => this.#wanted[index] ? layout.files[index].length : 0);
    while (this.#looking) await this.#looking;
    if (this.#failure) throw this.#failure;
    await this.createEmptyFiles();
  }

  trust(): Promise<void> {
    return this.#inTurn(async () => {
      const { layout } = this.#options;
      const stamps = await this.#existing();
      const whole = new Set(
        [...stamps.keys()].filter((index) => stamps.get(index)!.size >= layout.files[index].length),
      );
      for (const index of whole) {
        this.#guard.adopt(index);
        this.#claims.stamp(stamps.get(index)!);
      }
      const missing = new Set<number>();
      for (const index of this.#files.indexes) {
        if (whole.has(index)) continue;
        const [first, end] = piecesOf(layout, index);
        for (let piece = first; piece < end; piece++) missing.add(piece);
      }
      this.#doubts.dismiss();
      this.#claims.drop(missing);
      for (let piece = 0; piece < layout.pieceCount; piece++) if (!missing.has(piece)) this.#claims.claim(piece);
      await this.#claims.commit();
    });
  }

  async retry(): Promise<void> {
    await this.#doubts.expectOther();
    if (!this.#failure) return;
    this.#failure = undefined;
    this.#retrying = true;
    try {
      if (this.#doubts.any) await this.look(() => {}, this.#closing.signal);
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
    this.#closing.abort(new Error("the store is closed"));
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
    this.#claims.stamp(this.#doubts.tell(await this.#files.stamp(file, true)));
    await this.#claims.commit();
  }

  /** Moves what became wanted since it was saved, and makes what is wanted and empty; what fails is told as `failed`. */
  async moveIn(): Promise<void> {
    const stranded = this.#files.indexes.some((index) => this.#files.home(index) === "part" && this.#wanted[index]);
    if (stranded) await this.#selectNow(this.#wanted).catch(() => {});
    else await this.createEmptyFiles();
  }

  /** Creates the wanted files that have no bytes: they are the torrent's own then, as are those that stand there empty. */
  async createEmptyFiles(): Promise<void> {
    const { layout, readOnly } = this.#options;
    try {
      for (const index of this.#files.indexes) {
        if (!this.#wanted[index] || layout.files[index].length > 0) continue;
        const found = await this.#guard.look(index);
        if (!readOnly) await this.#files.createEmpty(index);
        if (found === "own" || found === "stranger" || (readOnly && found === "absent")) continue;
        this.#guard.adopt(index);
        this.#claims.stamp(await this.#files.stamp(index, false));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The stamps of files that are there, by index, taken before anything is believed of them. */
  async #existing(): Promise<Map<number, FileStamp>> {
    const stamps = new Map<number, FileStamp>();
    for (const index of this.#files.indexes) {
      const inPart = this.#files.home(index) === "part";
      if (!inPart && !await this.#files.exists(index)) continue;
      const stamp = await this.#files.settle(index);
      if (stamp) this.measure(stamp);
      if (stamp && inPart) this.#claims.stamp(stamp);
      else if (stamp) stamps.set(index, stamp);
    }
    return stamps;
  }

  /** Files at their own place that lack pieces. */
  #lacking(): number[] {
    return this.#files.indexes.filter((index) =>
      this.#options.layout.files[index].length > 0 && this.#files.home(index) === "file" &&
      !this.#claims.complete(index)
    );
  }

  /** The files of a verified piece are the torrent's own. Before it is claimed: a claim is nothing without their stamps. */
  #adopt(piece: number): void {
    const { layout } = this.#options;
    for (const { file } of spansOf(layout.files, piece * layout.pieceLength, layout.pieceSize(piece))) {
      const stamp = file !== PADDING && this.#files.home(file) === "file" ? this.#guard.adopt(file) : undefined;
      if (stamp) this.#claims.stamp(this.#doubts.tell(stamp));
    }
  }

  /** Whether the file is the torrent's own, or lives in the part file. */
  async #isOwn(index: number): Promise<boolean> {
    return this.#files.home(index) === "part" || await this.#guard.look(index) === "own";
  }

  /** A stranger that may still turn out to be the torrent's: a blank, or one that can't be judged yet. */
  async #mayBeOurs(index: number): Promise<boolean> {
    const { clock, disk, layout } = this.#options;
    const path = this.#files.path(index);
    if (!this.#hasInnerPiece(index) && (await disk.lstat(path))?.size === layout.files[index].length) return true;
    const blank = await isBlank(disk, path, () => clock.turn());
    if (blank) this.#guard.adopt(index);
    return blank;
  }

  /** The user said so: what is there may be overwritten, and is as long as it should be from now on. */
  async #takeOver(indexes: readonly number[]): Promise<void> {
    for (const index of indexes) {
      this.#guard.adopt(index);
      await this.#files.cut(index);
      this.#oversize.delete(index);
    }
    await this.#settle(indexes);
    await this.#claims.commit();
  }

  #hasInnerPiece(index: number): boolean {
    return this.#innerPieces(index).next().done === false;
  }

  #lacksInnerPiece(index: number): boolean {
    for (const piece of this.#innerPieces(index)) if (!this.#claims.has(piece)) return true;
    return false;
  }

  /** The pieces that hold bytes of this file alone. */
  *#innerPieces(index: number): Generator<number> {
    const { layout } = this.#options;
    const { offset, length } = layout.files[index];
    const [first, end] = piecesOf(layout, index);
    for (let piece = first; piece < end; piece++) {
      const begin = piece * layout.pieceLength;
      if (begin >= offset && begin + layout.pieceSize(piece) <= offset + length) yield piece;
    }
  }

  async #selectNow(wanted: readonly boolean[]): Promise<void> {
    this.#wanted = [...wanted];
    if (this.#options.readOnly) return;
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
  }

  async #moveOutOfPart(index: number): Promise<void> {
    const { layout } = this.#options;
    const { offset, length } = layout.files[index];
    const [first, end] = piecesOf(layout, index);
    if (!await this.#guard.decide(index)) throw this.#guard.refusal(index);
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
      const stamp = this.#doubts.has(file) ? undefined : await this.#files.settle(file);
      if (stamp) this.#claims.stamp(this.#doubts.tell(stamp));
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
    if (error instanceof FileChangedError) return this.#changed(error);
    // What was to be written may be wrong: it is fetched anew before the user is told again.
    if (error instanceof ObstacleError) { for (const piece of [...this.#assembly.open]) this.discard(piece); }
    if (this.#failure || this.#closed) return;
    const failure = this.#failure = describe(error);
    this.#assembly.halt();
    if (!this.#retrying) queueMicrotask(() => this.#options.events.failed(failure));
  }

  /** A file changed under us, or the part file: its pieces are hashed again, and what there is of open ones is gone. */
  #changed({ file, message, replaced }: FileChangedError): void {
    const { layout, events, log } = this.#options;
    const inPart = () => this.#files.indexes.filter((index) => this.#files.home(index) === "part");
    for (const index of file === undefined ? inPart() : [file]) {
      if (!this.#doubts.has(index)) log?.(`${message}; what is there of it is hashed again`);
      const [first, end] = piecesOf(layout, index);
      for (let piece = first; piece < end; piece++) {
        if (this.#assembly.forget(piece)) queueMicrotask(() => events.pieceLost?.(piece, false));
      }
      this.#doubts.add(index);
      this.#doubts.note(index);
      if (replaced) this.#guard.forget(index);
    }
    this.#readAhead.clear();
    if (!this.#closed && !this.#failure && !this.#checking) this.#lookSoon();
  }

  /** Looks at the files that have verified bytes, or must have bytes up to `end`; those that changed are in doubt then. */
  async #inspectAll(end: (index: number) => number): Promise<void> {
    const pending = this.#files.indexes.values();
    const inspect = async () => {
      for (const index of pending) {
        const used = end(index) > 0 || this.#claims.verified(index) > 0;
        if (!used || this.#files.home(index) === "part" || this.#doubts.has(index)) continue;
        await this.#files.inspect(index, end(index), true).catch((error) => this.#fail(error));
      }
    };
    await Promise.all(Array.from({ length: MAX_LOOKS }, inspect));
  }

  /** Believes no piece of a file, as it was found, until it was hashed again. */
  doubt(file: number, whole: boolean): void {
    this.#doubts.add(file, whole);
  }

  #lookSoon(): void {
    this.#looking ??= this.#inTurn(async () => {
      await this.#assembly.stop();
      // Where one file is gone the others may be as well, and then it is another matter.
      await this.#inspectAll(() => 0);
      await this.#look(this.#closing.signal, () => {});
    }).catch((error) => {
      if (!this.#closing.signal.aborted) this.#fail(error);
    }).finally(() => {
      this.#looking = undefined;
      if (this.#doubts.any && !this.#failure && !this.#closed) this.#lookSoon();
    });
  }

  async #look(signal: AbortSignal, onProgress: (piecesChecked: number) => void): Promise<void> {
    const { layout, events, log } = this.#options;
    // Writes wait while it is seen whether the files are there at all: else they would make them anew.
    await this.#assembly.stop();
    const there = () => void (this.#failure || this.#assembly.resume());
    const { right, lost } = await this.#doubts.look({ signal, onProgress, told: false, there });
    if (lost.length > 0) {
      log?.(
        `${lost.length} pieces of "${layout.name}" are gone with their files, and fetched again; ${right} are right`,
      );
    } else if (right > 0) log?.(`All ${right} pieces of "${layout.name}" that were hashed again are right`);
    for (const piece of lost) events.pieceLost?.(piece, true);
    await this.#claims.commit();
    await this.moveIn();
  }
}

export type { TorrentStore };

function describe(error: unknown): Error {
  if (error instanceof DiskError) {
    return new DiskError(error.fault, `${error.message}; ${REMEDIES[error.fault]}`, { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
