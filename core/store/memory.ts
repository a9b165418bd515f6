// The memory that all swarms' stores share: one budget for open pieces, one for read-ahead, one for open files. What
// one swarm doesn't need, another may use.
import { Lru, type LruNode } from "./lru.ts";
import { OpenFiles } from "./open_files.ts";

/** The largest buffer. Hashing it takes 0.15 ms, so that the main thread never stalls; larger ones gain nothing. */
export const MAX_BUFFER_BYTES = 256 * 1024;
const MIN_BUFFER_BYTES = 16 * 1024;
// Free buffers kept for the next use; above this the garbage collector may have them back.
const MAX_FREE_BYTES = 8 * 1024 * 1024;

// Buffers that wait for the disk; more of them would be slower, since they leave the processor's cache, and gain nothing.
const MAX_PROMISED_BYTES = 8 * 1024 * 1024;

/** Limits of {@link StoreMemory}. */
export interface StoreMemoryLimits {
  /** Bytes of pieces that are being put together. */
  readonly openPieces: number;
  /** Bytes of read-ahead for uploads. */
  readonly readAhead: number;
  /** Files open at once. */
  readonly openFiles: number;
}

/** Holds a buffer on a {@link Budget}. */
export interface BufferHolder extends LruNode {
  buffer?: Uint8Array;
  /** Asks for the buffer back: it is released at once, or promised and released once its bytes are on disk. */
  giveUp(): void;
}

/** The memory of all stores of a runtime. */
export class StoreMemory {
  readonly openPieces: Budget;
  readonly readAhead: Budget;
  readonly openFiles: OpenFiles;
  readonly #pool = new BufferPool();

  constructor(limits: StoreMemoryLimits) {
    this.openPieces = new Budget(this.#pool, limits.openPieces);
    this.readAhead = new Budget(this.#pool, limits.readAhead);
    this.openFiles = new OpenFiles(limits.openFiles);
  }

  /** Other limits from now on: lower ones ask for what is too much. */
  setLimits(limits: StoreMemoryLimits): void {
    this.openPieces.limit = limits.openPieces;
    this.readAhead.limit = limits.readAhead;
    this.openFiles.limit = limits.openFiles;
  }

  /** Bytes in use by each pool, and how many files are open. */
  usage(): Record<string, number> {
    return {
      openPieces: this.openPieces.used,
      readAhead: this.readAhead.used,
      freeBuffers: this.#pool.freeBytes,
      openFiles: this.openFiles.count,
    };
  }
}

/** Buffers bounded by a number of bytes: over it, the holders that were used longest ago are asked to give theirs up. */
export class Budget {
  readonly #pool: BufferPool;
  #limit: number;
  readonly #idle = new Lru<BufferHolder>();
  readonly #listeners = new Set<() => void>();
  #used = 0;
  #promised = 0;
  #over = false;

  constructor(pool: BufferPool, limit: number) {
    this.#pool = pool;
    this.#limit = limit;
  }

  set limit(bytes: number) {
    this.#limit = bytes;
    if (this.#used > bytes) {
      this.#over = true;
      this.reclaim();
    } else this.#relax();
  }

  /** Bytes of all buffers in use. */
  get used(): number {
    return this.#used;
  }

  /** True from when the limit is passed, or the disk is far behind, until there is plenty of room again. */
  get over(): boolean {
    return this.#over;
  }

  /** Calls `listener` whenever `over` went back to false. */
  onDrained(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Gives the holder a buffer of at least `bytes`, with anything in it. It can't be asked for until `touch`ed. */
  take(holder: BufferHolder, bytes: number): Uint8Array {
    const buffer = holder.buffer = this.#pool.take(bytes);
    this.#used += buffer.length;
    if (this.#used > this.#limit) {
      this.#over = true;
      this.reclaim();
    }
    return buffer;
  }

  /** The holder was used just now, and may be asked to give up its buffer. */
  touch(holder: BufferHolder): void {
    this.#idle.touch(holder);
  }

  /** The holder's buffer can't be given up for now. */
  pin(holder: BufferHolder): void {
    this.#idle.remove(holder);
  }

  /** Takes the buffer back. */
  release(holder: BufferHolder): void {
    this.#idle.remove(holder);
    if (!holder.buffer) return;
    this.#used -= holder.buffer.length;
    this.#pool.give(holder.buffer);
    holder.buffer = undefined;
    this.#relax();
  }

  /** Says that `bytes` will be released soon, so that no other holder needs to give up its own. */
  promise(bytes: number): void {
    this.#promised += bytes;
    if (this.#promised > MAX_PROMISED_BYTES) this.#over = true;
  }

  /** Says that the `bytes` promised were released, or won't be. */
  settle(bytes: number): void {
    this.#promised -= bytes;
    this.#relax();
    if (this.#over) this.reclaim();
  }

  /** While over the limit: asks for buffers until a quarter is free, or will be. */
  reclaim(): void {
    while (this.#over && this.#used - this.#promised > this.#lowWater) {
      const holder = this.#idle.oldest;
      if (!holder) return;
      this.#idle.remove(holder);
      holder.giveUp();
    }
  }

  #relax(): void {
    if (!this.#over || this.#used > this.#lowWater || this.#promised > MAX_PROMISED_BYTES / 2) return;
    this.#over = false;
    for (const listener of this.#listeners) listener();
  }

  get #lowWater(): number {
    return this.#limit * 3 / 4;
  }
}

/** Buffers in power-of-two sizes, used again and again. */
export class BufferPool {
  readonly #free = new Map<number, Uint8Array[]>();
  #freeBytes = 0;

  /** Bytes that wait for their next use. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A buffer of at least `bytes`, with anything in it. */
  take(bytes: number): Uint8Array {
    let size = MIN_BUFFER_BYTES;
    while (size < bytes) size *= 2;
    const buffer = this.#free.get(size)?.pop();
    if (!buffer) return new Uint8Array(size);
    this.#freeBytes -= size;
    return buffer;
  }

  /** Takes a buffer back; nobody may use it any more. */
  give(buffer: Uint8Array): void {
    if (this.#freeBytes + buffer.length > MAX_FREE_BYTES) return;
    const free = this.#free.get(buffer.length);
    if (free) free.push(buffer);
    else this.#free.set(buffer.length, [buffer]);
    this.#freeBytes += buffer.length;
  }
}
