import assert from "node:assert/strict";
import fc from "fast-check";
import { type Claim, fairShare } from "./fair_share.ts";

const needs = (...all: number[]): Claim[] => all.map((need) => ({ minimum: 0, need }));
const sum = (all: readonly number[]) => all.reduce((total, each) => total + each, 0);

Deno.test("fairShare() gives each its need while there is enough", () => {
  assert.deepEqual(fairShare(100, needs(10, 0, 20)), [10, 0, 20]);
  assert.deepEqual(fairShare(Infinity, needs(10, Infinity)), [10, Infinity]);
  assert.deepEqual(fairShare(10, []), []);
});

Deno.test("fairShare() splits what is scarce evenly, and what some don't need among the others", () => {
  assert.deepEqual(fairShare(30, needs(100, 100, 100)), [10, 10, 10]);
  assert.deepEqual(fairShare(30, needs(4, 100, 100)), [4, 13, 13]);
  assert.deepEqual(fairShare(1_000_000, needs(Infinity, 10, Infinity)), [499_995, 10, 499_995]);
});

Deno.test("fairShare() lets one busy swarm beside 50 slow ones have what they leave", () => {
  const slow = Array.from({ length: 50 }, () => ({ minimum: 2, need: 3 }));
  assert.deepEqual(fairShare(500, [{ minimum: 2, need: 400 }, ...slow]), [350, ...slow.map(() => 3)]);
});

Deno.test("fairShare() gives minimums before needs", () => {
  assert.deepEqual(fairShare(20, [{ minimum: 15, need: 100 }, ...needs(100, 100)]), [15, 3, 2]);
  assert.deepEqual(fairShare(20, [{ minimum: 15, need: 1 }, ...needs(100, 100)]), [1, 10, 9]);
});

Deno.test("fairShare() goes round when there is not enough for the minimums, from where it is told", () => {
  const claims = Array.from({ length: 5 }, () => ({ minimum: 2, need: 10 }));
  assert.deepEqual(fairShare(7, claims), [2, 2, 1, 1, 1]);
  assert.deepEqual(fairShare(7, claims, 3), [1, 1, 1, 2, 2]);
  assert.deepEqual(fairShare(3, claims, 4), [1, 1, 0, 0, 1]);
  assert.deepEqual(fairShare(-1, claims), [0, 0, 0, 0, 0]);
});

Deno.test("fairShare() divides by weight", () => {
  assert.deepEqual(
    fairShare(40, [{ minimum: 0, need: 100, weight: 3 }, { minimum: 0, need: 100 }]),
    [30, 10],
  );
});

const claim = fc.record({
  minimum: fc.nat(20),
  need: fc.oneof(fc.nat(200), fc.constant(Infinity)),
  weight: fc.option(fc.oneof(fc.constantFrom(0.5, 1, 2, 3), fc.double({ min: 0.1, max: 10, noNaN: true })), {
    nil: undefined,
  }),
});

Deno.test("fairShare() gives whole numbers, all of the total that is needed, and no more", () => {
  fc.assert(fc.property(fc.nat(2_000), fc.array(claim, { maxLength: 30 }), fc.nat(50), (total, claims, start) => {
    const shares = fairShare(total, claims, start);
    assert.equal(sum(shares), Math.min(total, sum(claims.map((each) => each.need))));
    const everyMinimum = sum(claims.map((each) => Math.min(each.minimum, each.need)));
    shares.forEach((share, i) => {
      assert.ok(Number.isInteger(share) && share >= 0 && share <= claims[i].need);
      if (everyMinimum <= total) assert.ok(share >= Math.min(claims[i].minimum, claims[i].need));
      else assert.ok(share <= claims[i].minimum);
    });
  }));
});

Deno.test("fairShare() gives nobody more while someone with less needs some", () => {
  const equal = claim.map((each) => ({ ...each, weight: undefined }));
  fc.assert(fc.property(fc.nat(2_000), fc.array(equal, { maxLength: 30 }), fc.nat(50), (total, claims, start) => {
    const shares = fairShare(total, claims, start);
    const enough = sum(claims.map((each) => Math.min(each.minimum, each.need))) <= total;
    const wants = claims.map((each) => enough ? each.need : Math.min(each.minimum, each.need));
    for (let poor = 0; poor < shares.length; poor++) {
      if (shares[poor] >= wants[poor]) continue;
      for (let rich = 0; rich < shares.length; rich++) {
        assert.ok(shares[rich] <= Math.max(shares[poor] + 1, enough ? claims[rich].minimum : 0));
      }
    }
  }));
});
