import assert from "node:assert/strict";
import { Gate } from "./gate.ts";

Deno.test("Gate lets as many in as its limit and the others in order", async () => {
  const gate = new Gate(2);
  const order: string[] = [];
  assert.equal(gate.enter(), undefined);
  assert.equal(gate.enter(), undefined);
  const third = gate.enter()!.then(() => order.push("third"));
  const fourth = gate.enter()!.then(() => order.push("fourth"));
  gate.leave();
  await third;
  assert.deepEqual(order, ["third"]);
  gate.leave();
  await fourth;
  assert.deepEqual(order, ["third", "fourth"]);
  gate.leave();
  gate.leave();
  assert.equal(gate.enter(), undefined);
});

Deno.test("Gate gives up a wait whose signal aborts, and its place goes to the next", async () => {
  const gate = new Gate(1);
  gate.enter();
  const controller = new AbortController();
  const quitter = gate.enter(controller.signal)!;
  const next = gate.enter()!;
  controller.abort(new Error("no longer wanted"));
  await assert.rejects(quitter, /no longer wanted/);
  gate.leave();
  await next;
});

Deno.test("Gate refuses when too many calls wait", async () => {
  const gate = new Gate(1);
  gate.enter();
  for (let i = 0; i < 1_000; i++) gate.enter();
  await assert.rejects(gate.enter()!, /1000 calls already wait/);
});
