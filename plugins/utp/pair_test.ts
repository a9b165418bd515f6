import assert from "node:assert/strict";
import { converse } from "./test_pair.ts";

const calm = { delay: 25, jitter: 0, loss: 0, duplicate: 0, mtu: 1_472 };

Deno.test("in 200 kinds of weather every byte arrives in order, or the connection ends with an error", () => {
  // `deno task seeds utp` takes 100,000.
  for (let seed = 0; seed < 200; seed++) {
    const { fault } = converse(seed);
    assert.equal(fault, undefined, `replay it with deno task seeds utp --seed ${seed}`);
  }
});

Deno.test("a timeout that is due is handled, also where adding times rounds", () => {
  assert.equal(converse(16_234).fault, undefined);
});

Deno.test("reordering, duplicates and some loss keep nothing from arriving", () => {
  for (let seed = 0; seed < 30; seed++) {
    const outcome = converse(seed, { ...calm, jitter: 40, duplicate: 0.3, loss: 0.1 });
    assert.deepEqual([outcome.fault, outcome.complete], [undefined, true], `seed ${seed}`);
  }
});

Deno.test("a path that swallows large packets carries everything in smaller ones", () => {
  for (const mtu of [548, 600, 1_000, 1_399, 1_401]) {
    const outcome = converse(3, { ...calm, mtu });
    assert.deepEqual([outcome.fault, outcome.complete], [undefined, true], `${mtu} bytes`);
  }
});
