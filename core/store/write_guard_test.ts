import assert from "node:assert/strict";
import { bytesEqual } from "../wire/mod.ts";
import { ownFiles } from "./ownership.ts";
import { openPieceStore, type PieceStoreOptions } from "./piece_store.ts";
import { type Made, makeTorrent, TestBench } from "./test_bench.ts";
import { ObstacleError } from "./write_guard.ts";

const KiB = 1024;
// "a" has pieces of its own, "b" and "c" share the last one.
const made = makeTorrent([["a", 128 * KiB], ["b", 10 * KiB], ["c", 10 * KiB]], 32 * KiB);
const stranger = new Uint8Array(50 * KiB).fill(7);

/** A bench on whose disk some files of the torrent stand, opened and looked at as a swarm does it. */
async function withFiles(
  files: Record<string, Uint8Array>,
  { force = false, ...options }: Partial<PieceStoreOptions> & { force?: boolean } = {},
  of: Made = made,
): Promise<TestBench> {
  const bench = new TestBench(of);
  for (const [name, bytes] of Object.entries(files)) await put(bench, name, bytes);
  await bench.open(options);
  await settle(bench, force);
  return bench;
}

async function settle(bench: TestBench, force = false): Promise<void> {
  if (await bench.wait(bench.store.hasUnknownData())) {
    await bench.wait(bench.store.check(() => {}, new AbortController().signal));
  }
  await bench.clearWay({ force });
}

async function put(bench: TestBench, name: string, bytes: Uint8Array): Promise<void> {
  await bench.wait(bench.disk.makeDirectory("/save/torrent"));
  await bench.wait(bench.disk.writeFile(`/save/torrent/${name}`, bytes));
}

async function bytesOf(bench: TestBench, name: string): Promise<Uint8Array> {
  return await bench.wait(bench.disk.readFile(`/save/torrent/${name}`));
}

function part(name: "a" | "b" | "c"): Uint8Array {
  const { offset, length } = made.layout.files.find(({ path }) => path[0] === name)!;
  return made.data.slice(offset, offset + length);
}

function obstacles(...names: string[]): (error: unknown) => boolean {
  const paths = names.map((name) => `/save/torrent/${name}`);
  return (error) => {
    assert.ok(error instanceof ObstacleError, String(error));
    assert.deepEqual(error.paths, paths);
    return true;
  };
}

Deno.test("a file of the same name that isn't the torrent's is an obstacle, and stays as it is", async () => {
  await assert.rejects(withFiles({ a: stranger, b: part("b") }), obstacles("a"));
  const bench = new TestBench(made);
  await put(bench, "a", stranger);
  await bench.open();
  // Also when nobody asked before.
  bench.writePieces(0, 1);
  await assert.rejects(bench.wait(bench.store.flush()), obstacles("a"));
  assert.ok(bytesEqual(await bytesOf(bench, "a"), stranger));
});

Deno.test("with force an obstacle is overwritten and cut to its length, also after a restart", async () => {
  const long = new Uint8Array(200 * KiB).fill(9);
  const bench = await withFiles({ a: long }, { force: true });
  await bench.crash();
  await settle(bench);
  await bench.fill();
  assert.ok(bytesEqual(await bytesOf(bench, "a"), part("a")));
});

Deno.test("what another client fetched of a file is gone on with", async () => {
  const partial = part("a").fill(0, 0, 64 * KiB);
  const bench = await withFiles({ a: partial });
  assert.deepEqual([...bench.store.have.iterate()], [2, 3]);
  await bench.crash();
  await settle(bench);
  assert.deepEqual([...bench.store.have.iterate()], [2, 3]);
  await bench.fill();
  assert.ok(bytesEqual(await bytesOf(bench, "a"), part("a")));
  assert.deepEqual(await bench.falseClaims(), []);
});

Deno.test("files without bytes, or with zeros alone, wait for a download", async () => {
  const bench = await withFiles({ a: new Uint8Array(128 * KiB), b: new Uint8Array(0), c: new Uint8Array(3) });
  await bench.fill();
  assert.ok(bytesEqual(await bytesOf(bench, "a"), part("a")));
  assert.ok(bench.store.have.full);
});

Deno.test("a file that comes after the look is not written to", async () => {
  const bench = await withFiles({});
  await put(bench, "b", stranger);
  bench.writePieces(4);
  await assert.rejects(bench.wait(bench.store.flush()), obstacles("b"));
  assert.ok(bytesEqual(await bytesOf(bench, "b"), stranger));
});

Deno.test("a file that was swapped for another between two runs is not written to", async () => {
  const bench = await withFiles({});
  bench.writePieces(0);
  await bench.wait(bench.store.close());
  await bench.simulation.run(5000);
  await put(bench, "a", stranger);
  await assert.rejects(bench.crash(), /its files are gone: "\/save\/torrent\/a"/);
  // Also when the user gives up what was there.
  await bench.wait(bench.store.check(() => {}, new AbortController().signal));
  await assert.rejects(settle(bench), obstacles("a"));
});

Deno.test("two stores that begin at once in one folder: the second finds the first's file in its way", async () => {
  const other = makeTorrent([["a", 100 * KiB]], 32 * KiB);
  const first = await withFiles({});
  const second = await first.wait(openPieceStore({
    clock: first.host.clock,
    disk: first.host.disk,
    layout: other.layout,
    path: "/save",
    partFile: "/save/.other.part",
    memory: first.memory,
    events: { pieceStored() {}, pieceFailed() {}, failed() {}, drained() {} },
  }));
  await first.wait(second.clearWay({ force: false, held: () => Promise.resolve(new Set()) }));
  first.writePieces(0);
  await first.wait(first.store.flush());
  second.write(0, 0, other.piece(0).slice().fill(1));
  second.write(1, 0, other.piece(1));
  await assert.rejects(first.wait(second.flush()), obstacles("a"));
  assert.deepEqual(await first.falseClaims(), []);
});

Deno.test("a stranger that isn't wanted is left alone: its bytes go to the part file", async () => {
  const bench = await withFiles({ b: stranger }, { wanted: [true, false, true] });
  await bench.fill();
  assert.ok(bench.store.have.full);
  assert.ok(bytesEqual(await bytesOf(bench, "b"), stranger));
  await assert.rejects(bench.wait(bench.store.select([true, true, true])), obstacles("b"));
  assert.ok(bytesEqual(await bytesOf(bench, "b"), stranger));
});

Deno.test("a small file that can't be judged alone is compared with what comes", async () => {
  for (const right of [true, false]) {
    const there = right ? part("b") : part("b").fill(1);
    const bench = await withFiles({ b: there });
    bench.writePieces(0, 1, 2, 3, 4);
    if (right) {
      await bench.wait(bench.store.flush());
      await bench.crash();
      await settle(bench);
      assert.ok(bench.store.have.full);
    } else await assert.rejects(bench.wait(bench.store.flush()), obstacles("b"));
    assert.ok(bytesEqual(await bytesOf(bench, "b"), there));
  }
});

Deno.test("wrong bytes of a compared file cost one attempt", async () => {
  const bench = await withFiles({ b: part("b") });
  bench.store.write(4, 0, made.piece(4).slice().fill(3));
  await bench.wait(bench.store.flush());
  assert.deepEqual(bench.told.failed, [4]);
  await bench.fill();
  assert.ok(bench.store.have.full);
});

Deno.test("a file that an older torrent has is used, and never changed", async () => {
  const bench = new TestBench(made);
  for (const name of ["a", "b"] as const) await put(bench, name, part(name));
  await bench.open();
  await bench.wait(bench.store.check(() => {}, new AbortController().signal));
  await bench.clearWay({ held: ["/save/torrent/a", "/save/torrent/b"] });
  await bench.fill();
  assert.ok(bench.store.have.full);

  const broken = part("a").fill(0, 0, 10);
  const other = new TestBench(made);
  await put(other, "a", broken);
  await other.open();
  await other.wait(other.store.check(() => {}, new AbortController().signal));
  await assert.rejects(other.clearWay({ held: ["/save/torrent/a"], force: true }), /another torrent here has it/);
  assert.ok(bytesEqual(await bytesOf(other, "a"), broken));
});

Deno.test("a store that only reads makes no file, and says what is wrong with which", async () => {
  const empty = makeTorrent([["a", 128 * KiB], ["empty", 0], ["b", 64 * KiB], ["c", 64 * KiB]], 32 * KiB);
  const bench = new TestBench(empty);
  await put(bench, "a", empty.data.slice(0, 1000));
  await put(bench, "c", new Uint8Array(70_000));
  await bench.open({ readOnly: true });
  await bench.wait(bench.store.check(() => {}, new AbortController().signal));
  await bench.fill();
  assert.ok(bench.store.have.empty);
  assert.deepEqual(await bench.wait(bench.store.describeLack()), [
    '"/save/torrent/a" has 1000 of 131072 bytes',
    '"/save/torrent/b" is not there',
    '"/save/torrent/c" differs',
  ]);
  assert.deepEqual(bench.store.oversize, [
    '"/save/torrent/c" has 70000 bytes, 65536 are the torrent\'s; the rest is left alone',
  ]);
  assert.deepEqual(await bench.wait(bench.disk.list("/save/torrent")), ["a", "c"]);
});

Deno.test("a file without bytes is the torrent's own once it is made, or stands there empty", async () => {
  const bench = new TestBench(makeTorrent([["a", 0], ["b", 0], ["c", 0], ["d", 10]], 32 * KiB));
  await put(bench, "b", new Uint8Array(0));
  await put(bench, "c", stranger);
  await bench.open();
  const own = async () => {
    const records = bench.state.pieces("key");
    const files = await ownFiles(bench.disk, { layout: bench.made.layout, path: "/save", partFile: "/p", records });
    return files.map((path) => path.at(-1)).sort();
  };
  await bench.wait(bench.store.flush());
  assert.deepEqual(await bench.wait(own()), ["a", "b"]);
  await bench.restart();
  assert.deepEqual(await bench.wait(own()), ["a", "b"]);
  assert.ok(bytesEqual(await bytesOf(bench, "c"), stranger));
});

Deno.test("symlinks are read through on request, and only where nothing is written", async () => {
  const bench = new TestBench(made);
  await bench.wait(bench.disk.makeDirectory("/elsewhere"));
  for (const name of ["a", "b", "c"] as const) {
    await bench.wait(bench.disk.writeFile(`/elsewhere/${name}`, part(name)));
  }
  await bench.wait(bench.disk.makeDirectory("/save/torrent"));
  for (const name of ["a", "b", "c"]) bench.disk.symlink(`/save/torrent/${name}`, `/elsewhere/${name}`);
  await assert.rejects(bench.open({ followLinks: true }), /where files may be written to/);
  bench.host = bench.host.restart();
  await bench.open({ readOnly: true });
  const check = () => bench.wait(bench.store.check(() => {}, new AbortController().signal));
  await assert.rejects(check(), /it is a symlink; move it away, or seed with --follow-links/);
  await bench.restart({ readOnly: true, followLinks: true });
  await check();
  assert.ok(bench.store.have.full);
  assert.deepEqual(await bench.falseClaims(), []);
  await bench.restart({ readOnly: true, followLinks: true });
  assert.ok(bench.store.have.full);
});
