import assert from "node:assert/strict";
import fc from "fast-check";
import { FreeSlots, NONE, SlotIndex, WordHash } from "./slot_index.ts";

function chain(index: SlotIndex, hash: number): number[] {
  const slots = [];
  for (let slot = index.first(hash); slot !== NONE; slot = index.after(slot)) slots.push(slot);
  return slots;
}

Deno.test("slots of one hash stand in one chain, from which any can go", () => {
  for (const leaving of [1, 2, 3]) {
    const index = new SlotIndex({ words: new Uint32Array(8), stride: 2 }, 1);
    for (const slot of [1, 2, 3]) index.add(-5, slot);
    index.remove(-5, leaving);
    assert.deepEqual(chain(index, -5).sort(), [1, 2, 3].filter((slot) => slot !== leaving));
  }
  const index = new SlotIndex({ words: new Uint32Array(8), stride: 2 }, 1);
  index.add(1, 0);
  assert.throws(() => index.remove(2, 0), /not in its chain/);
});

Deno.test("slots that were given back are taken first", () => {
  const free = new FreeSlots({ words: new Uint32Array(8), stride: 2 }, 0);
  assert.deepEqual([free.take(), free.take(), free.take()], [0, 1, 2]);
  free.give(0);
  free.give(2);
  assert.deepEqual([free.take(), free.take(), free.take()], [2, 0, 3]);
});

Deno.test("a hash spreads keys that differ a little, and differently for another secret", () => {
  const secret = fc.uint8Array({ minLength: 8, maxLength: 8 });
  fc.assert(fc.property(secret, (bytes) => {
    const hash = new WordHash(new Uint32Array(bytes.slice().buffer));
    const cells = new Uint32Array(64);
    for (let word = 0; word < 64_00; word++) cells[hash.begin().word(word).end() & 63]++;
    assert.ok(Math.max(...cells) < 400, `${Math.max(...cells)} of 100 expected`);
  }));
  const one = new WordHash(Uint32Array.of(1, 2));
  const other = new WordHash(Uint32Array.of(1, 4));
  assert.notEqual(one.begin().word(7).end(), other.begin().word(7).end());
});
