/** Pieces put together under a seed, in too little memory, by stores that share it. For tests and `scripts/seeds.ts`. @module */
import { createSimulation, type MemoryHost, SeededRandom, type Simulation } from "../host/memory/mod.ts";
import { bytesEqual } from "../wire/mod.ts";
import { BLOCK_BYTES } from "./attempts.ts";
import { StoreMemory } from "./memory.ts";
import { openPieceStore, type TorrentStore } from "./piece_store.ts";
import { type Made, makeTorrent } from "./test_bench.ts";

const KiB = 1024;
const PIECE_LENGTHS = [16 * KiB, 64 * KiB, 100_000, 256 * KiB, 300_000, 512 * KiB, 1024 * KiB];
const MEMORY = [16 * KiB, 256 * KiB, 512 * KiB, 1024 * KiB, 32 * 1024 * KiB];
const LATENCIES = [0, 0, 1, 7];
const MOST_STORES = 3;
const MOST_PIECES = 4;
// Simulated ms. What has all its bytes is hashed and written by then, whatever the disk has to do first.
const LIMIT = 20_000;

/** How a seed ended. */
export interface SeedOutcome {
  /** Memory ran short: chunks went to disk before they were full. */
  readonly short: boolean;
  /** The disk refused in between. */
  readonly refused: boolean;
}

/**
 * Writes the blocks of a few torrents in some order, some of them wrong at first, some held back to the last, as fast
 * as the stores' memory allows, on a disk that may refuse in between.
 *
 * @throws {Error} what is wrong: a piece whose bytes are all there and that is not stored soon, stored twice or hashed
 * more than once, a block that is blamed wrongly, bytes that differ on disk, memory that stays in use
 */
export async function trySeed(seed: number): Promise<SeedOutcome> {
  using simulation = createSimulation({ seed });
  const random = new SeededRandom(`store ${seed}`);
  const host = simulation.host("machine");
  host.disk.latency = pick(random, LATENCIES);
  const memory = new StoreMemory({ openPieces: pick(random, MEMORY), readAhead: 0, openFiles: 1 + random.below(4) });
  const count = 1 + random.below(MOST_STORES);
  const downloads: Download[] = [];
  for (let i = 0; i < count; i++) {
    downloads.push(await Download.begin(simulation, host, memory, random, `/save/${i}`));
  }

  let short = false;
  let refused = false;
  const faultAt = random.below(4) === 0 ? random.below(40) : -1;
  for (let step = 0; downloads.some(({ waiting }) => waiting.length > 0); step++) {
    if (step === faultAt) {
      refused = await refuse(simulation, host, random);
      for (const download of downloads) await download.recover();
    }
    const download = pick(random, downloads.filter(({ waiting }) => waiting.length > 0));
    if (download.store.backlog) {
      short = true;
      await simulation.runUntil(() => !download.store.backlog || downloads.some(({ broken }) => broken), {
        limitMs: LIMIT,
      });
    }
    for (const each of downloads) await each.recover();
    for (let run = 1 + random.below(6); run > 0; run--) download.writeNext();
    if (random.below(6) === 0) await simulation.run(random.below(12));
    if (random.below(40) === 0) await simulation.complete(download.store.flush().catch(() => {}));
    if (downloads.every(({ waiting }) => waiting.length === 0)) await settle(simulation, downloads);
  }
  for (const download of downloads) await download.finish(!refused);
  const { openPieces } = memory.usage();
  if (openPieces > 0) throw new Error(`${openPieces} bytes of open pieces stay in use`);
  return { short, refused };
}

/** Lets time pass until every piece is stored, or some of them must be sent again. */
async function settle(simulation: Simulation, downloads: readonly Download[]): Promise<void> {
  const settled = (): boolean => downloads.every(({ store }) => store.have.full);
  const again = (): boolean => downloads.some(({ waiting, broken }) => broken || waiting.length > 0);
  try {
    await simulation.runUntil(() => settled() || again(), { limitMs: LIMIT });
  } catch {
    const pieces = downloads.map(({ store, made }) => `${store.have.count}/${made.layout.pieceCount}`);
    throw new Error(`all bytes are there and only ${pieces.join(", ")} pieces are stored`);
  }
  for (const download of downloads) await download.recover();
}

/** Makes the disk refuse a few reads or writes. */
async function refuse(simulation: Simulation, host: MemoryHost, random: SeededRandom): Promise<boolean> {
  let left = 1 + random.below(3);
  let refused = false;
  using _rule = host.disk.fault(pick(random, ["read", "write"]), () => {
    if (left-- <= 0) return undefined;
    refused = true;
    return "io";
  });
  await simulation.run(random.below(60));
  return refused;
}

interface Block {
  readonly piece: number;
  readonly begin: number;
  readonly bytes: Uint8Array;
}

/** One torrent that is downloaded. */
class Download {
  store!: TorrentStore;
  /** What is still to be written. */
  readonly waiting: Block[] = [];
  broken = false;
  readonly #stored: number[] = [];
  /** The blocks that are sent wrong the first time, by piece. */
  readonly #spoiled = new Map<number, number>();
  /** What the store told and must not. */
  readonly #faults: string[] = [];
  #hashed = 0;
  #due: number;

  private constructor(readonly made: Made, readonly simulation: Simulation, readonly random: SeededRandom) {
    this.#due = made.layout.length;
  }

  static async begin(
    simulation: Simulation,
    host: MemoryHost,
    memory: StoreMemory,
    random: SeededRandom,
    path: string,
  ): Promise<Download> {
    const download = new Download(someTorrent(random), simulation, random);
    await download.#open(host, memory, path);
    return download;
  }

  async #open(host: MemoryHost, memory: StoreMemory, path: string): Promise<void> {
    const { layout } = this.made;
    this.store = await this.simulation.complete(openPieceStore({
      clock: host.clock,
      disk: host.disk,
      path,
      partFile: `${path}/.part`,
      memory,
      layout: {
        ...layout,
        verifier: (piece) => {
          const { update, finish } = layout.verifier(piece);
          return {
            finish,
            update: (bytes) => {
              this.#hashed += bytes.length;
              update(bytes);
            },
          };
        },
      },
      events: {
        pieceStored: (piece, wrong) => this.#onStored(piece, wrong),
        pieceFailed: (piece) => this.#onFailed(piece),
        pieceLost: (piece) => this.#send(piece),
        failed: () => void (this.broken = true),
        drained: () => {},
      },
    }));
    const pieces = [...Array(layout.pieceCount).keys()];
    for (const piece of pieces) {
      if (this.random.below(5) > 0) continue;
      this.#spoiled.set(piece, this.random.below(Math.ceil(layout.pieceSize(piece) / BLOCK_BYTES)));
    }
    for (const piece of pieces) this.#send(piece, this.#spoiled.get(piece));
    this.#order();
  }

  writeNext(): void {
    const block = this.waiting.shift();
    if (block) this.store.write(block.piece, block.begin, block.bytes);
  }

  /** Goes on after the disk refused. */
  async recover(): Promise<void> {
    while (this.broken) {
      this.broken = false;
      await this.simulation.complete(this.store.retry()).catch(() => void (this.broken = true));
    }
  }

  /** Everything is there: it must be right, and have been hashed once if `exact`. */
  async finish(exact: boolean): Promise<void> {
    const { layout, data } = this.made;
    if (this.#faults.length > 0) throw new Error(this.#faults[0]);
    const stored = this.#stored.toSorted((a, b) => a - b);
    if (stored.length !== layout.pieceCount || stored.some((piece, i) => piece !== i)) {
      throw new Error(`stored were pieces ${stored}, of ${layout.pieceCount}`);
    }
    if (exact && this.#hashed !== this.#due) throw new Error(`${this.#hashed} bytes were hashed, not ${this.#due}`);
    const into = new Uint8Array(data.length);
    for (let piece = 0; piece < layout.pieceCount; piece++) {
      const at = piece * layout.pieceLength;
      const read = this.store.read(piece, 0, into.subarray(at, at + layout.pieceSize(piece)));
      if (read !== true) await this.simulation.complete(read);
    }
    if (!bytesEqual(into, data)) throw new Error("other bytes are on disk than were sent");
    await this.simulation.complete(this.store.close());
  }

  /** Sends a piece whole, one of its blocks wrong if said. */
  #send(piece: number, spoiled?: number): void {
    const bytes = this.made.piece(piece);
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const part = bytes.slice(at, at + BLOCK_BYTES);
      if (at / BLOCK_BYTES === spoiled) part[0] ^= 1;
      this.waiting.push({ piece, begin: at, bytes: part });
    }
  }

  /** The order in which blocks come: of one piece after the other, of all at once, back to front, some last. */
  #order(): void {
    const order = this.random.below(4);
    if (order === 1) this.waiting.reverse();
    if (order >= 2) shuffle(this.random, this.waiting);
    if (order !== 3 && this.random.below(2) > 0) return;
    const held = new Map<number, Block>();
    for (const block of this.waiting) {
      if (!held.has(block.piece) || this.random.below(8) === 0) held.set(block.piece, block);
    }
    const last = new Set(held.values());
    this.waiting.push(...this.waiting.splice(0).filter((block) => !last.has(block)), ...last);
  }

  #onStored(piece: number, wrong: readonly (readonly number[])[]): void {
    this.#stored.push(piece);
    const spoiled = this.#spoiled.get(piece);
    for (const blocks of wrong) {
      if (blocks.some((block) => block !== spoiled)) this.#faults.push(`blocks ${blocks} of piece ${piece} are blamed`);
    }
  }

  #onFailed(piece: number): void {
    if (!this.#spoiled.has(piece)) this.#faults.push(`piece ${piece} fails though all its bytes were right`);
    this.#due += this.made.layout.pieceSize(piece);
    this.#send(piece);
  }
}

const torrents = new Map<string, Made>();

function someTorrent(random: SeededRandom): Made {
  const pieceLength = pick(random, PIECE_LENGTHS);
  const pieces = 1 + random.below(MOST_PIECES);
  const key = `${pieceLength} ${pieces}`;
  let made = torrents.get(key);
  if (!made) {
    const length = pieceLength * pieces - pieceLength % 7919;
    torrents.set(
      key,
      made = makeTorrent([["a", Math.floor(length / 3)], ["b", Math.ceil(length * 2 / 3)]], pieceLength),
    );
  }
  return made;
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)];
}

function shuffle(random: SeededRandom, list: unknown[]): void {
  for (let i = list.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [list[i], list[other]] = [list[other], list[i]];
  }
}
