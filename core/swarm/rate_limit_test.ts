import assert from "node:assert/strict";
import fc from "fast-check";
import { RateLimiter, RateMeter } from "./rate_limit.ts";

const kib = 1024;
const hour = 3_600_000;

/** What a taker of 16 KiB blocks gets in an hour when it waits for each with a timer that is up to 20 ms late. */
function anHour(limiter: RateLimiter): number {
  let taken = 0;
  for (let now = 0, step = 0; now < hour; step++) {
    const granted = limiter.take(now, 16 * kib, 16 * kib);
    taken += granted;
    if (granted === 0) now = limiter.nextAt(now, 16 * kib) + step % 21;
  }
  return taken;
}

function assertNear(actual: number, expected: number, tolerance: number): void {
  assert.ok(
    Math.abs(actual - expected) <= expected * tolerance,
    `expected ${expected} within ${tolerance * 100} %, got ${actual}`,
  );
}

Deno.test("RateLimiter grants all that is wanted when unlimited", () => {
  const limiter = new RateLimiter(undefined, new RateLimiter(undefined));
  assert.equal(limiter.take(0, 1e9), 1e9);
  assert.equal(limiter.nextAt(7, 1e9), 7);
});

Deno.test("RateLimiter is exact to 0.5 % over an hour", () => {
  for (const rate of [5 * kib, 100 * kib, 1_000_000, 20_000_000]) {
    assertNear(anHour(new RateLimiter(rate)), rate * 3_600, 0.005);
  }
});

Deno.test("RateLimiter grants a quarter of a second at once, and two blocks at least", () => {
  for (const [rate, burst] of [[1_000_000, 250_000], [10, 32 * kib]]) {
    const limiter = new RateLimiter(rate);
    assert.equal(limiter.take(0, 1), 0, "it starts empty");
    assert.equal(limiter.take(hour, 1e9), burst);
    assert.equal(limiter.take(hour, 1e9), 0);
  }
});

Deno.test("RateLimiter grants the minimum or nothing", () => {
  const limiter = new RateLimiter(1_000);
  limiter.take(0, 1);
  assert.equal(limiter.take(900, 2_000, 1_000), 0);
  assert.equal(limiter.nextAt(900, 1_000), 1_000);
  assert.equal(limiter.take(1_000, 2_000, 1_000), 1_000);
  assert.equal(limiter.take(hour, 1e6, 1e6), 32 * kib, "a minimum above the burst is lowered to it");
});

Deno.test("RateLimiter takes back what was not used, from every limit", () => {
  const parent = new RateLimiter(1_000);
  const child = new RateLimiter(undefined, parent);
  child.take(0, 1);
  assert.equal(child.take(1_000, 1_000), 1_000);
  child.giveBack(400);
  assert.equal(parent.take(1_000, 1_000), 400);
});

Deno.test("RateLimiter obeys a change of its rate at once", () => {
  const limiter = new RateLimiter(1_000_000);
  limiter.take(0, 1);
  limiter.rate = 0;
  assert.equal(limiter.take(hour, 1), 0);
  assert.equal(limiter.nextAt(hour, 1), Infinity);
  limiter.rate = undefined;
  assert.equal(limiter.take(hour, 1e9), 1e9);
  limiter.rate = 1_000;
  assert.equal(limiter.take(2 * hour, 1), 0, "unlimited time earns no tokens");
  assert.equal(limiter.take(2 * hour + 1_000, 1e9), 1_000);
  assert.throws(() => limiter.rate = -1, /Cannot limit a rate/);
});

Deno.test("RateLimiter keeps many children within their parent and each within its own limit", () => {
  const parent = new RateLimiter(1_000_000);
  const children = Array.from({ length: 50 }, (_, i) => new RateLimiter(i === 0 ? 5_000 : undefined, parent));
  const taken = new Array<number>(50).fill(0);
  for (let now = 0; now < 600_000; now += 20) {
    for (let i = 0; i < 50; i++) taken[(i + now / 20) % 50] += children[(i + now / 20) % 50].take(now, 1_000);
  }
  assertNear(taken.reduce((sum, each) => sum + each), 600 * 1_000_000, 0.005);
  assertNear(taken[0], 600 * 5_000, 0.02);
});

Deno.test("RateLimiter never runs ahead of its rate, and nextAt() is when the bytes can be had", () => {
  const step = fc.record({ wait: fc.nat(2_000), child: fc.nat(2), wanted: fc.nat(100_000), minimum: fc.nat(20_000) });
  const rates = fc.array(fc.option(fc.integer({ min: 1, max: 1e6 }), { nil: undefined }), {
    minLength: 3,
    maxLength: 3,
  });
  fc.assert(fc.property(fc.integer({ min: 1, max: 1e6 }), rates, fc.array(step), (rate, own, steps) => {
    const parent = new RateLimiter(rate);
    const children = own.map((each) => new RateLimiter(each, parent));
    for (const child of children) child.take(0, 0);
    let now = 0;
    let total = 0;
    for (const { wait, child, wanted, minimum } of steps) {
      now += wait;
      const at = children[child].nextAt(now, minimum);
      const granted = children[child].take(now, wanted, minimum);
      total += granted;
      assert.ok(Number.isInteger(granted) && granted >= 0 && granted <= wanted);
      assert.ok(total <= rate * now / 1_000 + 1e-6);
      if (at > now && minimum > 0 && wanted >= minimum) assert.equal(granted, 0);
      if (at === now && minimum > 0 && wanted >= minimum) assert.ok(granted > 0);
    }
  }));
});

Deno.test("RateMeter measures a steady stream", () => {
  const meter = new RateMeter();
  for (let now = 10_000_000_000; now < 10_000_060_000; now += 10) meter.add(now, 1_000);
  assertNear(meter.rate(10_000_060_000), 100_000, 0.001);
  assert.equal(meter.total, 6_000_000);
});

Deno.test("RateMeter is quick to start, also after a pause", () => {
  const meter = new RateMeter();
  for (const begin of [0, 60_000]) {
    for (let now = begin; now < begin + 1_000; now += 10) meter.add(now, 1_000);
    assertNear(meter.rate(begin + 1_000), 100_000, 0.001);
  }
});

Deno.test("RateMeter falls to nothing 5 seconds after the last byte", () => {
  const meter = new RateMeter();
  for (let now = 0; now < 10_000; now += 10) meter.add(now, 1_000);
  const rates = [10_000, 11_000, 13_000, 14_000, 15_000].map((now) => meter.rate(now));
  for (let i = 1; i < rates.length; i++) assert.ok(rates[i] < rates[i - 1]);
  assert.equal(rates.at(-1), 0);
});

Deno.test("RateMeter agrees with a plain sum over its window", () => {
  const step = fc.record({ wait: fc.nat(3_000), bytes: fc.nat(100_000) });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const meter = new RateMeter();
    const all: { at: number; bytes: number }[] = [];
    let now = 0;
    for (const { wait, bytes } of steps) {
      now += wait;
      meter.add(now, bytes);
      all.push({ at: now, bytes });
      const start = (Math.floor(now / 500) - 9) * 500;
      const sum = all.reduce((total, each) => total + (each.at >= start ? each.bytes : 0), 0);
      const rate = meter.rate(now);
      assert.ok(rate * 500 / 1_000 <= sum + 1e-6 && rate * 5_000 / 1_000 >= sum - 1e-6);
    }
  }));
});
