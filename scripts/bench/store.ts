/**
 * What the store costs: pushes 1 GiB through it in 16 KiB blocks on the real host, once in order, once as 16 MiB pieces
 * from 8 writers in turns. Prints CPU seconds per GiB (of the whole process), the longest stall of the main thread, and RSS.
 *
 * `deno task bench store [folder]`; the folder should be on a memory disk (/dev/shm).
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { denoHost } from "../../core/host/deno/mod.ts";
import { openPieceStore, type PieceStore, StateStore, StoreMemory } from "../../core/store/mod.ts";
import { bytesEqual, createSha1, sha1 } from "../../core/wire/mod.ts";

const MiB = 1024 * 1024;
const BLOCK = 16 * 1024;
const TOTAL = 1024 * MiB;

const folder = Deno.makeTempDirSync({ dir: Deno.args[0] ?? "/dev/shm", prefix: "weft-bench-" });
try {
  await run("1 MiB pieces, in order, one writer", 1 * MiB, 1);
  await run("16 MiB pieces, 8 writers in turns", 16 * MiB, 8);
} finally {
  Deno.removeSync(folder, { recursive: true });
}

async function run(title: string, pieceLength: number, writers: number): Promise<void> {
  const host = denoHost();
  const pieceCount = TOTAL / pieceLength;
  const piece = crypto.getRandomValues(new Uint8Array(65_536));
  const bytes = new Uint8Array(pieceLength).map((_, i) => piece[i % piece.length] ^ i >> 16);
  const expected = sha1(bytes);
  const memory = new StoreMemory({ openPieces: 32 * MiB, readAhead: 16 * MiB, openFiles: 100 });
  const db = await host.db.open(`${folder}/state.db`);
  const state = await StateStore.open(db);
  let stored = 0;
  const done = Promise.withResolvers<void>();
  let drained = Promise.withResolvers<void>();
  const store = await openPieceStore({
    clock: host.clock,
    disk: host.disk,
    layout: {
      name: "bench",
      multi: false,
      files: [{ path: ["bench"], length: TOTAL, offset: 0, pad: false, attributes: "" }],
      pieceLength,
      pieceCount,
      length: TOTAL,
      pieceSize: () => pieceLength,
      verifier: () => {
        const hasher = createSha1();
        return { update: (bytes) => hasher.update(bytes), finish: () => bytesEqual(hasher.digest(), expected) };
      },
    },
    path: folder,
    partFile: `${folder}/part`,
    memory,
    records: state.pieces(title),
    events: {
      pieceStored: () => void (++stored === pieceCount && done.resolve()),
      pieceFailed: (piece) => done.reject(new Error(`piece ${piece} failed`)),
      failed: done.reject,
      drained: () => {
        drained.resolve();
        drained = Promise.withResolvers();
      },
    },
  });
  let stall = 0;
  let turnBegan = performance.now();
  let waits = 0;
  const before = Deno.build.os === "linux" ? cpuSeconds() : 0;
  const began = performance.now();
  for (const { piece, begin } of blocks(pieceLength, pieceCount, writers)) {
    // Four blocks a turn, as a busy socket brings them.
    if (begin / BLOCK % 4 === 0) {
      stall = Math.max(stall, performance.now() - turnBegan);
      await new Promise((resolve) => setImmediate(resolve));
      turnBegan = performance.now();
    }
    store.write(piece, begin, bytes.subarray(begin, begin + BLOCK));
    if (store.backlog) {
      waits++;
      await drained.promise;
      turnBegan = performance.now();
    }
  }
  await done.promise;
  const wall = (performance.now() - began) / 1000;
  const cpu = cpuSeconds() - before;
  const { rss } = Deno.memoryUsage();
  console.log(
    `${title}: ${cpu.toFixed(2)} CPU s/GiB, ${wall.toFixed(2)} s wall, longest turn ${stall.toFixed(2)} ms, ` +
      `${waits} waits for the disk, RSS ${Math.round(rss / MiB)} MiB`,
  );
  await readBack(store, pieceLength, pieceCount);
  await store.close();
  await db.close();
  await host.close();
  Deno.removeSync(`${folder}/bench`);
}

async function readBack(store: PieceStore, pieceLength: number, pieceCount: number): Promise<void> {
  const before = cpuSeconds();
  const into = new Uint8Array(BLOCK);
  for (const { piece, begin } of blocks(pieceLength, pieceCount, 1)) {
    const result = store.read(piece, begin, into);
    if (result !== true) await result;
  }
  console.log(`  reading it again in order: ${(cpuSeconds() - before).toFixed(2)} CPU s/GiB`);
}

function* blocks(
  pieceLength: number,
  pieceCount: number,
  writers: number,
): Generator<{ piece: number; begin: number }> {
  for (let first = 0; first < pieceCount; first += writers) {
    for (let begin = 0; begin < pieceLength; begin += BLOCK) {
      for (let piece = first; piece < Math.min(first + writers, pieceCount); piece++) yield { piece, begin };
    }
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
