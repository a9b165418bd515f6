import assert from "node:assert/strict";
import { DialRace, RACE_DELAY } from "./dial_race.ts";

/** All that is to be started now. */
function started(race: DialRace, now: number): string[] {
  const names: string[] = [];
  for (let name = race.poll(now); name !== undefined; name = race.poll(now)) names.push(name);
  return names;
}

Deno.test("the first transport starts at once, each further one after a delay", () => {
  const race = new DialRace(["utp", "tcp", "pigeon"]);
  assert.deepEqual(started(race, 1_000), ["utp"]);
  assert.equal(race.due, 1_000 + RACE_DELAY);
  assert.deepEqual(started(race, race.due - 1), []);
  assert.deepEqual(started(race, race.due), ["tcp"]);
  assert.deepEqual(started(race, 1_000 + 2 * RACE_DELAY), ["pigeon"]);
  assert.equal(race.due, Infinity);
});

Deno.test("the next transport starts at once when one fails", () => {
  const race = new DialRace(["utp", "tcp"]);
  started(race, 0);
  race.failed(20, "utp", "unreachable");
  assert.equal(race.due, 20);
  assert.deepEqual(started(race, 20), ["tcp"]);
});

Deno.test("the first that opens wins, and nothing more is started", () => {
  const race = new DialRace(["utp", "tcp", "pigeon"]);
  started(race, 0);
  started(race, RACE_DELAY);
  assert.ok(race.opened("tcp"));
  assert.equal(race.opened("utp"), false);
  assert.equal(race.due, Infinity);
  assert.deepEqual(started(race, 10_000), []);
});

Deno.test("the winner may open once more, as encryption does that falls back", () => {
  const race = new DialRace(["tcp"]);
  started(race, 0);
  assert.ok(race.opened("tcp"));
  assert.ok(race.opened("tcp"));
});

Deno.test("when the winner fails after all, those that it stopped and those that waited run again", () => {
  const race = new DialRace(["utp", "tcp", "pigeon"]);
  started(race, 0);
  started(race, RACE_DELAY);
  race.opened("tcp");
  race.failed(500, "tcp", "reset");
  assert.deepEqual(started(race, 500), ["utp"]);
  assert.deepEqual(started(race, 500 + RACE_DELAY), ["pigeon"]);
  assert.ok(race.opened("pigeon"));
});

Deno.test("the race is lost once all failed, and has every reason", () => {
  const race = new DialRace(["utp", "tcp"]);
  started(race, 0);
  race.failed(100, "utp", "no answer");
  assert.equal(race.lost, false);
  started(race, 100);
  race.failed(200, "tcp", "refused");
  assert.ok(race.lost);
  assert.equal(race.due, Infinity);
  assert.deepEqual(race.faults, [
    { transport: "utp", reason: "no answer" },
    { transport: "tcp", reason: "refused" },
  ]);
});

Deno.test("what a loser says after it was stopped counts for nothing", () => {
  const race = new DialRace(["utp", "tcp"]);
  started(race, 0);
  started(race, RACE_DELAY);
  race.opened("tcp");
  race.failed(400, "utp", "stopped");
  assert.deepEqual(race.faults, []);
  race.failed(500, "tcp", "reset");
  assert.deepEqual(started(race, 500), ["utp"]);
});
