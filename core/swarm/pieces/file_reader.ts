/**
 * Files that are read while they download: what is read next comes first, and a read waits for its piece.
 *
 * @module
 */
import { type Clock, CommandError, type SwarmFile, type SwarmState } from "../../api/mod.ts";
import type { PieceStore } from "../../store/mod.ts";
import type { FileEntry, Info } from "../../wire/mod.ts";
import type { Picker } from "./picker.ts";

/** What the readers need of their swarm. */
export interface ReadersSwarm {
  readonly clock: Clock;
  readonly name: string;
  readonly state: SwarmState;
  readonly error: string | undefined;
  readonly shape: Info | undefined;
  readonly store: PieceStore | undefined;
  readonly picker: Picker | undefined;
  /** Other pieces are wanted first now. */
  deadlinesChanged(): void;
}

// What a reader has fetched ahead of where it reads (bytes), two pieces at least: some seconds of a film.
const READ_AHEAD = 4 * 1024 * 1024;
// Readers of one swarm; each holds deadlines, and strangers may open them through a web server.
const MAX_READERS = 256;
// States in which pieces come, or are there to be read.
const READABLE: readonly SwarmState[] = ["checking", "downloading", "seeding"];

/** The readers of one swarm's files. */
export class FileReaders {
  readonly #swarm: ReadersSwarm;
  readonly #readers = new Set<Reader>();
  /** How many readers have each piece ahead of them. */
  readonly #ahead = new Map<number, number>();
  #waiting = new Set<() => void>();

  constructor(swarm: ReadersSwarm) {
    this.#swarm = swarm;
  }

  /** @throws {CommandError} when too many files are open */
  open(index: number): SwarmFile {
    if (this.#readers.size === MAX_READERS) {
      throw new CommandError(`Cannot open a file of "${this.#swarm.name}": ${MAX_READERS} are open already`);
    }
    const reader = new Reader(this, this.#swarm, this.#swarm.shape!, index);
    this.#readers.add(reader);
    return reader;
  }

  /** A piece is there, or what the swarm does changed: those who wait look again. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const run of waiting) run();
  }

  /** The picker is another: it hears what is wanted first. */
  renew(): void {
    const now = this.#swarm.clock.now();
    for (const reader of this.#readers) {
      for (let piece = reader.from; piece < reader.to; piece++) this.#swarm.picker?.setDeadline(piece, now);
    }
  }

  /** Resolves at the next {@link wake}. */
  woken(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(end);
        signal?.removeEventListener("abort", end);
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", end, { once: true });
      this.#waiting.add(end);
    });
  }

  /** A reader's window moves from what it has ahead now to the pieces from `from` until `to`; the nearest come first. */
  move(reader: Reader, from: number, to: number): void {
    if (from === reader.from && to === reader.to) return;
    const { picker, clock } = this.#swarm;
    const now = clock.now();
    for (let piece = reader.from; piece < reader.to; piece++) {
      const left = this.#ahead.get(piece)! - 1;
      if (left > 0) this.#ahead.set(piece, left);
      else {
        this.#ahead.delete(piece);
        if (piece < from || piece >= to) picker?.setDeadline(piece, undefined);
      }
    }
    for (let piece = from; piece < to; piece++) {
      this.#ahead.set(piece, (this.#ahead.get(piece) ?? 0) + 1);
      picker?.setDeadline(piece, now + piece - from);
    }
    [reader.from, reader.to] = [from, to];
    this.#swarm.deadlinesChanged();
  }

  close(reader: Reader): void {
    this.move(reader, 0, 0);
    this.#readers.delete(reader);
  }
}

/** See {@link SwarmFile}. */
class Reader implements SwarmFile {
  readonly path: string;
  readonly length: number;
  /** The pieces ahead of it. */
  from = 0;
  to = 0;
  readonly #readers: FileReaders;
  readonly #swarm: ReadersSwarm;
  readonly #info: Info;
  readonly #file: FileEntry;
  #closed = false;

  constructor(readers: FileReaders, swarm: ReadersSwarm, info: Info, index: number) {
    this.#readers = readers;
    this.#swarm = swarm;
    this.#info = info;
    this.#file = info.files[index];
    this.path = this.#file.path.join("/");
    this.length = this.#file.length;
  }

  async read(position: number, into: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (!(position >= 0)) throw new RangeError(`Cannot read at ${position}: it must be 0 or more`);
    const wanted = Math.min(into.length, this.length - position);
    if (wanted <= 0) return 0;
    const { pieceLength } = this.#info;
    const at = this.#file.offset + position;
    const piece = Math.floor(at / pieceLength);
    const begin = at - piece * pieceLength;
    const ahead = Math.max(2, Math.ceil(READ_AHEAD / pieceLength));
    const last = Math.floor((this.#file.offset + this.length - 1) / pieceLength);
    if (!this.#closed) this.#readers.move(this, piece, Math.min(last + 1, piece + ahead));
    while (!this.#ready(piece)) await this.#readers.woken(signal);
    const length = Math.min(wanted, this.#info.pieceSize(piece) - begin);
    await this.#swarm.store!.read(piece, begin, into.subarray(0, length));
    return length;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#readers.close(this);
    this.#readers.wake();
  }

  /** Whether the piece is there. */
  #ready(piece: number): boolean {
    const { name, state, error, store } = this.#swarm;
    if (this.#closed) throw new Error(`Cannot read "${this.path}": it is closed`);
    if (READABLE.includes(state)) return store?.have.has(piece) ?? false;
    throw new CommandError(`Cannot read "${this.path}": "${name}" is ${state}${error ? `: ${error}` : ""}`);
  }
}
