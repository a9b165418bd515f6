import type { Budget, BufferHolder } from "./memory.ts";
import { MAX_BUFFER_BYTES } from "./memory.ts";
import { ByteRanges } from "./byte_ranges.ts";
import type { Layout, Verifier } from "./types.ts";

/**
 * A run of bytes of an open piece: the unit that is buffered, hashed and written. Every byte that came is in the
 * buffer, on disk, or both.
 */
export class Chunk implements BufferHolder {
  declare older?: this;
  declare newer?: this;
  listed = false;
  buffer?: Uint8Array;
  readonly held = new ByteRanges();
  readonly buffered = new ByteRanges();
  readonly onDisk = new ByteRanges();
  /** Bytes from its start that are hashed. */
  fed = 0;
  /** A write of it is queued or under way. */
  writing = false;
  /** It is being read back or hashed, so its buffer must stay. */
  reading = false;
  readonly #spill: (chunk: Chunk) => void;

  constructor(
    readonly piece: OpenPiece,
    /** Byte in the piece where it begins. */
    readonly begin: number,
    readonly size: number,
    spill: (chunk: Chunk) => void,
  ) {
    this.#spill = spill;
  }

  get full(): boolean {
    return this.held.size === this.size;
  }

  /** All of it is in the buffer. */
  get whole(): boolean {
    return this.buffered.size === this.size;
  }

  get clean(): boolean {
    return this.onDisk.size === this.held.size;
  }

  get hashed(): boolean {
    return this.fed === this.size;
  }

  /** Copies what it doesn't hold of `length` bytes, which belong at `at`. */
  put(budget: Budget, at: number, bytes: Uint8Array, offset: number, length: number): void {
    const end = at + length;
    let from = this.held.nextOut(at);
    if (from >= end) return;
    const buffer = this.buffer ?? budget.take(this, this.size);
    while (from < end) {
      const to = Math.min(this.held.nextIn(from), end);
      const whole = to - from === bytes.length;
      buffer.set(whole ? bytes : bytes.subarray(offset + from - at, offset + to - at), from);
      this.held.add(from, to);
      this.buffered.add(from, to);
      from = this.held.nextOut(to);
    }
  }

  /** Returns the buffer; what is only there is gone. */
  release(budget: Budget): void {
    this.buffered.clear();
    budget.release(this);
  }

  giveUp(): void {
    this.#spill(this);
  }
}

/**
 * - `filling`: bytes are missing, or not hashed yet
 * - `failed`: the verifier said no
 * - `unknown`: complete, but the verifier can't say yet
 * - `verified`: right; its claim follows once all is on disk
 */
export type OpenPieceState = "filling" | "failed" | "unknown" | "verified";

/** A piece that is being put together. */
export class OpenPiece {
  state: OpenPieceState = "filling";
  /** Of each chunk that got bytes. */
  readonly chunks: (Chunk | undefined)[];
  readonly chunkSize: number;
  readonly size: number;
  /** Byte in the torrent where it begins. */
  readonly offset: number;
  /** The first chunk that isn't hashed to its end. */
  frontier = 0;
  verifier: Verifier;
  /** It was discarded: what still runs for it has no effect. */
  dead = false;
  /** It waits for, or is in, the loop that hashes what the frontier left behind. */
  catchingUp = false;
  /** The last step, comparing with failed attempts, has begun. */
  finishing = false;
  /** Writes of an earlier attempt, which must settle before this one's begin. */
  predecessor?: Promise<void>;
  #writes = 0;
  #settled?: PromiseWithResolvers<void>;

  constructor(readonly index: number, layout: Layout) {
    this.size = layout.pieceSize(index);
    this.offset = index * layout.pieceLength;
    this.chunkSize = Math.min(layout.pieceLength, MAX_BUFFER_BYTES);
    this.chunks = new Array(Math.ceil(this.size / this.chunkSize));
    this.verifier = layout.verifier(index);
  }

  /** The chunk that is next to be hashed, if all its bytes are there. */
  get nextToHash(): Chunk | undefined {
    const chunk = this.state === "filling" ? this.chunks[this.frontier] : undefined;
    return chunk?.full ? chunk : undefined;
  }

  get hashed(): boolean {
    return this.frontier === this.chunks.length;
  }

  /** Whether everything that came is on disk and no write is under way. */
  get settled(): boolean {
    return this.#writes === 0 && this.chunks.every((chunk) => !chunk || chunk.clean);
  }

  /** Resolves when no write is under way; undefined when there is none. */
  get writesSettled(): Promise<void> | undefined {
    return this.#writes === 0 ? undefined : (this.#settled ??= Promise.withResolvers()).promise;
  }

  beginWrite(): void {
    this.#writes++;
  }

  endWrite(): void {
    if (--this.#writes > 0) return;
    this.#settled?.resolve();
    this.#settled = undefined;
  }
}
