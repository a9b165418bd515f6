// Torrents, and a machine to keep them on, for the tests of this room.
import { createSimulation, type MemoryHost, type Simulation } from "../host/memory/mod.ts";
import { type FileEntry, sha1 } from "../wire/mod.ts";
import { bytesEqual, createSha1 } from "../wire/mod.ts";
import { StoreMemory, type StoreMemoryLimits } from "./memory.ts";
import { openPieceStore, type PieceStoreOptions, type TorrentStore } from "./piece_store.ts";
import { StateStore } from "./records.ts";
import type { Layout } from "./types.ts";

/** A file of a made-up torrent: its path below the torrent's name, or "pad", and its bytes. */
export type MadeFile = readonly [path: string, length: number];

/** A made-up torrent with its data. */
export interface Made {
  readonly layout: Layout;
  readonly data: Uint8Array;
  piece(index: number): Uint8Array;
}

/** Builds a torrent named "torrent"; data is pseudo-random, pads are zeros. */
export function makeTorrent(files: readonly MadeFile[], pieceLength: number, multi = true): Made {
  const entries: FileEntry[] = [];
  let offset = 0;
  for (const [path, length] of files) {
    const pad = path === "pad";
    entries.push({ path: path.split("/"), length, offset, pad, attributes: pad ? "p" : "" });
    offset += length;
  }
  const data = new Uint8Array(offset);
  let state = 1;
  for (const { pad, offset, length } of entries) {
    for (let i = 0; i < length && !pad; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      data[offset + i] = state >>> 24;
    }
  }
  const pieceCount = Math.ceil(offset / pieceLength);
  const piece = (index: number) => data.subarray(index * pieceLength, (index + 1) * pieceLength);
  const hashes = Array.from({ length: pieceCount }, (_, index) => sha1(piece(index)));
  return {
    data,
    piece,
    layout: {
      name: "torrent",
      multi,
      files: entries,
      pieceLength,
      pieceCount,
      length: offset,
      pieceSize: (index) => piece(index).length,
      verifier: (index) => {
        const hasher = createSha1();
        return {
          update: (bytes) => hasher.update(bytes),
          finish: () => bytesEqual(hasher.digest(), hashes[index]),
        };
      },
      digest: (index) => ({ algorithm: "sha1", expected: hashes[index] }),
    },
  };
}

/** A torrent of `count` pieces that all hold what the only piece of `made` holds. */
export function repeatPiece(made: Made, count: number): Made {
  const { layout } = made;
  const length = layout.length * count;
  return {
    data: made.data,
    piece: () => made.data,
    layout: {
      ...layout,
      files: [{ ...layout.files[0], length }],
      pieceCount: count,
      length,
      pieceSize: () => layout.length,
      verifier: () => layout.verifier(0),
      digest: () => layout.digest!(0),
    },
  };
}

/** What a store told its swarm. */
export interface Told {
  readonly stored: number[];
  readonly wrong: (readonly (readonly number[])[])[];
  readonly failed: number[];
  readonly lost: number[];
  readonly errors: Error[];
  drained: number;
}

/** A machine with one torrent's store on it. */
export class TestBench {
  readonly simulation: Simulation;
  host: MemoryHost;
  memory: StoreMemory;
  told: Told = newTold();
  store!: TorrentStore;
  state!: StateStore;
  readonly logs: string[] = [];
  readonly #limits: StoreMemoryLimits;

  constructor(readonly made: Made, limits: Partial<StoreMemoryLimits> = {}) {
    this.#limits = { openPieces: 4 * 1024 * 1024, readAhead: 1024 * 1024, openFiles: 8, ...limits };
    this.simulation = createSimulation({ seed: 1 });
    this.host = this.simulation.host("machine");
    this.memory = new StoreMemory(this.#limits);
  }

  get disk(): MemoryHost["disk"] {
    return this.host.disk;
  }

  /** Opens the store, and looks at what changed. */
  async open(options: Partial<PieceStoreOptions> = {}): Promise<TorrentStore> {
    const store = await this.openUnseen(options);
    if (store.doubtful) await this.wait(store.look(() => {}, new AbortController().signal));
    return store;
  }

  /** Opens the store, and believes it as it is. */
  async openUnseen(options: Partial<PieceStoreOptions> = {}): Promise<TorrentStore> {
    const told = this.told = newTold();
    const log = (message: string) => void this.logs.push(message);
    return this.store = await this.wait((async () => {
      this.state = await StateStore.open(await this.host.db.open("/state.db"), log);
      return await openPieceStore({
        clock: this.host.clock,
        disk: this.host.disk,
        layout: this.made.layout,
        path: "/save",
        partFile: "/save/.torrent.part",
        memory: this.memory,
        records: this.state.pieces("key"),
        log,
        events: {
          pieceStored: (piece, wrong) => {
            told.stored.push(piece);
            told.wrong.push(wrong);
          },
          pieceFailed: (piece) => void told.failed.push(piece),
          pieceLost: (piece) => void told.lost.push(piece),
          failed: (error) => void told.errors.push(error),
          drained: () => void told.drained++,
        },
        ...options,
      });
    })());
  }

  /** kill -9. */
  kill(): void {
    this.host = this.host.restart();
    this.memory = new StoreMemory(this.#limits);
  }

  /** kill -9, and a new process. */
  async crash(options: Partial<PieceStoreOptions> = {}): Promise<TorrentStore> {
    this.kill();
    return await this.open(options);
  }

  /** Closes in good order, and starts a new process. */
  async restart(options: Partial<PieceStoreOptions> = {}): Promise<TorrentStore> {
    await this.wait(this.store.close());
    return await this.crash(options);
  }

  /** Lets time pass until the work is done. */
  async wait<Result>(work: Promise<Result>): Promise<Result> {
    return await this.simulation.complete(work);
  }

  /** Asks whether the wanted files may be written to. */
  async clearWay({ force = false, held = [] }: { force?: boolean; held?: readonly string[] } = {}): Promise<void> {
    await this.wait(this.store.clearWay({ force, held: () => Promise.resolve(new Set(held)) }));
  }

  /** Writes whole pieces in order. */
  writePieces(...pieces: number[]): void {
    for (const piece of pieces) this.store.write(piece, 0, this.made.piece(piece));
  }

  /** Downloads everything. */
  async fill(): Promise<void> {
    this.writePieces(...Array(this.made.layout.pieceCount).keys());
    await this.wait(this.store.flush());
  }

  /** Reads bytes of a piece. */
  async read(piece: number, begin: number, length: number): Promise<Uint8Array> {
    const into = new Uint8Array(length);
    const result = this.store.read(piece, begin, into);
    if (result !== true) await this.wait(result);
    return into;
  }

  /** Pieces that are claimed though the store can't give their bytes. */
  async falseClaims(): Promise<number[]> {
    const wrong: number[] = [];
    for (const piece of this.store.have.iterate()) {
      const right = this.made.piece(piece);
      const bytes = await this.read(piece, 0, right.length).catch(() => new Uint8Array());
      if (!bytesEqual(bytes, right)) wrong.push(piece);
    }
    return wrong;
  }
}

function newTold(): Told {
  return { stored: [], wrong: [], failed: [], lost: [], errors: [], drained: 0 };
}
