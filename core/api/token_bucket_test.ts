import assert from "node:assert/strict";
import { TokenBucket } from "./token_bucket.ts";

Deno.test("take() gives so much at once, and so much more a second, never more than that at once", () => {
  const bucket = new TokenBucket(0, { most: 3, perSecond: 2 });
  assert.deepEqual([bucket.take(0), bucket.take(0, 2), bucket.take(0)], [true, true, false]);
  assert.deepEqual([bucket.take(499), bucket.take(500), bucket.take(500)], [false, true, false]);
  assert.equal(bucket.takeUpTo(1_000_000, 10), 3);
});

Deno.test("takeUpTo() gives whole ones, as many as there are", () => {
  const bucket = new TokenBucket(0, { most: 10, perSecond: 1 });
  assert.deepEqual([bucket.takeUpTo(0, 7), bucket.takeUpTo(500, 7), bucket.takeUpTo(500, 7)], [7, 3, 0]);
});

Deno.test("spend() owes what is missing, and earn() pays it back before time does", () => {
  const bucket = new TokenBucket(0, { most: 10, perSecond: 10 });
  bucket.spend(0, 30);
  assert.equal(bucket.debt(0), 2_000);
  assert.equal(bucket.debt(500), 1_500);
  bucket.earn(10);
  assert.equal(bucket.debt(500), 500);
  bucket.earn(1_000);
  assert.equal(bucket.debt(500), 0);
  assert.equal(bucket.takeUpTo(500, 1_000), 10, "no more than is allowed at once");
});

Deno.test("a clock that stands still or goes back gives nothing and takes nothing", () => {
  const bucket = new TokenBucket(1_000, { most: 1, perSecond: 1 });
  assert.deepEqual([bucket.take(1_000), bucket.take(0), bucket.take(1_999), bucket.take(2_000)], [
    true,
    false,
    false,
    true,
  ]);
});
