import assert from "node:assert/strict";
import { AnnounceSchedule } from "./announce_schedule.ts";

const minute = 60_000;

/** Runs a schedule for so long; when each swarm was announced. */
function run(
  schedule: AnnounceSchedule,
  swarms: readonly string[],
  from: number,
  until: number,
): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (let now = from; now < until; now = Math.max(now + 1, schedule.nextAt)) {
    const due = schedule.due(now, () => swarms);
    if (due === undefined) continue;
    schedule.announced(now, due);
    times.set(due, [...times.get(due) ?? [], now]);
  }
  return times;
}

Deno.test("each swarm is announced every 15 minutes or so, one after the other", () => {
  const swarms = Array.from({ length: 30 }, (_, i) => `s${i}`);
  const times = run(new AnnounceSchedule(), swarms, 0, 60 * minute);
  assert.equal(times.size, 30);
  for (const each of times.values()) {
    assert.ok(each.length >= 3 && each.length <= 4, `${each}`);
    for (let i = 1; i < each.length; i++) assert.ok(each[i] - each[i - 1] >= 15 * minute);
    for (let i = 1; i < each.length; i++) assert.ok(each[i] - each[i - 1] <= 20 * minute);
  }
  const starts = [...times.values()].map(([first]) => first).sort((a, b) => a - b);
  assert.ok(starts.every((at, i) => i === 0 || at - starts[i - 1] >= 20_000));
});

Deno.test("10,000 swarms are announced at most five a second", () => {
  const swarms = Array.from({ length: 10_000 }, (_, i) => `s${i}`);
  const times = run(new AnnounceSchedule(), swarms, 0, 40 * minute);
  const all = [...times.values()].flat();
  assert.equal(times.size, 10_000);
  assert.ok(all.length <= 40 * 60 * 5);
});

Deno.test("what is urgent comes first, unless it was announced lately", () => {
  const schedule = new AnnounceSchedule();
  schedule.announced(0, "known");
  schedule.due(0, () => ["a", "b"]);
  schedule.urge(1_000, "known");
  schedule.urge(1_000, "new");
  assert.equal(schedule.nextAt, 1_200);
  assert.equal(schedule.due(1_100, () => []), undefined);
  assert.equal(schedule.due(1_200, () => []), "new");
});

Deno.test("without swarms, it looks for some once a minute", () => {
  const schedule = new AnnounceSchedule();
  assert.equal(schedule.due(0, () => []), undefined);
  assert.equal(schedule.nextAt, minute);
});
