// Which pieces there are: a claim counts once it is committed, and whatever waits meanwhile goes with the next commit.
import type { Clock, Timer } from "../api/mod.ts";
import { Bitfield } from "../wire/mod.ts";
import { PADDING, piecesOf, spansOf } from "./layout.ts";
import { type FileStamp, PAGE_BYTES, type PieceRecords } from "./records.ts";
import type { Layout } from "./types.ts";

// Claims of fast downloads share a commit; 50 ms are nothing to peers, and 20 commits a second nothing to the disk.
const commitInterval = 50;

/** What {@link Claims} needs. */
export interface ClaimsOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly records?: PieceRecords;
  /** The pieces that were committed before. */
  readonly bits?: Uint8Array;
  committed(piece: number, wrong: readonly (readonly number[])[]): void;
  /** Every piece of the file is committed now. */
  completed(file: number): void;
  fault(error: unknown): void;
}

/** The bitfield of one torrent, in memory and on disk. */
export class Claims {
  /** Committed pieces. */
  readonly have: Bitfield;
  /** Committed pieces, and those whose claim waits. */
  readonly #next: Bitfield;
  readonly #options: ClaimsOptions;
  readonly #missing: Uint32Array;
  readonly #verified: Float64Array;
  readonly #pages = new Set<number>();
  readonly #stamps = new Map<number, FileStamp>();
  #waiting: { readonly piece: number; readonly wrong?: readonly (readonly number[])[] }[] = [];
  #running: Promise<void> = Promise.resolve();
  #batch?: Promise<void>;
  #began = -Infinity;
  #timer?: Timer;
  #closed = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    const { layout, bits } = options;
    this.have = new Bitfield(layout.pieceCount, bits);
    this.#next = new Bitfield(layout.pieceCount, bits);
    this.#verified = new Float64Array(layout.files.length);
    this.#missing = new Uint32Array(layout.files.length);
    for (const [index, { offset, length }] of layout.files.entries()) {
      const [first, end] = piecesOf(layout, index);
      for (let piece = first; piece < end; piece++) {
        const begin = Math.max(piece * layout.pieceLength, offset);
        const stop = Math.min((piece + 1) * layout.pieceLength, offset + length);
        if (this.have.has(piece)) this.#verified[index] += stop - begin;
        else this.#missing[index]++;
      }
    }
  }

  /** Whether the piece is claimed, be it committed or not. */
  has(piece: number): boolean {
    return this.#next.has(piece);
  }

  /** Committed bytes of a file. */
  verified(file: number): number {
    return this.#verified[file];
  }

  /** Whether all of a file is committed. */
  complete(file: number): boolean {
    return this.#missing[file] === 0;
  }

  /** Claims a piece that is right and on disk. Without `wrong` it is not news, so `committed` isn't called. */
  claim(piece: number, wrong?: readonly (readonly number[])[]): void {
    if (!this.#next.set(piece)) return;
    this.#pages.add(pageOf(piece));
    this.#waiting.push({ piece, wrong });
    this.#schedule();
  }

  /** Takes pieces back: at once here, with the next commit on disk. Returns those that were claimed. */
  drop(pieces: Iterable<number>): number[] {
    const dropped: number[] = [];
    for (const piece of pieces) {
      if (!this.#next.clear(piece)) continue;
      this.#pages.add(pageOf(piece));
      dropped.push(piece);
      if (this.have.clear(piece)) this.#count(piece, -1);
    }
    this.#waiting = this.#waiting.filter(({ piece }) => this.#next.has(piece));
    return dropped;
  }

  /** Notes how a file is; committed with the next commit. */
  stamp(stamp: FileStamp): void {
    this.#stamps.set(stamp.file, stamp);
    this.#schedule();
  }

  /** Resolves when everything noted so far is committed; rejects when it can't be, and keeps it for the next time. */
  commit(): Promise<void> {
    return this.#batch ??= this.#commitNext();
  }

  /** Commits nothing more of its own accord, only by {@link commit}. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** Commits within {@link commitInterval}, at once when the last commit is longer ago. */
  #schedule(): void {
    if (this.#timer || this.#batch || this.#closed) return;
    const wait = this.#began + commitInterval - this.#options.clock.now();
    const run = () => {
      this.#timer = undefined;
      this.commit().catch(this.#options.fault);
    };
    if (wait <= 0) run();
    else this.#timer = this.#options.clock.after(wait, run);
  }

  async #commitNext(): Promise<void> {
    await this.#running.catch(() => {});
    this.#batch = undefined;
    this.#began = this.#options.clock.now();
    this.#running = this.#run();
    await this.#running;
  }

  async #run(): Promise<void> {
    const claims = this.#waiting;
    const pages = [...this.#pages];
    const stamps = [...this.#stamps.values()];
    this.#waiting = [];
    this.#pages.clear();
    this.#stamps.clear();
    const bits = this.#next.bytes;
    try {
      await this.#options.records?.commit({
        pages: pages.map((page) => ({ page, bits: bits.slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES) })),
        stamps,
      });
    } catch (error) {
      this.#waiting = [...claims.filter(({ piece }) => this.#next.has(piece)), ...this.#waiting];
      for (const page of pages) this.#pages.add(page);
      for (const stamp of stamps) if (!this.#stamps.has(stamp.file)) this.#stamps.set(stamp.file, stamp);
      throw error;
    }
    for (const { piece, wrong } of claims) {
      // It may have been taken back while the commit ran.
      if (!this.#next.has(piece)) continue;
      if (this.have.set(piece)) this.#count(piece, 1);
      if (wrong) this.#options.committed(piece, wrong);
    }
  }

  #count(piece: number, sign: 1 | -1): void {
    const { layout, completed } = this.#options;
    for (const { file, length } of spansOf(layout.files, piece * layout.pieceLength, layout.pieceSize(piece))) {
      if (file === PADDING) continue;
      this.#verified[file] += sign * length;
      this.#missing[file] -= sign;
      if (this.#missing[file] === 0) completed(file);
    }
  }
}

function pageOf(piece: number): number {
  return Math.floor(piece / (PAGE_BYTES * 8));
}
