import assert from "node:assert/strict";
import { Receiver } from "./receiver.ts";

const data = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

function drained(receiver: Receiver): number[] {
  const into = new Uint8Array(100);
  return [...into.subarray(0, receiver.queue.shift(into))];
}

Deno.test("packets are put in order, also where numbers wrap", () => {
  const receiver = new Receiver(65_535, 1_000);
  assert.equal(receiver.take(1, data(3), false), "early");
  assert.equal(receiver.take(0, data(2), false), "early");
  assert.equal(receiver.take(0, data(9), false), "known");
  assert.deepEqual(drained(receiver), []);
  assert.equal(receiver.take(65_535, data(1), false), "next");
  assert.deepEqual(drained(receiver), [1, 2, 3]);
  assert.equal(receiver.take(65_535, data(9), false), "known");
  assert.equal(receiver.ack, 1);
});

Deno.test("the mask tells of packets after a gap", () => {
  const receiver = new Receiver(10, 1_000);
  assert.equal(receiver.sackLength, 0);
  for (const seq of [11, 13, 45]) receiver.take(seq, data(1), false);
  assert.equal(receiver.sackLength, 8);
  const mask = new Uint8Array(8).fill(255);
  receiver.writeSack(mask);
  assert.deepEqual([...mask], [0b101, 0, 0, 0, 0b100, 0, 0, 0]);
});

Deno.test("what there is no room for is refused, near and far", () => {
  const receiver = new Receiver(0, 4);
  assert.equal(receiver.take(1, data(1, 2, 3), false), "early");
  assert.equal(receiver.window, 1);
  assert.equal(receiver.take(0, data(1, 2), false), "refused");
  assert.equal(receiver.take(5_000, data(1), false), "refused");
  assert.equal(receiver.take(0, data(9), false), "next");
  assert.deepEqual(drained(receiver), [9, 1, 2, 3]);
  assert.equal(receiver.window, 4);
});

Deno.test("the end comes after everything else, and nothing after it", () => {
  const receiver = new Receiver(0, 100);
  assert.equal(receiver.take(2, data(), true), "early");
  assert.equal(receiver.take(3, data(1), false), "refused");
  receiver.take(1, data(2), false);
  assert.equal(receiver.ended, false);
  receiver.take(0, data(1), false);
  assert.equal(receiver.ended, true);
  assert.equal(receiver.take(3, data(1), false), "refused");
  assert.deepEqual(drained(receiver), [1, 2]);
});

Deno.test("small packets after a gap, each of which costs more than its bytes, are kept up to what the window holds", () => {
  const receiver = new Receiver(0, 100_000);
  const taken = Array.from({ length: 2_000 }, (_, i) => receiver.take(1 + i, data(1), false));
  assert.equal(taken.filter((each) => each === "early").length, 196);
  assert.equal(receiver.take(0, data(1), false), "next");
  assert.equal(receiver.take(197, data(1), false), "next");
  assert.equal(receiver.take(300, data(1), false), "early");
  assert.equal(receiver.window, 100_000 - 199);
});

Deno.test("nothing is kept of what nobody will read", () => {
  const receiver = new Receiver(0, 1_000);
  receiver.take(1, new Uint8Array(600), false);
  receiver.discard();
  assert.equal(receiver.window, 1_000);
  assert.equal(receiver.take(2, new Uint8Array(900), false), "early");
  assert.equal(receiver.window, 1_000);
  assert.equal(receiver.take(0, new Uint8Array(900), false), "next");
  assert.deepEqual([receiver.ack, receiver.queue.length, receiver.window], [2, 0, 1_000]);
});
