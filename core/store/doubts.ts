// What changed is looked at, not thrown away: the pieces of a file that isn't as it was left are hashed again, and those
// that are still right are kept. Where most of what there was is gone, as on a disk that isn't mounted, nothing is
// given up: that is for the user to say.
import type { Clock, Disk } from "../api/mod.ts";
import { type CheckOptions, checkPieces, isRight } from "./check.ts";
import type { Claims } from "./claims.ts";
import type { TorrentFiles } from "./files.ts";
import { PADDING, piecesOf, spansOf } from "./layout.ts";
import { type FileStamp, UNSURE } from "./records.ts";
import type { Layout } from "./types.ts";

// With more than this share of the claimed bytes lost, it is not damage that a download mends: the data is elsewhere.
const MOST = 1 / 2;

/** Most of what a torrent had is missing or differs. Nothing was dropped: it may come back. */
export class FilesGoneError extends Error {
  override readonly name = "FilesGoneError";

  constructor(what: string, pieces: number) {
    super(
      `its files are gone: ${what}, ${pieces} pieces in all; bring them back, or let what is missing be fetched again: ` +
        '"weft recheck" where it runs, or "weft get --recheck"',
    );
  }
}

/** What {@link Doubts} needs. */
export interface DoubtsOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly layout: Layout;
  readonly files: TorrentFiles;
  readonly partFile: string;
  readonly claims: Claims;
  /** Whether the file is the torrent's own. */
  isOwn(file: number): Promise<boolean>;
  /** Notes how long a file was found to be. */
  measure(stamp: FileStamp): void;
  /** A piece is right: its files are the torrent's own. */
  adopt(piece: number): void;
}

/** How {@link Doubts.look} is done. */
export interface LookOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (piecesChecked: number) => void;
  /** The user asked for it: what is gone is given up, however much it is. */
  readonly told: boolean;
  /** Called when most of the files are there, before they are hashed. */
  readonly there?: () => void;
}

/** What came of a look: claimed pieces that are still right, and those that were lost. */
export interface LookOutcome {
  readonly right: number;
  readonly lost: readonly number[];
}

/** The files of one torrent that changed under us, and their pieces, which count only once they were hashed again. */
export class Doubts {
  readonly #options: DoubtsOptions;
  /** By file, how often it was doubted: it may change again while it is looked at. */
  readonly #files = new Map<number, number>();
  /** What is to be hashed. */
  readonly #pieces = new Set<number>();
  /** Those of them that were hashed ahead of the others, and are right. */
  readonly #cleared = new Set<number>();
  /** Why the last look gave up, and how the files were then. */
  #gone?: { readonly error: FilesGoneError; readonly stamps: ReadonlyMap<number, FileStamp> };

  constructor(options: DoubtsOptions) {
    this.#options = options;
  }

  /** Whether any file is in doubt. */
  get any(): boolean {
    return this.#files.size > 0;
  }

  has(file: number): boolean {
    return this.#files.has(file);
  }

  /** Whether the piece has to be hashed before it is given out. */
  covers(piece: number): boolean {
    return this.#pieces.has(piece) && !this.#cleared.has(piece);
  }

  /** Doubts a file: its claimed pieces, or with `whole` all of them. */
  add(file: number, whole = false): void {
    const { layout, claims } = this.#options;
    this.#files.set(file, (this.#files.get(file) ?? 0) + 1);
    const [first, end] = piecesOf(layout, file);
    for (let piece = first; piece < end; piece++) {
      this.#cleared.delete(piece);
      if (whole || claims.has(piece)) this.#pieces.add(piece);
    }
  }

  /** Tells the records with the next commit that a file is in doubt, so that it is also after a kill. */
  note(file: number): void {
    const { claims, files } = this.#options;
    claims.stamp(this.#unsure(file, files.isWriting(file)));
  }

  /** Doubts everything, also what no file holds. */
  addAll(): void {
    for (const file of this.#options.files.indexes) this.add(file, true);
    for (let piece = 0; piece < this.#options.layout.pieceCount; piece++) this.#pieces.add(piece);
  }

  /** What the records are to know of a file: its stamp means nothing while it is in doubt. */
  tell(stamp: FileStamp): FileStamp {
    return this.has(stamp.file) ? this.#unsure(stamp.file, stamp.writing) : stamp;
  }

  /** Hashes one piece ahead of the others, for somebody who waits for it. */
  async clear(piece: number): Promise<boolean> {
    const found = await this.#usable(this.#filesOf(piece));
    if (!await isRight(this.#checkOptions(found), piece)) return false;
    if (this.#pieces.has(piece)) this.#cleared.add(piece);
    return true;
  }

  /**
   * Hashes what is in doubt: what is right is claimed, the rest dropped.
   *
   * @throws {FilesGoneError} when that is most of what there was, unless `told`; all stays in doubt then
   */
  async look({ signal, onProgress, told, there }: LookOptions): Promise<LookOutcome> {
    const { claims, files, isOwn } = this.#options;
    const round = new Map(this.#files);
    const stamps = new Map<number, FileStamp>();
    for (const file of round.keys()) {
      const stamp = await files.settle(file) ?? await files.stamp(file, true);
      this.#options.measure(stamp);
      stamps.set(file, stamp);
    }
    const usable = await this.#usable(files.indexes);
    if (!told) {
      this.#refuseLoss([...this.#pieces].filter((piece) => this.#isGone(piece, usable, stamps)), usable, stamps);
    }
    there?.();
    const lost: number[] = [];
    let count = 0;
    let right = 0;
    await checkPieces(this.#checkOptions(usable), [...this.#pieces], (piece, isRight) => {
      onProgress?.(++count);
      if (!isRight) return void lost.push(piece);
      this.#options.adopt(piece);
      if (claims.has(piece)) right++;
      else claims.claim(piece);
    }, signal);
    const dropped = lost.filter((piece) => claims.has(piece));
    if (!told) this.#refuseLoss(dropped, usable, stamps);
    for (const [file, times] of round) if (this.#files.get(file) === times) this.#files.delete(file);
    this.#pieces.clear();
    this.#cleared.clear();
    for (const file of this.#files.keys()) this.add(file);
    claims.drop(dropped);
    for (const [file, stamp] of stamps) {
      if (await isOwn(file)) claims.stamp(this.tell({ ...stamp, writing: files.isWriting(file) }));
    }
    return { right, lost: dropped };
  }

  /**
   * Throws what the last look threw when it found most of the files gone, as long as they are as they were then: hashing
   * them again would find the same.
   */
  async expectOther(): Promise<void> {
    if (!this.#gone) return;
    for (const [file, { size, modified }] of this.#gone.stamps) {
      const stamp = await this.#options.files.stamp(file, false);
      if (stamp.size !== size || stamp.modified !== modified) return;
    }
    throw this.#gone.error;
  }

  /** Believes everything. */
  dismiss(): void {
    this.#files.clear();
    this.#pieces.clear();
    this.#cleared.clear();
  }

  #unsure(file: number, writing: boolean): FileStamp {
    return { file, home: this.#options.files.home(file), size: UNSURE, modified: 0, writing };
  }

  #checkOptions(usable: CheckOptions["usable"]): CheckOptions {
    return { ...this.#options, usable };
  }

  #filesOf(piece: number): number[] {
    const { layout } = this.#options;
    return spansOf(layout.files, piece * layout.pieceLength, layout.pieceSize(piece))
      .map(({ file }) => file).filter((file) => file !== PADDING);
  }

  /** Those of the files that are there. */
  async #usable(candidates: readonly number[]): Promise<Set<number>> {
    const { files } = this.#options;
    const usable = new Set<number>();
    for (const file of candidates) {
      if (files.home(file) === "file" && await files.exists(file)) usable.add(file);
    }
    return usable;
  }

  /** Whether a claimed piece can't be right any more, by what there is of its files. */
  #isGone(piece: number, usable: ReadonlySet<number>, stamps: ReadonlyMap<number, FileStamp>): boolean {
    const { layout, claims, files } = this.#options;
    if (!claims.has(piece)) return false;
    return spansOf(layout.files, piece * layout.pieceLength, layout.pieceSize(piece)).some(
      ({ file, position, length }) => {
        if (file === PADDING || files.home(file) === "part") return false;
        return !usable.has(file) || position + length > (stamps.get(file)?.size ?? Infinity);
      },
    );
  }

  #refuseLoss(lost: readonly number[], usable: ReadonlySet<number>, stamps: ReadonlyMap<number, FileStamp>): void {
    const { layout, claims, files } = this.#options;
    const bytes = lost.reduce((sum, piece) => sum + layout.pieceSize(piece), 0);
    let claimed = 0;
    for (let piece = 0; piece < layout.pieceCount; piece++) if (claims.has(piece)) claimed += layout.pieceSize(piece);
    if (bytes <= claimed * MOST) return;
    const changed = [...stamps.keys()].filter((file) => layout.files[file].length > 0);
    const first = changed.find((file) => !usable.has(file)) ?? changed[0];
    const { length } = layout.files[first];
    const { size } = stamps.get(first)!;
    const what = files.home(first) === "part"
      ? "what unwanted files had"
      : `"${files.path(first)}" ${
        !usable.has(first) ? "is missing" : size < length ? `has ${size} of ${length} bytes` : "is another"
      }`;
    const error = new FilesGoneError(
      changed.length > 1 ? `${what}, so are ${changed.length - 1} more` : what,
      lost.length,
    );
    this.#gone = { error, stamps };
    throw error;
  }
}
