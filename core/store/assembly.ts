// Puts pieces together: blocks in any order -> chunks -> hashed in order, written as they fill. Memory holds only what
// is neither written nor hashed yet, so a piece of 16 MiB costs no more than a small one.
import type { Clock } from "../api/mod.ts";
import { BlockDigester, type BlockDigests, FailedAttempts } from "./attempts.ts";
import type { TorrentFiles } from "./files.ts";
import { type Budget, MAX_BUFFER_BYTES } from "./memory.ts";
import { Chunk, OpenPiece } from "./open_piece.ts";
import type { Layout } from "./types.ts";

// Enough to keep a disk busy; more would only wait in the operating system instead of here.
const MAX_WRITES = 16;
// Hashing has a cost per call, so that it isn't called for every fragment.
const MIN_FEED_BYTES = 32 * 1024;

/** What {@link Assembly} needs. The callbacks are never called from inside `write`. */
export interface AssemblyOptions {
  readonly layout: Layout;
  readonly files: TorrentFiles;
  readonly budget: Budget;
  readonly clock: Clock;
  /** The piece is right and on disk. */
  verified(piece: number, wrong: readonly (readonly number[])[]): void;
  /** The piece was wrong and is empty again. */
  failed(piece: number): void;
  /** The piece is empty again since the disk refused and its memory was needed. */
  lost(piece: number): void;
  /** The disk refused, or a file changed under us; the assembly is stopped. */
  fault(error: unknown): void;
}

/** The open pieces of one torrent. */
export class Assembly {
  readonly #options: AssemblyOptions;
  readonly #pieces = new Map<number, OpenPiece>();
  readonly #attempts = new FailedAttempts();
  readonly #queue: Chunk[] = [];
  readonly #behind: OpenPiece[] = [];
  /** Writes of discarded attempts that are still under way, by piece. */
  readonly #leftovers = new Map<number, Promise<void>>();
  #writes = 0;
  #catchingUp?: Promise<void>;
  #finishing = new Set<Promise<void>>();
  #stopped = false;
  /** Stopped because the disk refused: what memory needs back is lost, as it can't be written. */
  #faulty = false;
  /** Chunks that were asked for their buffers while stopped, and the bytes that they promised. */
  readonly #deferred: { readonly chunk: Chunk; readonly bytes: number }[] = [];
  #idle?: PromiseWithResolvers<void>;

  constructor(options: AssemblyOptions) {
    this.#options = options;
  }

  /** The pieces that hold bytes. */
  get open(): Iterable<number> {
    return this.#pieces.keys();
  }

  /** Takes bytes of a piece; those it has are ignored. Throws RangeError when they don't lie in the piece. */
  write(index: number, begin: number, bytes: Uint8Array): void {
    const piece = this.#pieces.get(index) ?? this.#begin(index);
    if (begin < 0 || begin + bytes.length > piece.size) {
      throw new RangeError(
        `Cannot write to piece ${index}: it has ${piece.size} bytes, current range is ${begin} to ${
          begin + bytes.length
        }`,
      );
    }
    if (piece.state !== "filling") return;
    for (let offset = 0; offset < bytes.length;) {
      const number = Math.floor((begin + offset) / piece.chunkSize);
      const chunk = piece.chunks[number] ??= this.#chunk(piece, number);
      const at = begin + offset - chunk.begin;
      const length = Math.min(chunk.size - at, bytes.length - offset);
      if (!chunk.full) {
        chunk.put(this.#options.budget, at, bytes, offset, length);
        if (chunk.full) this.#filled(chunk);
        else {
          this.#feedStart(chunk);
          if (chunk.buffer && !chunk.writing) this.#offer(chunk);
        }
      }
      offset += length;
    }
  }

  /** Forgets an unfinished piece; true when there was one. */
  discard(index: number): boolean {
    const piece = this.#pieces.get(index);
    if (!piece || piece.state === "verified") return false;
    this.#drop(piece);
    return true;
  }

  /** Forgets a piece in whatever state it is, since its file changed; true when there was one. */
  forget(index: number): boolean {
    const piece = this.#pieces.get(index);
    if (piece) this.#drop(piece);
    return piece !== undefined;
  }

  /** Judges a complete piece again whose verifier couldn't say. */
  reverify(index: number): void {
    const piece = this.#pieces.get(index);
    if (piece?.state !== "unknown") return;
    piece.state = "filling";
    piece.frontier = 0;
    piece.verifier = this.#options.layout.verifier(index);
    for (const chunk of piece.chunks) chunk!.fed = 0;
    this.#hashOn(piece);
  }

  /** Begins no more disk work, and resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#catchingUp;
    await Promise.all(this.#finishing);
    if (this.#writes > 0) await (this.#idle ??= Promise.withResolvers()).promise;
  }

  /** Begins no more disk work until {@link resume}, since the disk refused. */
  halt(): void {
    this.#stopped = true;
    this.#faulty = true;
    this.#undefer();
  }

  /** Goes on after {@link stop} or {@link halt}. */
  resume(): void {
    this.#stopped = false;
    this.#faulty = false;
    this.#undefer();
    for (const piece of this.#pieces.values()) {
      for (const chunk of piece.chunks) if (chunk?.full && piece.state !== "failed") this.#save(chunk);
      this.#hashOn(piece);
      this.#finish(piece);
    }
    this.#saveNext();
  }

  /** Resolves when every complete piece is judged and on disk; with `partial`, also the bytes of the others. */
  async flush(partial: boolean): Promise<void> {
    for (const piece of partial ? this.#pieces.values() : []) {
      for (const chunk of piece.chunks) if (chunk && piece.state !== "failed") this.#save(chunk);
    }
    while (!this.#stopped && (this.#catchingUp || this.#finishing.size > 0 || this.#writes > 0)) {
      await this.#catchingUp;
      await Promise.all(this.#finishing);
      if (this.#writes > 0) await (this.#idle ??= Promise.withResolvers()).promise;
    }
  }

  /** Forgets all open pieces. */
  clear(): void {
    for (const piece of this.#pieces.values()) this.#drop(piece);
    this.#undefer();
  }

  #begin(index: number): OpenPiece {
    const piece = new OpenPiece(index, this.#options.layout);
    piece.predecessor = this.#leftovers.get(index);
    this.#pieces.set(index, piece);
    return piece;
  }

  #chunk(piece: OpenPiece, number: number): Chunk {
    const begin = number * piece.chunkSize;
    const size = Math.min(piece.chunkSize, piece.size - begin);
    return new Chunk(piece, begin, size, (chunk) => this.#spill(chunk));
  }

  #filled(chunk: Chunk): void {
    const { piece } = chunk;
    if (!chunk.writing) this.#options.budget.pin(chunk);
    // At once while it is hot; what was spilled before its last byte came is read back first.
    if (piece.nextToHash === chunk && chunk.whole && !piece.catchingUp) this.#feed(chunk);
    this.#hashOn(piece);
    this.#rest(chunk);
  }

  /** Hashes what a chunk at the frontier begins with: the work comes evenly, while the bytes are hot. */
  #feedStart(chunk: Chunk): void {
    const { piece } = chunk;
    if (piece.chunks[piece.frontier] !== chunk || piece.catchingUp) return;
    const end = chunk.buffered.nextOut(chunk.fed);
    if (end - chunk.fed < MIN_FEED_BYTES) return;
    piece.verifier.update(chunk.buffer!.subarray(chunk.fed, end));
    chunk.fed = end;
  }

  #feed(chunk: Chunk): void {
    const { piece } = chunk;
    piece.verifier.update(chunk.buffer!.subarray(chunk.fed, chunk.size));
    chunk.fed = chunk.size;
    piece.frontier++;
    if (!piece.hashed) return;
    const verdict = piece.verifier.finish();
    piece.state = verdict === "unknown" ? "unknown" : verdict ? "verified" : "failed";
    if (piece.state === "failed") this.#track(this.#fail(piece));
  }

  /**
   * Whenever the next chunk to hash may have become full: it is hashed, and those after it, one a turn so that the main
   * thread never stalls. A full chunk at the frontier always has this under way, unless the assembly is stopped.
   */
  #hashOn(piece: OpenPiece): void {
    if (piece.catchingUp || !piece.nextToHash) return;
    piece.catchingUp = true;
    this.#behind.push(piece);
    this.#catchingUp ??= Promise.resolve().then(() => this.#catchUpAll());
  }

  async #catchUpAll(): Promise<void> {
    for (let piece = this.#behind.shift(); piece; piece = this.#behind.shift()) {
      try {
        while (piece.nextToHash && !piece.dead && !this.#stopped) await this.#hashNext(piece);
      } catch (error) {
        this.#fault(error);
      } finally {
        piece.catchingUp = false;
      }
      this.#finish(piece);
    }
    this.#catchingUp = undefined;
  }

  async #hashNext(piece: OpenPiece): Promise<void> {
    const { budget, clock } = this.#options;
    const chunk = piece.nextToHash!;
    chunk.reading = true;
    if (!chunk.writing) budget.pin(chunk);
    try {
      await clock.turn();
      if (!chunk.whole) await this.#readBack(chunk);
      if (!piece.dead) this.#feed(chunk);
    } finally {
      chunk.reading = false;
      if (!chunk.writing) this.#rest(chunk);
    }
  }

  async #readBack(chunk: Chunk): Promise<void> {
    const buffer = chunk.buffer ?? this.#options.budget.take(chunk, chunk.size);
    for (const [start, end] of chunk.onDisk.minus(chunk.buffered)) {
      await this.#options.files.read(chunk.piece.offset + chunk.begin + start, buffer.subarray(start, end));
      chunk.buffered.add(start, end);
    }
  }

  /** Puts a chunk that nothing works on where it belongs: to the pool, among those that may be spilled, or to disk. */
  #rest(chunk: Chunk): void {
    const { budget } = this.#options;
    if (!chunk.buffer || chunk.reading || chunk.writing) return;
    if (chunk.piece.dead || (chunk.clean && (chunk.hashed || budget.over))) chunk.release(budget);
    else if (chunk.piece.state === "failed") budget.pin(chunk);
    else if (chunk.full && !chunk.clean && !this.#stopped) this.#save(chunk);
    else this.#offer(chunk);
  }

  /** Lets memory be taken from a chunk that nothing works on: at once, where too little could be had before. */
  #offer(chunk: Chunk): void {
    const { budget } = this.#options;
    budget.touch(chunk);
    if (budget.over) budget.reclaim();
  }

  /** Memory is needed: a clean buffer goes at once, a dirty one is written first. */
  #spill(chunk: Chunk): void {
    const { budget, lost } = this.#options;
    if (chunk.clean) return chunk.release(budget);
    if (!this.#stopped) return this.#save(chunk);
    const bytes = chunk.buffer!.length;
    budget.promise(bytes);
    if (!this.#faulty) return void this.#deferred.push({ chunk, bytes });
    queueMicrotask(() => {
      if (!chunk.piece.dead && this.#faulty) {
        this.#drop(chunk.piece);
        lost(chunk.piece.index);
      } else this.#rest(chunk);
      budget.settle(bytes);
    });
  }

  #undefer(): void {
    for (const { chunk, bytes } of this.#deferred.splice(0)) {
      this.#rest(chunk);
      this.#options.budget.settle(bytes);
    }
  }

  #save(chunk: Chunk): void {
    if (chunk.writing || chunk.clean || this.#stopped) return;
    const { budget } = this.#options;
    chunk.writing = true;
    chunk.piece.beginWrite();
    budget.pin(chunk);
    budget.promise(chunk.buffer!.length);
    this.#queue.push(chunk);
    this.#saveNext();
  }

  #saveNext(): void {
    while (this.#writes < MAX_WRITES && this.#queue.length > 0) {
      this.#writes++;
      void this.#saveNow(this.#queue.shift()!);
    }
  }

  async #saveNow(chunk: Chunk): Promise<void> {
    const { budget, files } = this.#options;
    const { piece } = chunk;
    const buffer = chunk.buffer!;
    try {
      if (piece.predecessor) await piece.predecessor;
      for (const [start, end] of chunk.buffered.minus(chunk.onDisk)) {
        if (piece.dead || this.#stopped) break;
        await files.write(piece.offset + chunk.begin + start, buffer.subarray(start, end));
        chunk.onDisk.add(start, end);
      }
    } catch (error) {
      this.#fault(error);
    }
    this.#writes--;
    chunk.writing = false;
    this.#rest(chunk);
    budget.settle(buffer.length);
    piece.endWrite();
    this.#finish(piece);
    this.#saveNext();
    if (this.#writes === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
  }

  #fault(error: unknown): void {
    this.#stopped = true;
    this.#options.fault(error);
  }

  /** Hands over a piece that is right and on disk. */
  #finish(piece: OpenPiece): void {
    if (piece.state !== "verified" || piece.finishing || piece.dead || !piece.settled) return;
    piece.finishing = true;
    if (!this.#attempts.has(piece.index)) return this.#handOver(piece, []);
    this.#track(
      this.#digests(piece).then(
        (digests) => piece.dead || this.#handOver(piece, this.#attempts.compare(piece.index, digests)),
        () => piece.dead || this.#handOver(piece, []),
      ),
    );
  }

  #handOver(piece: OpenPiece, wrong: number[][]): void {
    this.#drop(piece);
    this.#options.verified(piece.index, wrong);
  }

  async #fail(piece: OpenPiece): Promise<void> {
    try {
      this.#attempts.add(piece.index, await this.#digests(piece));
    } catch (error) {
      this.#fault(error);
    }
    await piece.writesSettled;
    if (piece.dead) return;
    this.#drop(piece);
    this.#options.failed(piece.index);
  }

  async #digests(piece: OpenPiece): Promise<BlockDigests> {
    const digester = new BlockDigester(piece.size);
    const spare = new Uint8Array(Math.min(piece.chunkSize, MAX_BUFFER_BYTES));
    for (const chunk of piece.chunks) {
      await this.#options.clock.turn();
      if (piece.dead) break;
      const bytes = spare.subarray(0, chunk!.size);
      const { whole } = chunk!;
      if (!whole) await this.#options.files.read(piece.offset + chunk!.begin, bytes);
      digester.update(whole ? chunk!.buffer!.subarray(0, chunk!.size) : bytes);
    }
    return digester.digests;
  }

  #track(work: Promise<void | boolean>): void {
    const tracked: Promise<void> = work.then(() => void this.#finishing.delete(tracked));
    this.#finishing.add(tracked);
  }

  #drop(piece: OpenPiece): void {
    piece.dead = true;
    this.#pieces.delete(piece.index);
    for (const chunk of piece.chunks) if (chunk) this.#rest(chunk);
    const leftover = piece.writesSettled?.then(() => {
      if (this.#leftovers.get(piece.index) === leftover) this.#leftovers.delete(piece.index);
    });
    if (leftover) this.#leftovers.set(piece.index, leftover);
  }
}
