import assert from "node:assert/strict";
import { Rate } from "./rate.ts";

Deno.test("so many pass at once, and so many a second after that", () => {
  let now = 0;
  const rate = new Rate({ now: () => now }, 3, 2);
  const taken = (): number => {
    let count = 0;
    while (rate.take()) count++;
    return count;
  };
  assert.equal(taken(), 3);
  now = 1_000;
  assert.equal(taken(), 2);
  now = 60_000;
  assert.equal(taken(), 3);
});
