import assert from "node:assert/strict";
import { AnnounceSchedule } from "./schedule.ts";

const minute = 60_000;
const ids = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`.padStart(40, "0"));
const [one, two] = ids(2);

/** Polls whenever the schedule asks for it, and returns what it announced, with the times. */
function play(schedule: AnnounceSchedule, from: number, until: number, swarms: readonly string[]) {
  const said: { at: number; hex: string }[] = [];
  for (let now = from; now <= until;) {
    const { announces, next } = schedule.poll(now, swarms);
    for (const hex of announces.flat()) said.push({ at: now, hex });
    assert.ok(next > now);
    now = next;
  }
  return said;
}

Deno.test("a swarm is announced at once, and then every five minutes", () => {
  const said = play(new AnnounceSchedule(), 0, 20 * minute, [one]);
  assert.deepEqual(said.map(({ at }) => at / minute), [0, 5, 10, 15, 20]);
});

Deno.test("a swarm that comes later is announced when it comes, and one that leaves no more", () => {
  const schedule = new AnnounceSchedule();
  assert.deepEqual(schedule.poll(0, [one]).announces, [[one]]);
  assert.deepEqual(schedule.poll(1_000, [one, two]), { announces: [[two]], next: 5 * minute });
  assert.deepEqual(schedule.poll(5 * minute, [two]), { announces: [], next: 5 * minute + 1_000 });
  assert.equal(schedule.size, 1);
});

Deno.test("several swarms share an announce, and thousands are sent a few at a time", () => {
  const schedule = new AnnounceSchedule();
  const swarms = ids(5_000);
  const first = schedule.poll(0, swarms);
  assert.deepEqual(first.announces.map(({ length }) => length), new Array(8).fill(25));
  assert.equal(first.next, 100);
  const said = play(schedule, 100, 10_000, swarms);
  assert.equal(new Set([...first.announces.flat(), ...said.map(({ hex }) => hex)]).size, 5_000);
  assert.equal(said.length, 5_000 - 8 * 25);
  assert.ok(said.at(-1)!.at < 3_000);
});

Deno.test("a newcomer hears of us within a second, unless we said it within the last minute", () => {
  const schedule = new AnnounceSchedule();
  schedule.poll(0, [one]);
  assert.equal(schedule.answer(2 * minute, one, 0.5), 2 * minute + 500);
  assert.equal(schedule.answer(2 * minute, one, 0.9), undefined);
  assert.deepEqual(schedule.poll(2 * minute + 500, [one]).announces, [[one]]);
  assert.equal(schedule.answer(2 * minute + 10_000, one, 0), 3 * minute + 500);
  assert.equal(schedule.answer(2 * minute, two, 0), undefined);
});

Deno.test("whatever is heard, nothing is announced more than once a minute", () => {
  const schedule = new AnnounceSchedule();
  const last = new Map<string, number>();
  for (let now = 0; now < 20 * minute; now += 1_000) {
    schedule.repeat(now);
    for (const hex of ids(30)) schedule.answer(now, hex, 0);
    for (const hex of schedule.poll(now, ids(30)).announces.flat()) {
      assert.ok(now - (last.get(hex) ?? -Infinity) >= minute);
      last.set(hex, now);
    }
  }
  assert.equal(last.size, 30);
});

Deno.test("on another network all is said again, as soon as the minute allows", () => {
  const schedule = new AnnounceSchedule();
  schedule.poll(0, [one]);
  schedule.poll(50_000, [one, two]);
  schedule.repeat(2 * minute - 20_000);
  assert.deepEqual(schedule.poll(2 * minute - 20_000, [one, two]), { announces: [[one]], next: 110_000 });
});

Deno.test("the next generation goes on where the one before was, on a clock of its own", () => {
  const before = new AnnounceSchedule();
  before.poll(1_000, [one]);
  const ages = structuredClone(before.ages(61_000));
  assert.deepEqual(ages, [[one, minute]]);
  const after = new AnnounceSchedule(7, ages);
  assert.deepEqual(after.poll(7, [one, two]), { announces: [[two]], next: 7 + 4 * minute });
});
