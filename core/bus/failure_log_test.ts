import assert from "node:assert/strict";
import { PluginError } from "../api/errors.ts";
import { FailureLog } from "./failure_log.ts";
import { ManualClock } from "./manual_clock.ts";
import { testOwner } from "./test_owner.ts";

const LINE = 'Plugin "one" failed in test.hook: no';
const LAST = 'Plugin "one" keeps failing in test.hook: further failures are only counted until the minute is over';

function setUp() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = new FailureLog(clock, { warn: (line) => lines.push(line) });
  const fail = (owner = testOwner("one"), hook = "test.hook", times = 1): void => {
    for (let i = 0; i < times; i++) log.note(owner, new PluginError(owner.name, hook, "no"));
  };
  return { clock, lines, fail };
}

Deno.test("FailureLog writes five lines within a minute, then once that further failures are only counted", () => {
  const { lines, fail } = setUp();
  const owner = testOwner("one");
  fail(owner, "test.hook", 5);
  assert.deepEqual(lines, Array(5).fill(LINE));
  fail(owner, "test.hook", 1_000);
  assert.deepEqual(lines.slice(5), [LAST]);
});

Deno.test("FailureLog writes again when the minute since its first line is over", async () => {
  const { clock, lines, fail } = setUp();
  const owner = testOwner("one");
  fail(owner);
  await clock.advance(59_999);
  fail(owner, "test.hook", 10);
  assert.equal(lines.length, 6);
  await clock.advance(1);
  fail(owner, "test.hook", 10);
  assert.deepEqual(lines.slice(6), [...Array(5).fill(LINE), LAST]);
});

Deno.test("FailureLog never holds back failures that come slowly", async () => {
  const { clock, lines, fail } = setUp();
  const owner = testOwner("one");
  for (let i = 0; i < 50; i++) {
    fail(owner);
    await clock.advance(12_000);
  }
  assert.deepEqual(lines, Array(50).fill(LINE));
});

Deno.test("FailureLog counts each owner, each generation of it, and each hook for itself", () => {
  const { lines, fail } = setUp();
  const owner = testOwner("one");
  fail(owner, "test.hook", 10);
  lines.length = 0;
  fail(owner, "test.other");
  fail(testOwner("one"));
  fail(testOwner("two"));
  assert.deepEqual(lines, [
    'Plugin "one" failed in test.other: no',
    LINE,
    'Plugin "two" failed in test.hook: no',
  ]);
});
