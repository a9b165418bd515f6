// The store on the real host: what only a real file system can prove, such as times that come back as they were stored.
import assert from "node:assert/strict";
import { denoHost } from "../host/deno/mod.ts";
import { StoreMemory } from "./memory.ts";
import { openPieceStore, type TorrentStore } from "./piece_store.ts";
import { StateStore } from "./records.ts";
import { makeTorrent } from "./test_bench.ts";

const made = makeTorrent([["a", 700_000], ["pad", 86_432], ["deep/b", 900_000], ["c", 5]], 256 * 1024);

/** Runs with a store as a process of its own would open it. */
async function process(folder: string, run: (store: TorrentStore) => Promise<void>): Promise<void> {
  const host = denoHost();
  const db = await host.db.open(`${folder}/state.db`);
  const failures: Error[] = [];
  const store = await openPieceStore({
    clock: host.clock,
    disk: host.disk,
    layout: made.layout,
    path: `${folder}/save`,
    partFile: `${folder}/part`,
    memory: new StoreMemory({ openPieces: 300_000, readAhead: 300_000, openFiles: 2 }),
    records: (await StateStore.open(db)).pieces("key"),
    wanted: [true, true, false, true],
    events: { pieceStored() {}, pieceFailed() {}, drained() {}, failed: (error) => void failures.push(error) },
  });
  await run(store);
  await store.close();
  await db.close();
  await host.close();
  assert.deepEqual(failures, []);
}

Deno.test({
  name: "a store on the real disk keeps, resumes, checks and serves",
  sanitizeOps: true,
  sanitizeResources: true,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    await process(folder, async (store) => {
      for (let piece = 0; piece < made.layout.pieceCount; piece++) {
        for (let at = 0; at < made.piece(piece).length; at += 10_000) {
          store.write(piece, at, made.piece(piece).subarray(at, at + 10_000));
        }
      }
      await store.flush();
      assert.ok(store.have.full);
    });
    await process(folder, async (store) => {
      assert.ok(store.have.full);
      await store.check(() => {}, new AbortController().signal);
      assert.ok(store.have.full);
      await store.select([true, true, true, true]);
      for (let piece = 0; piece < made.layout.pieceCount; piece++) {
        const bytes = new Uint8Array(made.piece(piece).length);
        await store.read(piece, 0, bytes);
        assert.deepEqual(bytes, made.piece(piece));
      }
    });
    assert.deepEqual(await Deno.readFile(`${folder}/save/torrent/deep/b`), made.data.subarray(786_432, 1_686_432));
    await Deno.writeFile(`${folder}/save/torrent/a`, new Uint8Array(700_000));
    await process(folder, async (store) => {
      assert.ok(store.doubtful);
      await store.look(() => {}, new AbortController().signal);
      assert.deepEqual([...store.have.iterate()], [3, 4, 5, 6]);
      // In place, while it is served: the bytes that were there are given out, or none.
      const file = await Deno.open(`${folder}/save/torrent/deep/b`, { write: true });
      await store.read(4, 0, new Uint8Array(1));
      await file.seek(5 * 256 * 1024 - 786_432, Deno.SeekMode.Start);
      await file.write(new Uint8Array(100));
      file.close();
      await assert.rejects(store.read(5, 0, new Uint8Array(1000)) as Promise<void>, /Cannot read piece 5/);
      const again = new Uint8Array(1000);
      await store.read(6, 0, again);
      assert.deepEqual(again, made.piece(6).subarray(0, 1000));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
