/**
 * One source of blocks that is no peer: what the picker, the limits and the blame see of it.
 *
 * @module
 */
import type { Clock, SourceKind, SourceRun, SourceSnapshot, SourceStatus } from "../../api/mod.ts";
import type { PieceStore } from "../../store/mod.ts";
import { Bitfield, type Info } from "../../wire/mod.ts";
import { limitWait, type RateLimiter, RateMeter } from "../rate_limit.ts";
import { BLOCK_SIZE, blockSize } from "./blocks.ts";
import { type BlockRun, type BlockSource, nextSourceKey, type Picker, type RunSource } from "./picker.ts";

/** What a source needs of its swarm. */
export interface SourceHost {
  readonly clock: Clock;
  readonly downLimit: RateLimiter;
  readonly store: PieceStore | undefined;
  readonly picker: Picker | undefined;
  /** Blocks are wanted now: not paused, checking or failed. */
  readonly fetching: boolean;
  readonly blockSources: Iterable<BlockSource>;
  /** Resolves when the store takes blocks again. */
  drained(): Promise<void>;
  /** Bytes of a block begin to come from it. */
  blockBegan(source: Source, piece: number, block: number): void;
  downloaded(bytes: number, now: number): void;
  wasted(bytes: number): void;
}

/** Where a source is, and who speaks with it. */
export interface SourceOrigin {
  readonly url: URL;
  readonly kind: SourceKind;
  /** The entry whose plugin fetches. */
  readonly plugin: string;
}

// Lies that are laid to single files; with one more the whole server counts as a liar.
const MAX_LIES = 3;

export class Source implements RunSource {
  readonly key: number = nextSourceKey();
  readonly origin: SourceOrigin;
  readonly down = new RateMeter();
  cursor = 0;
  status: SourceStatus | undefined;
  /** Why it is of no further use. */
  failure: string | undefined;

  readonly #host: SourceHost;
  readonly #info: Info;
  readonly #offered: Bitfield;
  readonly #runs = new Set<Run>();
  #lies = 0;

  constructor(host: SourceHost, info: Info, origin: SourceOrigin) {
    this.#host = host;
    this.#info = info;
    this.origin = origin;
    this.#offered = new Bitfield(info.pieceCount);
    this.#offered.setAll();
  }

  /** See {@link SourceSwarm.take}. */
  take(bytes: number): SourceRun | undefined {
    const { picker, fetching } = this.#host;
    if (!picker || !fetching || this.failure !== undefined) return undefined;
    const picked = picker.pickRun(this, bytes);
    if (!picked) return undefined;
    const run = new Run(this.#host, this.#info, this, picked, () => this.#runs.delete(run));
    this.#runs.add(run);
    return run;
  }

  /** See {@link SourceSwarm.lacks}. */
  lacks(offset: number, length: number): void {
    const { pieceLength, pieceCount } = this.#info;
    const last = Math.min(pieceCount - 1, Math.floor((offset + length - 1) / pieceLength));
    for (let piece = Math.max(0, Math.floor(offset / pieceLength)); piece <= last; piece++) this.#offered.clear(piece);
  }

  /**
   * It was proven to have sent wrong bytes of a piece: its files are not asked of it again, and after a few such lies
   * nothing is.
   *
   * @returns whether it is of no further use
   */
  lied(piece: number, why: string): boolean {
    const { files, pieceLength } = this.#info;
    const [from, to] = [piece * pieceLength, piece * pieceLength + this.#info.pieceSize(piece)];
    for (const { offset, length, pad } of files) {
      if (!pad && offset < to && offset + length > from) this.lacks(offset, length);
    }
    if (++this.#lies <= MAX_LIES && !this.#offered.empty) return false;
    this.failure = why;
    return true;
  }

  /** Gives back all that is under way. */
  release(): void {
    for (const run of [...this.#runs]) run.release();
    this.#host.picker?.forget(this.key);
  }

  snapshot(now: number): SourceSnapshot {
    const { url, kind, plugin } = this.origin;
    const shown = new URL(url);
    shown.username = shown.password = "";
    const { state = "working", error, retryAt } = this.status ?? {};
    return {
      url: shown.href,
      kind,
      plugin,
      state: this.failure === undefined ? state : "failed",
      error: this.failure ?? error,
      retryAt: this.failure === undefined ? retryAt : undefined,
      down: this.down.rate(now),
      downloaded: this.down.total,
      requested: [...this.#runs].reduce((sum, { length, done }) => sum + length - done, 0),
    };
  }

  // As the picker sees it.

  has(piece: number): boolean {
    return this.#offered.has(piece);
  }

  get complete(): boolean {
    return this.#offered.full;
  }

  rate(now: number): number {
    return this.down.rate(now);
  }

  hasRequested(piece: number, block: number): boolean {
    for (const run of this.#runs) if (run.awaits(piece, block)) return true;
    return false;
  }

  cancel(): void {
    // The row goes on: what it brings of that block is thrown away.
  }
}

/** See {@link SourceRun}. */
class Run implements SourceRun {
  readonly offset: number;
  readonly length: number;
  readonly #host: SourceHost;
  readonly #info: Info;
  readonly #source: Source;
  readonly #ended: () => void;
  #done = 0;
  #over = false;
  /** The block that is coming is wanted. */
  #wanted = false;

  constructor(host: SourceHost, info: Info, source: Source, { piece, block, length }: BlockRun, ended: () => void) {
    this.#host = host;
    this.#info = info;
    this.#source = source;
    this.#ended = ended;
    this.offset = piece * info.pieceLength + block * BLOCK_SIZE;
    this.length = length;
  }

  get done(): number {
    return this.#done;
  }

  get wanted(): boolean {
    if (this.#over) return false;
    for (const [piece, block] of this.#rest()) if (this.#host.picker?.wantsBlock(piece, block)) return true;
    return false;
  }

  /** Whether a block is part of it and has not come. */
  awaits(piece: number, block: number): boolean {
    const begin = piece * this.#info.pieceLength + block * BLOCK_SIZE;
    const end = begin + blockSize(this.#info, piece, block);
    return end > this.offset + this.#done && begin < this.offset + this.length;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over) throw new Error("Cannot write: the run is over");
    if (this.#done + bytes.length > this.length) {
      this.release();
      throw new RangeError(`Cannot write ${bytes.length} bytes: the run has ${this.length - this.#done} left`);
    }
    const { clock, downLimit, store } = this.#host;
    const now = clock.now();
    for (let at = 0; at < bytes.length;) at += this.#writeBlock(bytes, at, now);
    if (this.#done === this.length) this.#end();
    const missing = bytes.length - downLimit.take(now, bytes.length);
    if (missing > 0 || store?.backlog) return this.#wait(missing);
  }

  release(): void {
    if (this.#over) return;
    for (const [piece, block] of this.#rest()) this.#host.picker?.release(piece, block, this.#source.key);
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#ended();
  }

  /** Writes what `bytes` have of one block, and returns how much that was. */
  #writeBlock(bytes: Uint8Array, at: number, now: number): number {
    const { picker, store } = this.#host;
    if (!picker || !store) {
      this.#end();
      throw new Error("Cannot write: the swarm rests");
    }
    const { pieceLength } = this.#info;
    const position = this.offset + this.#done;
    const piece = Math.floor(position / pieceLength);
    const inPiece = position - piece * pieceLength;
    const block = Math.floor(inPiece / BLOCK_SIZE);
    const begin = block * BLOCK_SIZE;
    const size = blockSize(this.#info, piece, block);
    const length = Math.min(bytes.length - at, begin + size - inPiece);
    if (inPiece === begin) {
      this.#wanted = picker.wantsBlock(piece, block);
      if (this.#wanted) this.#host.blockBegan(this.#source, piece, block);
    }
    if (this.#wanted) store.write(piece, inPiece, bytes.subarray(at, at + length));
    this.#done += length;
    this.#source.down.add(now, length);
    if (inPiece + length === begin + size) {
      if (!this.#wanted) this.#host.wasted(size);
      else {
        this.#host.downloaded(size, now);
        picker.received(piece, block, this.#host.blockSources, this.#source);
      }
    }
    return length;
  }

  /** Waits until the limits have had `missing` more bytes, and the store takes blocks. */
  async #wait(missing: number): Promise<void> {
    const { clock, downLimit } = this.#host;
    while (missing > 0 && this.#host.fetching) {
      missing -= downLimit.take(clock.now(), missing);
      if (missing > 0) {
        await new Promise<void>((resolve) =>
          void clock.after(limitWait(downLimit, clock.now(), Math.min(missing, BLOCK_SIZE)), resolve)
        );
      }
    }
    while (this.#host.store?.backlog) await this.#host.drained();
  }

  /** The blocks that have not come whole. */
  *#rest(): Iterable<readonly [piece: number, block: number]> {
    const { pieceLength } = this.#info;
    for (let position = this.offset + this.#done; position < this.offset + this.length;) {
      const piece = Math.floor(position / pieceLength);
      const block = Math.floor((position - piece * pieceLength) / BLOCK_SIZE);
      yield [piece, block];
      position = piece * pieceLength + block * BLOCK_SIZE + blockSize(this.#info, piece, block);
    }
  }
}
