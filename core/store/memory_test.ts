import assert from "node:assert/strict";
import { Budget, type BufferHolder, BufferPool, StoreMemory } from "./memory.ts";

const KiB = 1024;

/** Gives up its buffer at once, or promises it. */
class Holder implements BufferHolder {
  declare older?: this;
  declare newer?: this;
  listed = false;
  buffer?: Uint8Array;

  constructor(readonly budget: Budget, readonly promises = false) {}

  giveUp(): void {
    if (this.promises) this.budget.promise(this.buffer!.length);
    else this.budget.release(this);
  }
}

Deno.test("BufferPool hands out buffers again, by size", () => {
  const pool = new BufferPool();
  const buffer = pool.take(20_000);
  assert.equal(buffer.length, 32 * KiB);
  pool.give(buffer);
  assert.equal(pool.freeBytes, 32 * KiB);
  assert.notEqual(pool.take(16 * KiB), buffer);
  assert.equal(pool.take(32 * KiB), buffer);
  assert.equal(pool.freeBytes, 0);
});

Deno.test("Budget asks those for their buffers who used them longest ago", () => {
  const budget = new Budget(new BufferPool(), 64 * KiB);
  const holders = Array.from({ length: 5 }, () => new Holder(budget));
  for (const holder of holders) {
    budget.take(holder, 16 * KiB);
    budget.touch(holder);
  }
  assert.deepEqual(holders.map(({ buffer }) => buffer !== undefined), [false, false, true, true, true]);
  assert.equal(budget.over, false);
});

Deno.test("Budget is over its limit until what was promised came", () => {
  const budget = new Budget(new BufferPool(), 64 * KiB);
  let drained = 0;
  using _listener = budget.onDrained(() => drained++);
  const holders = Array.from({ length: 5 }, () => new Holder(budget, true));
  for (const holder of holders) {
    budget.take(holder, 16 * KiB);
    budget.touch(holder);
  }
  assert.equal(budget.over, true);
  const promised = holders.filter(({ listed }) => !listed);
  assert.equal(promised.length, 2);
  for (const holder of promised) {
    budget.release(holder);
    budget.settle(16 * KiB);
  }
  assert.equal(budget.over, false);
  assert.equal(drained, 1);
});

Deno.test("Budget is over as well while the disk is far behind", () => {
  const budget = new Budget(new BufferPool(), 64 * 1024 * KiB);
  budget.promise(9 * 1024 * KiB);
  assert.equal(budget.over, true);
  budget.settle(6 * 1024 * KiB);
  assert.equal(budget.over, false);
});

Deno.test("Budget leaves pinned buffers alone", () => {
  const budget = new Budget(new BufferPool(), 16 * KiB);
  const [pinned, other] = [new Holder(budget), new Holder(budget)];
  budget.take(pinned, 16 * KiB);
  budget.touch(pinned);
  budget.pin(pinned);
  budget.take(other, 16 * KiB);
  assert.ok(pinned.buffer);
  budget.release(pinned);
  budget.release(other);
  assert.equal(budget.used, 0);
});

Deno.test("StoreMemory tells what it uses", () => {
  const memory = new StoreMemory({ openPieces: 1, readAhead: 1, openFiles: 1 });
  assert.deepEqual(memory.usage(), { openPieces: 0, readAhead: 0, freeBuffers: 0, openFiles: 0 });
});
