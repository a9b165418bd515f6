import assert from "node:assert/strict";
import type { RuntimeEvent } from "../api/mod.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { parsePeerAddress } from "../wire/mod.ts";
import { EventLog, plainEvent } from "./events.ts";

function log(): EventLog {
  return new EventLog(createSimulation({ seed: 1 }).clock);
}

Deno.test("events are numbered from 1 without gaps", () => {
  const events = log();
  const seen: RuntimeEvent[] = [];
  events.subscribe((event) => seen.push(event));
  events.publish("a", { x: 1 }, "swarm");
  events.publish("b", {});
  assert.deepEqual(seen.map(({ sequence, event, swarm }) => [sequence, event, swarm]), [[1, "a", "swarm"], [
    2,
    "b",
    undefined,
  ]]);
  assert.equal(events.sequence, 2);
});

Deno.test("a reader that comes late gets what it missed, then what follows", () => {
  const events = log();
  for (const name of ["a", "b", "c"]) events.publish(name, {});
  const seen: string[] = [];
  using _reading = events.subscribe(({ event }) => seen.push(event), 1);
  events.publish("d", {});
  assert.deepEqual(seen, ["b", "c", "d"]);
});

Deno.test("a reader that asks for what is no longer kept is told how much it lost", () => {
  const events = log();
  for (let i = 0; i < 10_000; i++) events.publish("many", {});
  const seen: RuntimeEvent[] = [];
  events.subscribe((event) => seen.push(event), 0);
  assert.equal(seen[0].event, "gap");
  assert.equal(seen[0].data.lost, seen[1].sequence - 1);
  assert.ok(seen.length >= 2_000 && seen.length <= 4_001);
  for (let i = 1; i < seen.length; i++) assert.equal(seen[i].sequence, seen[i - 1].sequence + 1);
});

Deno.test("a reader that throws is dropped, and the others are still told", () => {
  const events = log();
  let calls = 0, others = 0;
  events.subscribe(() => {
    calls++;
    throw new Error("no");
  });
  events.subscribe(() => others++);
  events.publish("a", {});
  events.publish("b", {});
  assert.deepEqual([calls, others], [1, 2]);
});

Deno.test("a reader that left hears nothing more", () => {
  const events = log();
  let calls = 0;
  const reading = events.subscribe(() => calls++);
  reading[Symbol.dispose]();
  events.publish("a", {});
  assert.equal(calls, 0);
});

Deno.test("plainEvent() leaves out ids and what is undefined, and writes addresses as text", () => {
  const address = parsePeerAddress("1.2.3.4:5");
  assert.deepEqual(plainEvent({ id: {}, name: "x", address, reason: undefined, piece: 0 }), {
    name: "x",
    address: "1.2.3.4:5",
    piece: 0,
  });
});
