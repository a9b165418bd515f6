import assert from "node:assert/strict";
import { ManualClock } from "../bus/manual_clock.ts";
import { Awake } from "./awake.ts";

const sleeper = (until: number) => ({ until, idleUntil: () => until });

Deno.test("who has something to do stays awake", () => {
  const awake = new Awake(new ManualClock());
  const busy = sleeper(1_000);
  awake.wake(busy);
  assert.equal(awake.rest(busy, 1_000), false);
  assert.deepEqual([...awake], [busy]);
});

Deno.test("who rests wakes when its time comes, or when it is woken before", async () => {
  const clock = new ManualClock();
  const awake = new Awake(clock);
  const [early, late] = [sleeper(5_000), sleeper(10_000)];
  for (const each of [early, late]) {
    awake.wake(each);
    assert.ok(awake.rest(each, 0));
  }
  assert.deepEqual([...awake], []);
  await clock.advance(4_999);
  assert.equal(awake.has(early), false);
  await clock.advance(1);
  assert.deepEqual([...awake], [early]);
  awake.wake(late);
  assert.equal(clock.pending, 0, "the alarm of who was woken stays set");
});

Deno.test("without a time it rests until it is woken, and with one far away it looks once a day", async () => {
  const clock = new ManualClock();
  const awake = new Awake(clock);
  const [never, far] = [sleeper(Infinity), sleeper(1e12)];
  awake.wake(never);
  awake.wake(far);
  assert.ok(awake.rest(never, 0) && awake.rest(far, 0));
  assert.equal(clock.pending, 1);
  await clock.advance(24 * 60 * 60_000);
  assert.deepEqual([...awake], [far]);
});

Deno.test("who is gone leaves no alarm", () => {
  const clock = new ManualClock();
  const awake = new Awake(clock);
  const [one, two] = [sleeper(5_000), sleeper(5_000)];
  for (const each of [one, two]) {
    awake.wake(each);
    awake.rest(each, 0);
  }
  awake.delete(one);
  assert.equal(clock.pending, 1);
  awake.clear();
  assert.equal(clock.pending, 0);
});
