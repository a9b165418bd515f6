import assert from "node:assert/strict";
import { createSimulation } from "../host/memory/mod.ts";
import { Claims } from "./claims.ts";
import type { PieceRecords } from "./records.ts";
import { makeTorrent } from "./test_bench.ts";

const { layout } = makeTorrent([["a", 40], ["b", 24]], 16);

/** Claims over records that note what was committed, and fail while `broken`. */
function setUp(bits?: Uint8Array) {
  const simulation = createSimulation({ seed: 1 });
  const commits: { pages: number[]; files: number[] }[] = [];
  const told: number[] = [];
  const completed: number[] = [];
  const faults: unknown[] = [];
  const disk = { broken: false, bits: new Uint8Array(1) as Uint8Array };
  const records: PieceRecords = {
    load: () => Promise.resolve({ stamps: [] }),
    commit: async ({ pages, stamps }) => {
      await new Promise<void>((resolve) => void simulation.clock.after(5, resolve));
      if (disk.broken) throw new Error("broken");
      for (const { bits } of pages) disk.bits = bits;
      commits.push({ pages: pages.map(({ page }) => page), files: stamps.map(({ file }) => file) });
    },
  };
  const claims = new Claims({
    layout,
    clock: simulation.clock,
    records,
    bits,
    committed: (piece) => void told.push(piece),
    completed: (file) => void completed.push(file),
    fault: (error) => void faults.push(error),
  });
  return { simulation, claims, commits, told, completed, faults, disk };
}

Deno.test("a claim counts once it is committed, and those that come meanwhile share the next commit", async () => {
  const { simulation, claims, commits, told, completed } = setUp();
  claims.claim(0, []);
  claims.claim(1, []);
  claims.claim(2, []);
  assert.ok(claims.has(1) && !claims.have.has(1));
  await simulation.run(6);
  assert.deepEqual(told, [0, 1, 2]);
  claims.claim(3, []);
  await simulation.run(6);
  assert.deepEqual(told, [0, 1, 2]);
  await simulation.run(100);
  assert.deepEqual(told, [0, 1, 2, 3]);
  assert.deepEqual(completed, [0, 1]);
  assert.equal(commits.length, 2);
  assert.equal(claims.verified(0), 40);
});

Deno.test("a claim that is taken back is not committed", async () => {
  const { simulation, claims, told, disk } = setUp();
  claims.claim(0, []);
  await simulation.run(1);
  claims.claim(1, []);
  assert.deepEqual(claims.drop([0, 1, 2]), [0, 1]);
  await simulation.complete(claims.commit());
  assert.deepEqual(told, []);
  assert.ok(claims.have.empty);
  assert.deepEqual(disk.bits, Uint8Array.of(0));
});

Deno.test("a failed commit keeps the claims for the next", async () => {
  const { simulation, claims, told, faults, disk } = setUp();
  disk.broken = true;
  claims.claim(0, []);
  claims.stamp({ file: 0, home: "file", size: 1, modified: 2, writing: true });
  await simulation.run(100);
  assert.match(String(faults), /broken/);
  assert.deepEqual(told, []);
  disk.broken = false;
  await simulation.complete(claims.commit());
  assert.deepEqual(told, [0]);
  assert.deepEqual(disk.bits, Uint8Array.of(0x80));
});

Deno.test("Claims begins with what the records hold", () => {
  const { claims } = setUp(Uint8Array.of(0b0111_0000));
  assert.deepEqual([claims.verified(0), claims.verified(1)], [24, 24]);
  assert.deepEqual([claims.have.has(0), claims.have.has(3)], [false, true]);
  claims.drop([2]);
  assert.deepEqual([claims.verified(0), claims.verified(1)], [16, 16]);
});
