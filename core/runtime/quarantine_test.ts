import assert from "node:assert/strict";
import type { QuarantineSettings } from "../api/settings.ts";
import { Quarantine } from "./quarantine.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const SETTINGS: QuarantineSettings = { faults: 3, within: MINUTE, backoff: 30 * SECOND, longest: 2 * MINUTE };

/** A plugin under quarantine, and a plain clock. */
function setUp(settings: () => QuarantineSettings = () => SETTINGS) {
  const quarantine = new Quarantine(settings);
  let now = 5 * MINUTE;
  return {
    quarantine,
    now: () => now,
    pass: (milliseconds: number): void => void (now += milliseconds),
    fail: (): number | undefined => quarantine.fault(now),
    /** Fails until it is paused, a second apart, waits the pause out, and is let in again; how long the pause was. */
    pausedFor(): number {
      let pause: number | undefined;
      while (pause === undefined) {
        now += SECOND;
        pause = quarantine.fault(now);
      }
      now += pause;
      quarantine.release(now);
      return pause;
    },
  };
}

Deno.test("Quarantine pauses a plugin that failed so many times within so long", () => {
  const { quarantine, now, pass, fail } = setUp();
  assert.equal(fail(), undefined);
  pass(30 * SECOND);
  assert.equal(fail(), undefined);
  assert.equal(quarantine.until, undefined);
  pass(30 * SECOND);
  assert.equal(fail(), 30 * SECOND);
  assert.equal(quarantine.until, now() + 30 * SECOND);
});

Deno.test("Quarantine forgets faults that are further apart", () => {
  const { pass, fail } = setUp();
  for (let i = 0; i < 100; i++) {
    assert.equal(fail(), undefined);
    pass(30 * SECOND + 1);
  }
});

Deno.test("Quarantine pauses at the first fault when one is enough", () => {
  assert.equal(setUp(() => ({ ...SETTINGS, faults: 1 })).fail(), 30 * SECOND);
});

Deno.test("Quarantine counts no fault of a plugin that is paused", () => {
  const { quarantine, pass, fail, now } = setUp();
  for (let i = 0; i < 3; i++) fail();
  const { until } = quarantine;
  pass(SECOND);
  for (let i = 0; i < 10; i++) assert.equal(fail(), undefined);
  assert.equal(quarantine.until, until);
  pass(29 * SECOND);
  quarantine.release(now());
  assert.equal(quarantine.until, undefined);
  assert.equal(fail(), undefined);
  assert.equal(fail(), undefined);
  assert.equal(fail(), MINUTE);
});

Deno.test("Quarantine doubles each further pause up to the longest", () => {
  const { pausedFor } = setUp();
  assert.deepEqual([1, 2, 3, 4, 5].map(pausedFor), [
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    2 * MINUTE,
    2 * MINUTE,
  ]);
});

Deno.test("Quarantine pauses no longer than the longest, also at first", () => {
  assert.equal(setUp(() => ({ ...SETTINGS, longest: 10 * SECOND })).pausedFor(), 10 * SECOND);
});

Deno.test("Quarantine falls back to the first pause once a plugin ran well for as long as its last one", () => {
  const { pausedFor, pass } = setUp();
  assert.deepEqual([1, 2, 3].map(pausedFor), [30 * SECOND, MINUTE, 2 * MINUTE]);
  pass(2 * MINUTE - 2 * SECOND);
  assert.equal(pausedFor(), 2 * MINUTE);
  pass(2 * MINUTE - SECOND);
  assert.equal(pausedFor(), 30 * SECOND);
});

Deno.test("Quarantine falls back after no shorter time than that within which faults are counted", () => {
  const { pausedFor, pass } = setUp();
  pausedFor();
  pass(30 * SECOND);
  assert.equal(pausedFor(), MINUTE);
});

Deno.test("Quarantine doesn't take a time with a fault now and then for running well", () => {
  const { pausedFor, pass, fail } = setUp();
  assert.deepEqual([1, 2].map(pausedFor), [30 * SECOND, MINUTE]);
  for (let i = 0; i < 4; i++) {
    pass(40 * SECOND);
    assert.equal(fail(), undefined);
  }
  assert.equal(pausedFor(), 2 * MINUTE);
});

Deno.test("Quarantine goes by the settings of the moment", () => {
  let settings = SETTINGS;
  const { fail } = setUp(() => settings);
  fail();
  settings = { ...SETTINGS, faults: 2, backoff: MINUTE };
  assert.equal(fail(), MINUTE);
});

Deno.test("Quarantine.release() of a plugin that isn't paused changes nothing", () => {
  const { quarantine, fail, now } = setUp();
  fail();
  fail();
  quarantine.release(now());
  assert.equal(fail(), 30 * SECOND);
});
