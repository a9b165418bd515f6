import assert from "node:assert/strict";
import { type Disk, DiskError, type DiskFile } from "../api/mod.ts";
import { makeTorrent, repeatPiece, TestBench } from "./test_bench.ts";
import type { Layout } from "./types.ts";

const KiB = 1024;
const BLOCK = 16 * KiB;

function bound(target: object, key: PropertyKey): unknown {
  const value = Reflect.get(target, key, target);
  return typeof value === "function" ? value.bind(target) : value;
}

const small = makeTorrent([["a", 100_000], ["pad", 31_072], ["deep/b", 70_000], ["empty", 0], ["c", 1]], 64 * KiB);

Deno.test("a store keeps pieces that come in order", async () => {
  const bench = new TestBench(small);
  await bench.open();
  await bench.fill();
  assert.deepEqual(bench.told.stored, [0, 1, 2, 3]);
  assert.ok(bench.store.have.full);
  assert.deepEqual(await bench.disk.readFile("/save/torrent/a"), small.data.subarray(0, 100_000));
  assert.deepEqual(await bench.disk.readFile("/save/torrent/deep/b"), small.data.subarray(131_072, 201_072));
  assert.equal((await bench.disk.lstat("/save/torrent/empty"))?.size, 0);
  assert.equal(bench.store.fileProgress(0), 100_000);
  await bench.wait(bench.store.close());
  const { freeBuffers: _, ...usage } = bench.memory.usage();
  assert.deepEqual(usage, { openPieces: 0, readAhead: 0, openFiles: 0 });
});

Deno.test("a store serves what it has, the second time from its read-ahead", async () => {
  const bench = new TestBench(small);
  await bench.open();
  await bench.fill();
  const into = new Uint8Array(BLOCK);
  const first = bench.store.read(1, BLOCK, into);
  assert.ok(first instanceof Promise);
  await bench.wait(first);
  assert.deepEqual(into, small.piece(1).subarray(BLOCK, 2 * BLOCK));
  assert.equal(bench.store.read(1, 0, into), true);
  assert.deepEqual(into, small.piece(1).subarray(0, BLOCK));
  assert.deepEqual(await bench.falseClaims(), []);
});

Deno.test("a store refuses to serve a piece that isn't verified", async () => {
  const bench = new TestBench(small);
  await bench.open();
  await assert.rejects(bench.read(0, 0, 10), /Cannot read piece 0: it isn't verified/);
});

Deno.test("blocks in reverse order, cut anywhere and sent twice make the same pieces", async () => {
  const made = makeTorrent([["one", 3_000_000]], 1024 * KiB, false);
  const bench = new TestBench(made);
  await bench.open();
  for (let piece = 2; piece >= 0; piece--) {
    const bytes = made.piece(piece);
    for (let at = Math.floor(bytes.length / 10_000) * 10_000; at >= 0; at -= 10_000) {
      bench.store.write(piece, at, bytes.subarray(at, at + 12_345));
    }
  }
  await bench.wait(bench.store.flush());
  assert.deepEqual(bench.told.stored.toSorted(), [0, 1, 2]);
  assert.deepEqual(await bench.disk.readFile("/save/one"), made.data);
});

Deno.test("a failed piece is empty again, and the right one tells which blocks were wrong", async () => {
  const made = makeTorrent([["one", 1024 * KiB]], 512 * KiB);
  const bench = new TestBench(made);
  await bench.open();
  for (const bad of [[3], [0, 31]]) {
    const bytes = made.piece(1).slice();
    for (const block of bad) bytes[block * BLOCK + 5] ^= 1;
    bench.store.write(1, 0, bytes);
    await bench.simulation.runUntil(() => bench.told.failed.length > 0);
    assert.deepEqual(bench.told.failed.splice(0), [1]);
  }
  bench.writePieces(1);
  await bench.wait(bench.store.flush());
  assert.deepEqual(bench.told.stored, [1]);
  assert.deepEqual(bench.told.wrong, [[[3], [0, 31]]]);
  assert.deepEqual(await bench.falseClaims(), []);
});

Deno.test("memory stays under its cap with 60 open pieces of 16 MiB and scattered blocks", async () => {
  const made = repeatPiece(makeTorrent([["one", 16 * 1024 * KiB]], 16 * 1024 * KiB), 60);
  const cap = 2 * 1024 * KiB;
  const bench = new TestBench(made, { openPieces: cap });
  await bench.open();
  let most = 0;
  for (let i = 0; i < 1200; i++) {
    const piece = i % 60;
    const block = Math.imul(i, 0x9e3779b1) >>> 22;
    bench.store.write(piece, block * BLOCK, made.piece(piece).subarray(block * BLOCK, (block + 1) * BLOCK));
    most = Math.max(most, bench.memory.usage().openPieces);
    if (bench.store.backlog) await bench.simulation.runUntil(() => !bench.store.backlog);
  }
  assert.ok(most <= cap + 256 * KiB, `${most}`);
  assert.ok(bench.told.drained > 0);
  // What was spilled is read back: a piece of them can still be completed.
  const bytes = made.piece(7);
  for (let at = bytes.length - BLOCK; at >= 0; at -= BLOCK) {
    bench.store.write(7, at, bytes.subarray(at, at + BLOCK));
    if (bench.store.backlog) await bench.simulation.runUntil(() => !bench.store.backlog);
  }
  await bench.simulation.runUntil(() => bench.told.stored.length > 0);
  assert.deepEqual(bench.told.stored, [7]);
  await bench.wait(bench.store.close());
  assert.equal(bench.memory.usage().openPieces, 0);
});

Deno.test("a discarded piece starts over", async () => {
  const bench = new TestBench(small);
  await bench.open();
  bench.store.write(0, 0, new Uint8Array(BLOCK));
  bench.store.discard(0);
  assert.equal(bench.memory.usage().openPieces, 0);
  bench.writePieces(0);
  await bench.wait(bench.store.flush());
  assert.deepEqual(bench.told.stored, [0]);
});

Deno.test("a write of a discarded attempt that is still under way can't spoil the next attempt", async () => {
  const made = makeTorrent([["one", 512 * KiB]], 512 * KiB);
  const bench = new TestBench(made);
  const gate = Promise.withResolvers<void>();
  let writes = 0;
  const open: Disk["open"] = async (path, options) => {
    const file = await bench.disk.open(path, options);
    const write: DiskFile["write"] = async (bytes, position) => {
      // A copy, as if the operating system had taken the bytes already.
      const taken = bytes.slice();
      if (++writes === 1) await gate.promise;
      await file.write(taken, position);
    };
    return { write, read: file.read.bind(file), stat: file.stat.bind(file), close: file.close.bind(file) } as DiskFile;
  };
  await bench.open({ disk: new Proxy(bench.disk, { get: (disk, key) => key === "open" ? open : bound(disk, key) }) });
  bench.store.write(0, 0, new Uint8Array(256 * KiB));
  await bench.simulation.runUntil(() => writes === 1);
  bench.store.discard(0);
  bench.writePieces(0);
  await bench.simulation.run(100);
  assert.deepEqual(bench.told.stored, []);
  gate.resolve();
  await bench.wait(bench.store.flush());
  assert.deepEqual(bench.told.stored, [0]);
  assert.deepEqual(await bench.falseClaims(), []);
});

Deno.test("a restart resumes, after a clean end and after a kill", async () => {
  const bench = new TestBench(small);
  await bench.open();
  bench.writePieces(0, 2);
  await bench.wait(bench.store.flush());
  await bench.restart();
  assert.deepEqual([...bench.store.have.iterate()], [0, 2]);
  bench.writePieces(1);
  await bench.wait(bench.store.flush());
  await bench.crash();
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 2]);
  assert.deepEqual(await bench.falseClaims(), []);
  assert.deepEqual(bench.logs, []);
});

/** What others do to a file, and which pieces are right then: each loses one or two of four, and less than half. */
const changes: Record<
  string,
  { readonly right: number[]; readonly change: (disk: TestBench["disk"]) => Promise<void> }
> = {
  "was cut": {
    right: [0, 2, 3],
    change: (disk) => disk.open("/save/torrent/a", { write: true }).then((file) => file.truncate(70_000)),
  },
  "was removed": { right: [0, 1], change: (disk) => disk.remove("/save/torrent/deep/b") },
  "lost its folder": { right: [0, 1], change: (disk) => disk.remove("/save/torrent/deep", { recursive: true }) },
  "was written by others": {
    right: [1, 2, 3],
    change: (disk) => disk.open("/save/torrent/a", { write: true }).then((file) => file.write(new Uint8Array(5), 0)),
  },
  "was replaced": {
    right: [0, 1],
    change: async (disk) => {
      await disk.writeFile("/save/other", new Uint8Array(70_000));
      await disk.rename("/save/other", "/save/torrent/deep/b");
    },
  },
  "was touched": {
    right: [0, 1, 2, 3],
    change: (disk) => disk.open("/save/torrent/a", { write: true }).then((file) => file.write(new Uint8Array(0), 0)),
  },
};

for (const [what, { right, change }] of Object.entries(changes)) {
  const lost = [0, 1, 2, 3].filter((piece) => !right.includes(piece));

  Deno.test(`a file that ${what} is hashed again after a restart, and what is right is kept`, async () => {
    const bench = new TestBench(small);
    await bench.open();
    await bench.fill();
    await bench.wait(bench.store.close());
    await bench.simulation.run(5000);
    await change(bench.disk);
    // Killed before the look is done: it is done then by the next process.
    bench.kill();
    await bench.openUnseen();
    assert.ok(bench.store.doubtful);
    await bench.crash();
    assert.deepEqual([...bench.store.have.iterate()], right);
    assert.deepEqual(bench.told.lost, lost);
    assert.match(bench.logs[0], /1 files of "torrent" changed since they were saved/);
    await bench.clearWay({ force: true });
    bench.writePieces(...lost);
    await bench.wait(bench.store.flush());
    await bench.crash();
    assert.equal(bench.store.doubtful, false);
    assert.ok(bench.store.have.full);
    assert.deepEqual(await bench.falseClaims(), []);
  });

  Deno.test(`a file that ${what} under a seed is noticed before it is served, and hashed again at once`, async () => {
    const bench = new TestBench(small, { readAhead: 0 });
    await bench.open();
    await bench.fill();
    await bench.read(0, 0, BLOCK);
    await bench.read(2, 0, BLOCK);
    await bench.simulation.run(1500);
    await change(bench.disk);
    for (const piece of [0, 1, 2, 3]) {
      const read = bench.read(piece, 0, 1);
      if (right.includes(piece)) assert.deepEqual(await read, small.piece(piece).subarray(0, 1));
      else await assert.rejects(read, /Cannot read piece \d: it isn't verified/);
    }
    await bench.simulation.run(100);
    assert.deepEqual(bench.told.lost, lost);
    assert.deepEqual(bench.told.errors, []);
    assert.deepEqual([...bench.store.have.iterate()], right);
    assert.match(bench.logs[0], /File "\/save\/torrent\/.*" changed under us: .*; what is there of it is hashed again/);
    await bench.clearWay({ force: true });
    bench.writePieces(...lost);
    await bench.wait(bench.store.flush());
    assert.deepEqual(await bench.falseClaims(), []);
    await bench.crash();
    assert.ok(bench.store.have.full);
    assert.deepEqual(await bench.falseClaims(), []);
  });

  Deno.test(`confirm() finds a file that ${what} while it downloads`, async () => {
    const bench = new TestBench(small);
    await bench.open();
    bench.writePieces(...lost, ...right.slice(1));
    await bench.wait(bench.store.flush());
    await change(bench.disk);
    bench.writePieces(right[0]);
    await bench.simulation.run(100);
    await bench.wait(bench.store.confirm());
    // A file that we still write to is as likely touched by us: what is there counts, and its bytes were right.
    if (what !== "was written by others") assert.deepEqual(await bench.falseClaims(), []);
    const missing = [0, 1, 2, 3].filter((piece) => !bench.store.have.has(piece));
    await bench.clearWay({ force: true });
    bench.writePieces(...missing);
    await bench.wait(bench.store.flush());
    await bench.wait(bench.store.confirm());
    assert.ok(bench.store.have.full);
    for (const [path, length] of [["a", 100_000], ["deep/b", 70_000], ["empty", 0], ["c", 1]] as const) {
      assert.equal((await bench.disk.lstat(`/save/torrent/${path}`))?.size, length, path);
    }
  });
}

for (const running of [false, true]) {
  Deno.test(`most of the data gone ${running ? "while it is seeded" : "at a restart"} stops the store until it is told, and nothing is made or dropped`, async () => {
    const bench = new TestBench(small);
    await bench.open();
    await bench.fill();
    if (!running) await bench.wait(bench.store.close());
    await bench.disk.rename("/save/torrent", "/elsewhere");
    if (running) {
      await assert.rejects(bench.wait(bench.store.confirm()), /its files are gone/);
      assert.equal(bench.told.errors.length, 1);
      await assert.rejects(bench.wait(bench.store.retry()), /its files are gone/);
    }
    for (let restart = 0; restart < 2; restart++) {
      const gone =
        /its files are gone: "\/save\/torrent\/a" is missing, so are 2 more, 4 pieces in all; bring them back/;
      await assert.rejects(bench.crash(), gone);
      await assert.rejects(bench.wait(bench.store.retry()), gone);
    }
    assert.equal(await bench.disk.lstat("/save/torrent"), undefined);
    assert.ok(bench.store.have.full);
    // Brought back, they are what they were.
    await bench.disk.rename("/elsewhere", "/save/torrent");
    await bench.crash();
    assert.ok(bench.store.have.full);
    assert.deepEqual(await bench.falseClaims(), []);
    // Told to check, it gives up what is gone.
    await bench.disk.rename("/save/torrent", "/elsewhere");
    await bench.wait(bench.store.check(() => {}, new AbortController().signal));
    assert.ok(bench.store.have.empty);
    await bench.fill();
    assert.ok(bench.store.have.full);
  });
}

Deno.test("a check that was killed is done again by the next process, also of pieces that nobody claimed", async () => {
  const bench = new TestBench(small);
  await bench.disk.makeDirectory("/save/torrent/deep");
  await bench.disk.writeFile("/save/torrent/a", small.data.subarray(0, 100_000));
  await bench.disk.writeFile("/save/torrent/deep/b", small.data.subarray(131_072, 201_072));
  await bench.open();
  const stop = new AbortController();
  await assert.rejects(bench.wait(bench.store.check(() => stop.abort(new Error("killed")), stop.signal)), /killed/);
  await bench.crash();
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 2]);
});

Deno.test("a full disk stops the store with a remedy, and retry goes on without losing bytes", async () => {
  const bench = new TestBench(small);
  await bench.open();
  bench.disk.capacity = 80_000;
  bench.writePieces(0, 1, 2);
  await bench.simulation.runUntil(() => bench.told.errors.length > 0);
  assert.match(bench.told.errors[0].message, /\/save\/torrent\/.*; free some space$/);
  await assert.rejects(bench.wait(bench.store.retry()), DiskError);
  await assert.rejects(bench.wait(bench.store.flush()), DiskError);
  bench.disk.capacity = 1e9;
  await bench.wait(bench.store.retry());
  bench.writePieces(3);
  await bench.wait(bench.store.flush());
  assert.equal(bench.told.errors.length, 1);
  assert.ok(bench.store.have.full);
  assert.deepEqual(await bench.falseClaims(), []);
});

Deno.test("a store that failed gives its memory back to others, and says which pieces are lost", async () => {
  const bench = new TestBench(small, { openPieces: 64 * KiB });
  await bench.open();
  using _fault = bench.disk.fault("write", () => "io");
  bench.writePieces(0);
  await bench.simulation.runUntil(() => bench.told.errors.length > 0);
  bench.writePieces(1);
  await bench.simulation.runUntil(() => !bench.store.backlog);
  assert.deepEqual(bench.told.lost.toSorted(), [0, 1]);
  assert.equal(bench.memory.usage().openPieces, 0);
});

Deno.test("unwanted files live in the part file until they are wanted", async () => {
  const bench = new TestBench(small);
  await bench.open({ wanted: [true, true, false, true, true] });
  bench.writePieces(0, 1, 2);
  await bench.wait(bench.store.flush());
  assert.equal(await bench.disk.lstat("/save/torrent/deep/b"), undefined);
  await bench.crash({ wanted: [true, true, false, true, true] });
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 2]);
  assert.deepEqual(await bench.falseClaims(), []);
  bench.store.write(3, 0, small.piece(3).subarray(0, 100));
  await bench.wait(bench.store.select([true, true, true, true, true]));
  assert.equal(await bench.disk.lstat("/save/.torrent.part"), undefined);
  bench.store.write(3, 100, small.piece(3).subarray(100));
  await bench.wait(bench.store.flush());
  assert.ok(bench.store.have.full);
  assert.deepEqual(await bench.falseClaims(), []);
  await bench.crash();
  assert.ok(bench.store.have.full);
  assert.deepEqual(await bench.disk.readFile("/save/torrent/deep/b"), small.data.subarray(131_072, 201_072));
});

Deno.test("check() finds what is right on disk, with progress, and can be stopped", async () => {
  const bench = new TestBench(small);
  await bench.open();
  await bench.fill();
  const file = await bench.disk.open("/save/torrent/deep/b", { write: true });
  await file.write(Uint8Array.of(small.data[131_072] ^ 1), 0);
  await file.close();
  const progress: number[] = [];
  await bench.wait(bench.store.check((count) => progress.push(count), new AbortController().signal));
  assert.deepEqual(progress, [1, 2, 3, 4]);
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 3]);
  const stop = AbortSignal.abort(new Error("enough"));
  await assert.rejects(bench.wait(bench.store.check(() => {}, stop)), /enough/);
  await bench.crash();
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 3]);
});

Deno.test("check() reads pieces that no plain hash judges", async () => {
  const layout: Layout = { ...small.layout, digest: undefined };
  const bench = new TestBench({ ...small, layout });
  await bench.open();
  await bench.fill();
  await bench.crash({ records: undefined });
  assert.ok(bench.store.have.empty);
  await bench.wait(bench.store.check(() => {}, new AbortController().signal));
  assert.ok(bench.store.have.full);
});

Deno.test("trust() claims what is there without looking, and nothing that isn't", async () => {
  const bench = new TestBench(small);
  await bench.disk.makeDirectory("/save/torrent/deep");
  await bench.disk.writeFile("/save/torrent/a", small.data.subarray(0, 100_000));
  await bench.disk.writeFile("/save/torrent/deep/b", small.data.subarray(131_072, 201_072));
  await bench.open();
  await bench.wait(bench.store.trust());
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 2]);
  await bench.crash();
  assert.deepEqual([...bench.store.have.iterate()], [0, 1, 2]);
});

Deno.test("a piece whose verifier can't say yet is held, and judged again when asked", async () => {
  let known = false;
  const verifier = (piece: number) => {
    const inner = small.layout.verifier(piece);
    return { update: inner.update, finish: () => known ? inner.finish() : "unknown" as const };
  };
  const bench = new TestBench({ ...small, layout: { ...small.layout, verifier } });
  await bench.open();
  bench.writePieces(0);
  await bench.wait(bench.store.flush());
  assert.deepEqual(bench.told.stored, []);
  known = true;
  bench.store.reverify(0);
  await bench.simulation.runUntil(() => bench.told.stored.length > 0);
  assert.deepEqual(await bench.falseClaims(), []);
});

Deno.test("files that stay unused are closed", async () => {
  const bench = new TestBench(small);
  await bench.open();
  await bench.fill();
  assert.ok(bench.memory.usage().openFiles > 0);
  await bench.simulation.run(90_000);
  assert.equal(bench.memory.usage().openFiles, 0);
});

Deno.test("nothing is written through a symlink that leads out of the save folder", async () => {
  const bench = new TestBench(small);
  await bench.disk.makeDirectory("/save/torrent");
  await bench.disk.makeDirectory("/outside");
  bench.disk.symlink("/save/torrent/deep", "/outside");
  await bench.open();
  bench.writePieces(2);
  await bench.simulation.runUntil(() => bench.told.errors.length > 0);
  assert.match(bench.told.errors[0].message, /leads out of "\/save"/);
  assert.deepEqual(await bench.disk.list("/outside"), []);
});

Deno.test("bytes of unwanted files are not written through a symlink either", async () => {
  const bench = new TestBench(makeTorrent([["a", 5000], ["b", 5000]], 4096));
  await bench.disk.makeDirectory("/outside");
  await bench.disk.makeDirectory("/save");
  bench.disk.symlink("/save/.weft", "/outside");
  await bench.open({ partFile: "/save/.weft/key.parts", wanted: [true, false] });
  bench.writePieces(0, 1, 2);
  await assert.rejects(bench.wait(bench.store.flush()), /leads out of "\/save"; remove the symlink/);
  assert.deepEqual(await bench.disk.list("/outside"), []);
});
