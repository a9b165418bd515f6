// The files of one torrent: reads and writes by offset in the torrent, wherever the bytes live.
import { type Clock, type Disk, DiskError, type DiskFile, type FileStat } from "../api/mod.ts";
import { bytesEqual } from "../wire/mod.ts";
import { PADDING, type Span, spansOf } from "./layout.ts";
import { FileHandle, type OpenFiles } from "./open_files.ts";
import { parent, type SaveFolder } from "./paths.ts";
import type { FileHome, FileStamp } from "./records.ts";
import type { Layout } from "./types.ts";
import type { WriteGuard } from "./write_guard.ts";

// What stands at a file's path is looked at this often while it is used. What an open file became, cut, written to or
// deleted, is seen with each read and write: that costs a microsecond.
const inspectInterval = 1000;

/** A file was cut, replaced or removed by somebody else. */
export class FileChangedError extends Error {
  override readonly name = "FileChangedError";
  /** `file` is its index, undefined for the part file; `replaced` says that what stands there now isn't ours. */
  constructor(readonly file: number | undefined, path: string, what: string, readonly replaced = false) {
    super(`File "${path}" changed under us: ${what}`);
  }
}

/** What {@link TorrentFiles} needs. */
export interface TorrentFilesOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly layout: Layout;
  readonly folder: SaveFolder;
  /** By file index, relative to the folder; undefined for what is never on disk. */
  readonly paths: readonly (string | undefined)[];
  /** Where bytes of unwanted files live, at their offset in the torrent. */
  readonly partFile: string;
  readonly openFiles: OpenFiles;
  readonly guard: WriteGuard;
  /** Called before the first write to a file that was settled; the write waits for it. */
  beforeWriting(file: number): Promise<void>;
}

class FileState {
  home: FileHome = "file";
  // Handles come with the first use: a torrent may have a hundred thousand files.
  reader?: FileHandle;
  writer?: FileHandle;
  /** The records know that it is being written. */
  writing = false;
  announced?: Promise<void>;
  /** Writes of ours under way, and whether there were any since `known`. */
  writes = 0;
  touched = true;
  modified?: number;
  /** Counts our writes and stamps. */
  version = 0;
  /** Bytes that it has at least, as it was left or as far as we wrote since. */
  size = 0;
  inspected = -Infinity;
}

/** See the file's head. All failures are {@link DiskError}s, {@link FileChangedError}s or those of the guard. */
export class TorrentFiles {
  readonly #options: TorrentFilesOptions;
  readonly #states: (FileState | undefined)[];
  readonly #part = new FileHandle();
  /** Indexes of the files that can be on disk. */
  readonly indexes: readonly number[];

  constructor(options: TorrentFilesOptions) {
    this.#options = options;
    this.#states = options.paths.map((path) => path === undefined ? undefined : new FileState());
    this.indexes = [...this.#states.keys()].filter((index) => this.#states[index]);
  }

  home(index: number): FileHome {
    return this.#states[index]?.home ?? "file";
  }

  /** From now on the file's bytes live there; the next write announces it. */
  setHome(index: number, home: FileHome): void {
    const state = this.#states[index]!;
    state.home = home;
    state.writing = false;
  }

  /** Whole path of a file. */
  path(index: number): string {
    return this.#options.folder.resolve(this.#options.paths[index]!);
  }

  /** Writes all of `bytes` at `offset` of the torrent; what falls on padding is dropped. */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (const span of spansOf(this.#options.layout.files, offset, bytes.length)) {
      if (span.file === PADDING) continue;
      const part = bytes.subarray(span.offset - offset, span.offset - offset + span.length);
      const { guard } = this.#options;
      const state = this.#states[span.file]!;
      const inPart = state.home === "part";
      if (!inPart && !(guard.decided(span.file) ?? await guard.decide(span.file))) {
        await this.#expectThere(span.file, span.position, part);
        continue;
      }
      if (!state.writing) await this.announce(span.file);
      if (inPart) await this.#writePart(span.offset, part);
      else {
        // A file that isn't open would be made anew where it is gone.
        if (state.size > 0) await this.inspect(span.file, state.size, !state.writer?.file);
        await this.#writeFile(span.file, span.position, part);
      }
    }
  }

  /**
   * Fills `into` from `offset` of the torrent. Padding reads as zeros. With `inspect`, bytes of a file that changed under
   * us are not given out: it throws {@link FileChangedError}.
   */
  async read(offset: number, into: Uint8Array, inspect = false): Promise<void> {
    for (const span of spansOf(this.#options.layout.files, offset, into.length)) {
      const part = into.subarray(span.offset - offset, span.offset - offset + span.length);
      if (span.file === PADDING) part.fill(0);
      else if (this.home(span.file) === "part") await this.#readPartWhole(span, part);
      else {
        if (inspect) await this.inspect(span.file, span.position + span.length);
        await this.#readFile(span, part, inspect);
      }
    }
  }

  /** Writes to the file itself, wherever its home is. */
  async writeFile(index: number, position: number, bytes: Uint8Array): Promise<void> {
    if (await this.#options.guard.decide(index)) await this.#writeFile(index, position, bytes);
    else await this.#expectThere(index, position, bytes);
  }

  async #writeFile(index: number, position: number, bytes: Uint8Array): Promise<void> {
    const { folder, openFiles, paths } = this.#options;
    const state = this.#states[index]!;
    state.writes++;
    state.version++;
    state.touched = true;
    try {
      const open = () => folder.open(paths[index]!, true);
      await openFiles.use(state.writer ??= new FileHandle(), open, async (file) => {
        await this.#expectAsLeft(index, file.stat(), this.#least(index, 0));
        await file.write(bytes, position);
        state.size = Math.max(state.size, position + bytes.length);
      });
    } finally {
      state.writes--;
    }
  }

  /** Reads what there is in the part file; returns how many bytes. */
  async readPart(offset: number, into: Uint8Array): Promise<number> {
    return await this.#options.openFiles.use(this.#part, () => this.#openPart(), (file) => file.read(into, offset));
  }

  /** Tells the records that the file is being written, and where its bytes live; before the first write. */
  async announce(index: number): Promise<void> {
    const state = this.#states[index]!;
    state.announced ??= this.#options.beforeWriting(index).then(() => void (state.writing = true)).finally(() => {
      state.announced = undefined;
    });
    await state.announced;
  }

  /**
   * Throws {@link FileChangedError} unless what stands at the file's path is as we left it and has bytes up to `end`.
   * Looks once a second, or `now`.
   */
  async inspect(index: number, end: number, now = false): Promise<void> {
    const state = this.#states[index]!;
    const time = this.#options.clock.now();
    if (!now && time - state.inspected < inspectInterval) return;
    state.inspected = time;
    // A write of ours since the last look, or during this one, moves the time as well.
    const known = state.touched ? undefined : state.modified;
    const { version } = state;
    const needed = this.#least(index, end);
    if (state.writes === 0) {
      state.touched = false;
      state.modified = known;
    }
    const stat = await this.#options.disk.lstat(this.path(index));
    const open = (state.writer?.file ?? state.reader?.file)?.stat();
    if (stat && open && stat.id !== open.id) await this.#throwChanged(index, "another file took its place", stat, true);
    const alone = state.version === version;
    await this.#expectAsLeft(index, stat, needed, alone ? known : undefined);
    if (alone && state.writes === 0) state.modified = stat!.modified;
  }

  /** Whether something may still be written to the file without the records being told before. */
  isWriting(index: number): boolean {
    return this.#states[index]!.writing;
  }

  /** Forgets how a file was left, since it changed under us: what comes next is told from how it is now. */
  async #forget(index: number, now?: FileStat): Promise<void> {
    const state = this.#states[index]!;
    const { reader, writer } = state;
    state.reader = state.writer = undefined;
    state.version++;
    state.modified = now?.modified;
    state.size = 0;
    state.inspected = -Infinity;
    for (const handle of [reader, writer]) if (handle) await this.#options.openFiles.retire(handle);
  }

  /** How the file is right now. `writing` says whether we may still write to it. */
  async stamp(index: number, writing: boolean): Promise<FileStamp> {
    const state = this.#states[index]!;
    if (state.home === "part") return { file: index, home: "part", size: 0, modified: 0, writing };
    const stat = await this.#options.disk.lstat(this.path(index));
    return { file: index, home: "file", size: stat?.size ?? 0, modified: stat?.modified ?? 0, writing };
  }

  /** Takes over what the records say, once it was found to hold. */
  resume(stamp: FileStamp): void {
    const state = this.#states[stamp.file]!;
    state.home = stamp.home;
    state.writing = stamp.writing;
    state.version++;
    if (stamp.home === "part") return;
    state.size = stamp.size;
    if (stamp.writing) return;
    state.modified = stamp.modified;
    state.touched = false;
  }

  /** Files that the records hold as being written, though nobody writes to them. With `idle`, of those not open. */
  writingFiles(idle: boolean): number[] {
    return this.indexes.filter((index) => {
      const state = this.#states[index]!;
      return state.writing && state.writes === 0 && !(idle && state.writer?.file);
    });
  }

  /** The stamp of a file that we are done with for now; the next write announces itself again. Undefined if one came. */
  async settle(index: number): Promise<FileStamp | undefined> {
    const state = this.#states[index]!;
    if (state.writes > 0 || state.announced) return undefined;
    state.writing = false;
    const stamp = await this.stamp(index, false);
    if (state.writing || state.announced || state.writes > 0) return undefined;
    this.resume(stamp);
    return stamp;
  }

  /** Creates a file that has no bytes. */
  async createEmpty(index: number): Promise<void> {
    const { folder, paths } = this.#options;
    if (!await folder.inspect(paths[index]!)) await (await folder.open(paths[index]!, true)).close();
  }

  /** Whether something stands at the file's path that may be used. */
  async exists(index: number): Promise<boolean> {
    return await this.#options.folder.inspect(this.#options.paths[index]!);
  }

  /** Cuts off what is behind the file's end. */
  async cut(index: number): Promise<void> {
    const { folder, layout, paths } = this.#options;
    const file = await folder.open(paths[index]!, true);
    try {
      if (file.stat().size > layout.files[index].length) await file.truncate(layout.files[index].length);
    } finally {
      await file.close();
    }
  }

  /** Closes what wasn't used since the last call; true while some files stay open. */
  async closeIdle(): Promise<boolean> {
    return await this.#options.openFiles.closeIdle(this.#handles());
  }

  /** Closes all files. */
  async close(): Promise<void> {
    for (const handle of this.#handles()) await this.#options.openFiles.close(handle);
  }

  /** Removes the part file, once nothing lives there. */
  async removePart(): Promise<void> {
    await this.#options.openFiles.close(this.#part);
    if (await this.#options.disk.lstat(this.#options.partFile)) await this.#options.disk.remove(this.#options.partFile);
  }

  /** Instead of writing to a file that isn't ours to write: the same bytes must be there. */
  async #expectThere(index: number, position: number, bytes: Uint8Array): Promise<void> {
    const { folder, guard, paths } = this.#options;
    const there = new Uint8Array(bytes.length);
    const file = await folder.open(paths[index]!, false);
    try {
      if (await file.read(there, position) === bytes.length && bytesEqual(there, bytes)) return;
    } finally {
      await file.close();
    }
    throw guard.refusal(index);
  }

  async #writePart(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#options.openFiles.use(this.#part, () => this.#openPart(), (file) => file.write(bytes, offset));
  }

  async #readFile({ file: index, position, length }: Span, into: Uint8Array, inspect: boolean): Promise<void> {
    const { folder, openFiles, paths } = this.#options;
    const state = this.#states[index]!;
    const handle = state.writer?.file ? state.writer : state.reader ??= new FileHandle();
    const open = () => folder.open(paths[index]!, handle === state.writer);
    try {
      await openFiles.use(handle, open, async (file) => {
        const count = await file.read(into, position);
        // After the read: whoever wrote before it has moved the time by now.
        if (inspect || count < length) {
          const known = state.touched ? undefined : state.modified;
          await this.#expectAsLeft(index, file.stat(), this.#least(index, position + length), known);
        }
      });
    } catch (error) {
      if (!(error instanceof DiskError && error.fault === "notFound")) throw error;
      await this.#throwChanged(index, "it is gone");
    }
  }

  async #readPartWhole(span: Span, into: Uint8Array): Promise<void> {
    if (await this.readPart(span.offset, into) === into.length) return;
    throw new FileChangedError(undefined, this.#options.partFile, `it ends before ${span.offset + into.length}`);
  }

  async #openPart(): Promise<DiskFile> {
    const { disk, folder, partFile } = this.#options;
    const below = folder.relative(partFile);
    if (below !== undefined) return await folder.open(below, true);
    await disk.makeDirectory(parent(partFile));
    return await disk.open(partFile, { write: true, create: true });
  }

  /** Bytes that the file has at least by now: up to `end`, and what it was left with or was written since. */
  #least(index: number, end: number): number {
    return Math.max(end, Math.min(this.#states[index]!.size, this.#options.layout.files[index].length));
  }

  /** Throws {@link FileChangedError} unless `stat` is that of the file as we left it, last written at `modified`. */
  async #expectAsLeft(index: number, stat: FileStat | undefined, needed: number, modified?: number): Promise<void> {
    const fault = !stat || stat.links === 0
      ? "it is gone"
      : stat.kind !== "file"
      ? `it is a ${stat.kind} now`
      : stat.size < needed
      ? `it has ${stat.size} bytes, at least ${needed} are expected`
      : modified !== undefined && stat.modified !== modified
      ? "somebody else wrote to it"
      : undefined;
    if (fault) await this.#throwChanged(index, fault, stat);
  }

  async #throwChanged(index: number, what: string, now?: FileStat, replaced = false): Promise<never> {
    await this.#forget(index, now);
    throw new FileChangedError(index, this.path(index), what, replaced);
  }

  *#handles(): Generator<FileHandle> {
    for (const state of this.#states) {
      if (state?.reader) yield state.reader;
      if (state?.writer) yield state.writer;
    }
    yield this.#part;
  }
}
