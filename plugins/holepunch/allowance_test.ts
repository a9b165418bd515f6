import assert from "node:assert/strict";
import { Allowance } from "./allowance.ts";

Deno.test("an allowance is used up at once, and comes back by the minute, never beyond its most", () => {
  const allowance = new Allowance(1_000, { most: 2, perMinute: 6 });
  const taken = (now: number): boolean[] => [1, 2, 3].map(() => allowance.take(now));
  assert.deepEqual(taken(1_000), [true, true, false]);
  assert.deepEqual(taken(10_900), [false, false, false]);
  assert.deepEqual(taken(11_001), [true, false, false]);
  assert.deepEqual(taken(1_000_000), [true, true, false]);
});
