import assert from "node:assert/strict";
import fc from "fast-check";
import type { DiskFault } from "../api/mod.ts";
import { simulate } from "../../tests/testing/simulate.ts";
import { makeTorrent, TestBench } from "./test_bench.ts";
import { trySeed } from "./test_seeds.ts";

const KiB = 1024;

/** One thing that happens to a store. */
type Step =
  | {
    readonly do: "write";
    readonly piece: number;
    readonly at: number;
    readonly length: number;
    readonly bad: boolean;
  }
  | { readonly do: "fill"; readonly piece: number; readonly fragment: number; readonly order: number }
  | { readonly do: "discard"; readonly piece: number }
  | { readonly do: "wait"; readonly milliseconds: number }
  | { readonly do: "flush" | "kill" | "restart" | "retry" | "check" }
  | { readonly do: "fault"; readonly operations: number; readonly fault: DiskFault }
  | { readonly do: "select"; readonly wanted: readonly boolean[] };

const share = fc.integer({ min: 0, max: 999 }).map((thousandths) => thousandths / 1000);
const piece = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("fill" as const),
      piece,
      fragment: fc.integer({ min: 3000, max: 70_000 }),
      order: fc.nat(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      piece,
      at: fc.nat(5_000_000),
      length: fc.nat(60_000),
      bad: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("discard" as const), piece }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), milliseconds: fc.nat(60) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("flush" as const, "kill" as const, "restart" as const, "retry" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("check" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      operations: fc.integer({ min: 1, max: 4 }),
      fault: fc.constantFrom<DiskFault>("full", "io", "tooManyFiles", "readOnly"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("select" as const),
      wanted: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    }),
  },
);

const world = fc.record({
  pieceLength: fc.oneof(
    fc.constantFrom(16 * KiB, 64 * KiB, 256 * KiB, 1024 * KiB, 4096 * KiB),
    fc.integer({ min: 16 * KiB, max: 700 * KiB }),
  ),
  shares: fc.tuple(share, share, share),
  openPieces: fc.constantFrom(32 * KiB, 512 * KiB, 8192 * KiB),
  openFiles: fc.constantFrom(1, 8),
  latency: fc.constantFrom(0, 1, 7),
  steps: fc.array(step, { minLength: 1, maxLength: 25, size: "max" }),
});

// By the million: `deno task seeds store`.
simulate(
  "a piece whose bytes are all there is hashed and stored, soon and once, however short memory is",
  400,
  async (seed) => {
    await trySeed(seed);
  },
);

Deno.test("what a store claims is on disk, and what it acknowledged is not lost, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(world, async ({ pieceLength, shares, openPieces, openFiles, latency, steps }) => {
      const [a, b, c] = shares.map((share) => Math.floor(share * 3 * pieceLength));
      const made = makeTorrent([["a", a], ["pad", c % 5000], ["d/b", b + 1], ["empty", 0], ["c", c]], pieceLength);
      const bench = new TestBench(made, { openPieces, openFiles });
      using _simulation = bench.simulation;
      bench.disk.latency = latency;
      let wanted: readonly boolean[] = [true, true, true, true, true];
      const acknowledged = new Set<number>();
      const note = () => bench.told.stored.forEach((piece) => acknowledged.add(piece));
      await bench.open({ wanted });
      for (const step of steps) {
        await play(step);
        note();
      }
      // In the end the disk is well again: what was acknowledged is there, now and after a kill, and the rest can be had.
      await bench.wait(bench.store.retry());
      for (let round = 0; round < 2; round++) {
        for (const piece of acknowledged) assert.ok(bench.store.have.has(piece), `piece ${piece} was lost`);
        assert.deepEqual(await bench.falseClaims(), []);
        await bench.crash({ wanted });
      }
      for (let piece = 0; piece < made.layout.pieceCount; piece++) {
        bench.store.discard(piece);
        bench.writePieces(piece);
      }
      await bench.simulation.runUntil(() => bench.store.have.full);
      await bench.wait(bench.store.close());
      const { freeBuffers: _, ...usage } = bench.memory.usage();
      assert.deepEqual(usage, { openPieces: 0, readAhead: 0, openFiles: 0 });

      async function play(step: Step): Promise<void> {
        const { store } = bench;
        switch (step.do) {
          case "write": {
            const index = step.piece % made.layout.pieceCount;
            const bytes = made.piece(index);
            const at = step.at % bytes.length;
            const part = bytes.slice(at, at + step.length);
            if (step.bad && part.length > 0) part[0] ^= 1;
            return store.write(index, at, part);
          }
          case "fill": {
            const index = step.piece % made.layout.pieceCount;
            const bytes = made.piece(index);
            const count = Math.ceil(bytes.length / step.fragment);
            for (let i = 0; i < count; i++) {
              const at = (step.order % 2 ? i : (i + step.order) % count) * step.fragment;
              store.write(index, at, bytes.subarray(at, at + step.fragment));
            }
            return;
          }
          case "discard":
            return store.discard(step.piece % made.layout.pieceCount);
          case "wait":
            return await bench.simulation.run(step.milliseconds);
          case "fault": {
            let left = step.operations;
            const rule = bench.disk.fault("write", () => left-- > 0 ? step.fault : undefined);
            await bench.simulation.run(20);
            return rule[Symbol.dispose]();
          }
          case "select":
            wanted = step.wanted;
            return await bench.wait(store.select(wanted)).catch(() => {});
          case "check":
            return await bench.wait(store.check(() => {}, new AbortController().signal));
          case "kill":
            note();
            return void await bench.crash({ wanted });
          case "restart":
            await bench.wait(store.close()).catch(() => {});
            note();
            return void await bench.crash({ wanted });
          default:
            return await bench.wait(store[step.do]()).catch(() => {});
        }
      }
    }),
    { numRuns: 60 },
  );
});
