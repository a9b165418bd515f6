// Uploads read the disk in windows far larger than a block, since small reads cost as much as large ones.
import type { TorrentFiles } from "./files.ts";
import { type Budget, type BufferHolder, MAX_BUFFER_BYTES } from "./memory.ts";
import type { Layout } from "./types.ts";

class Window implements BufferHolder {
  declare older?: this;
  declare newer?: this;
  listed = false;
  buffer?: Uint8Array;
  loading?: Promise<void>;
  /** Who waits for it, or is about to copy from it. */
  readers = 0;
  forgotten = false;
  readonly #owner: ReadAhead;

  constructor(owner: ReadAhead, readonly key: number, readonly size: number) {
    this.#owner = owner;
  }

  giveUp(): void {
    this.#owner.forget(this);
  }
}

/** Windows of the verified pieces of one torrent. A window never reaches into another piece, which may not be there. */
export class ReadAhead {
  readonly #layout: Layout;
  readonly #files: TorrentFiles;
  readonly #budget: Budget;
  readonly #windows = new Map<number, Window>();
  readonly #windowBytes: number;
  readonly #perPiece: number;

  constructor(layout: Layout, files: TorrentFiles, budget: Budget) {
    this.#layout = layout;
    this.#files = files;
    this.#budget = budget;
    this.#windowBytes = Math.min(MAX_BUFFER_BYTES, layout.pieceLength);
    this.#perPiece = Math.ceil(layout.pieceLength / this.#windowBytes);
  }

  /** Fills `into`; true when that needed no disk. Readers of one window share its read. */
  read(piece: number, begin: number, into: Uint8Array): true | Promise<void> {
    const first = Math.floor(begin / this.#windowBytes);
    const last = Math.floor((begin + into.length - 1) / this.#windowBytes);
    for (let number = first; number <= last; number++) {
      const window = this.#windows.get(piece * this.#perPiece + number);
      if (!window || window.loading) return this.#readAll(piece, begin, into, first, last);
    }
    for (let number = first; number <= last; number++) {
      this.#copy(this.#windows.get(piece * this.#perPiece + number)!, number, begin, into);
    }
    return true;
  }

  /** Forgets all windows. */
  clear(): void {
    for (const window of this.#windows.values()) this.forget(window);
  }

  /** Returns a window's buffer, once nobody reads it. */
  forget(window: Window): void {
    window.forgotten = true;
    if (this.#windows.get(window.key) === window) this.#windows.delete(window.key);
    if (window.readers === 0) this.#budget.release(window);
  }

  async #readAll(piece: number, begin: number, into: Uint8Array, first: number, last: number): Promise<void> {
    for (let number = first; number <= last; number++) {
      const window = this.#window(piece, number);
      window.readers++;
      this.#budget.pin(window);
      try {
        await window.loading;
        this.#copy(window, number, begin, into);
      } catch (error) {
        window.forgotten = true;
        throw error;
      } finally {
        window.readers--;
        if (window.forgotten) this.forget(window);
        else if (window.readers === 0) this.#budget.touch(window);
        this.#budget.reclaim();
      }
    }
  }

  #window(piece: number, number: number): Window {
    const key = piece * this.#perPiece + number;
    const known = this.#windows.get(key);
    if (known) return known;
    const begin = number * this.#windowBytes;
    const size = Math.min(this.#windowBytes, this.#layout.pieceSize(piece) - begin);
    const window = new Window(this, key, size);
    this.#windows.set(key, window);
    const bytes = this.#budget.take(window, size).subarray(0, size);
    window.loading = this.#files.read(piece * this.#layout.pieceLength + begin, bytes, true).finally(() => {
      window.loading = undefined;
    });
    return window;
  }

  #copy(window: Window, number: number, begin: number, into: Uint8Array): void {
    const offset = number * this.#windowBytes;
    const from = Math.max(begin, offset);
    const to = Math.min(begin + into.length, offset + window.size);
    into.set(window.buffer!.subarray(from - offset, to - offset), from - begin);
    if (window.readers === 0) this.#budget.touch(window);
  }
}
