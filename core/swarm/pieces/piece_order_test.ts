import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededRandom } from "../../host/memory/random.ts";
import { MAX_PRIORITY, PieceOrder } from "./piece_order.ts";

const COUNT = 40;

/** The pieces that may be picked, by the order's places. */
function listed(order: PieceOrder): number[] {
  return Array.from({ length: order.length }, (_, place) => order.at(place));
}

Deno.test("PieceOrder has no piece at first", () => {
  assert.equal(new PieceOrder(5, new SeededRandom(1)).length, 0);
});

Deno.test("PieceOrder puts the higher priority first, and the rarer of two alike", () => {
  const order = new PieceOrder(4, new SeededRandom(1));
  order.place(0, 4, 2);
  order.place(1, 7, 9);
  order.place(2, 4, 1);
  order.place(3, 1, 0);
  assert.deepEqual(listed(order), [1, 2, 0, 3]);
  order.place(1, 0, 9);
  assert.deepEqual(listed(order), [2, 0, 3]);
});

Deno.test("PieceOrder shuffles pieces of one rank, by its random source", () => {
  const orderOf = (seed: number): number[] => {
    const order = new PieceOrder(COUNT, new SeededRandom(seed));
    order.rebuild(() => 4, new Uint16Array(COUNT));
    return listed(order);
  };
  assert.deepEqual(orderOf(1), orderOf(1));
  assert.notDeepEqual(orderOf(1), orderOf(2));
  assert.notDeepEqual(orderOf(1), [...orderOf(1)].sort((a, b) => a - b));
});

Deno.test("PieceOrder agrees with a sorted list after any changes", () => {
  const place = fc.record({ piece: fc.nat(COUNT - 1), priority: fc.nat(MAX_PRIORITY), holders: fc.nat(40) });
  const rebuild = fc.record({ rebuild: fc.constant(true) });
  fc.assert(fc.property(fc.nat(), fc.array(fc.oneof({ weight: 20, arbitrary: place }, rebuild)), (seed, changes) => {
    const order = new PieceOrder(COUNT, new SeededRandom(seed));
    const priorities = new Uint8Array(COUNT);
    const holders = new Uint16Array(COUNT);
    for (const change of changes) {
      if ("rebuild" in change) order.rebuild((piece) => priorities[piece], holders);
      else {
        priorities[change.piece] = change.priority;
        holders[change.piece] = change.holders;
        order.place(change.piece, change.priority, change.holders);
      }
      // Beyond 31 holders a piece is common, and they are all alike.
      const rank = (piece: number): number => (MAX_PRIORITY - priorities[piece]) * 32 + Math.min(31, holders[piece]);
      const pieces = listed(order);
      const wanted = [...priorities.keys()].filter((piece) => priorities[piece] > 0);
      assert.deepEqual([...pieces].sort((a, b) => a - b), wanted);
      assert.deepEqual(pieces.map(rank), wanted.map(rank).sort((a, b) => a - b));
    }
  }));
});
