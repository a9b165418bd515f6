import assert from "node:assert/strict";
import { WriteBuffers } from "./write_buffers.ts";

Deno.test("WriteBuffers hands out what was given back, of the size that fits", () => {
  const buffers = new WriteBuffers();
  const [small, large] = [buffers.take(17), buffers.take(200_000)];
  assert.ok(small.length < 10_000 && large.length >= 200_000);
  for (const buffer of [small, large]) buffers.give(buffer);
  assert.equal(buffers.take(200_000), large);
  assert.equal(buffers.take(4_000), small);
  assert.notEqual(buffers.take(4_000), small, "it is in use");
});

Deno.test("WriteBuffers keeps a few buffers, and none of unusual size", () => {
  const buffers = new WriteBuffers();
  const huge = buffers.take(1_000_000);
  assert.equal(huge.length, 1_000_000);
  buffers.give(huge);
  assert.notEqual(buffers.take(1_000_000), huge);
  const given = Array.from({ length: 100 }, () => buffers.take(200_000));
  for (const buffer of given) buffers.give(buffer);
  const again = Array.from({ length: 100 }, () => buffers.take(200_000));
  assert.ok(again.filter((buffer) => given.includes(buffer)).length <= 4);
});
