import assert from "node:assert/strict";
import { Budget } from "./budget.ts";

Deno.test("a budget gives what it has, and then so much a minute", () => {
  const budget = new Budget(1_000, { most: 10, perMinute: 60 });
  assert.equal(budget.take(1_000, 7), 7);
  assert.equal(budget.take(1_000, 7), 3);
  assert.equal(budget.take(1_999, 7), 0);
  assert.equal(budget.take(2_000, 7), 1);
  assert.equal(budget.take(4_500, 1), 1);
  assert.equal(budget.take(4_500, 9), 1);
  assert.equal(budget.take(5_000, 9), 1);
});

Deno.test("a budget never saves up more than it began with", () => {
  const budget = new Budget(0, { most: 3, perMinute: 1 });
  assert.equal(budget.take(3_600_000, 100), 3);
  assert.equal(budget.take(3_600_000, 1), 0);
});
