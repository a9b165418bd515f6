import assert from "node:assert/strict";
import { uniformBelow } from "./uniform.ts";

Deno.test("uniformBelow() throws away draws that would favour small numbers", () => {
  const draws = [2 ** 32 - 1, 7];
  assert.equal(uniformBelow(3, () => draws.shift()!), 1);
  assert.equal(draws.length, 0);
});

Deno.test("uniformBelow() takes every draw for a bound of 2^32", () => {
  assert.equal(uniformBelow(2 ** 32, () => 2 ** 32 - 1), 2 ** 32 - 1);
});

Deno.test("uniformBelow() throws on a bound that is no count", () => {
  for (const bound of [0, -1, 1.5, NaN, 2 ** 32 + 1]) assert.throws(() => uniformBelow(bound, () => 0), RangeError);
});
