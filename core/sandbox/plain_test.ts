import assert from "node:assert/strict";
import { copyPlain } from "./plain.ts";

const limits = { bytes: 1_000, values: 100 };

Deno.test("copyPlain() copies plain data, and leaves out what is undefined", () => {
  const value = { a: [1, "x", null, true], b: { c: new Uint8Array([1, 2]) }, d: undefined };
  const copy = copyPlain(value, limits);
  assert.deepEqual(copy, { a: [1, "x", null, true], b: { c: new Uint8Array([1, 2]) } });
  assert.notEqual((copy as typeof value).b.c.buffer, value.b.c.buffer);
  assert.equal(copyPlain(undefined, limits), undefined);
});

Deno.test("copyPlain() refuses memory that the sender shares", () => {
  assert.throws(() => copyPlain(new Uint8Array(new SharedArrayBuffer(4)), limits), /shared memory is no plain data/);
  assert.throws(() => copyPlain(new SharedArrayBuffer(4), limits), /an object is no plain data/);
});

Deno.test("copyPlain() refuses functions, symbols, ports and instances", () => {
  const { port1, port2 } = new MessageChannel();
  for (const value of [() => {}, Symbol("x"), port1, new Set(), new (class Own {})(), new Float64Array(1)]) {
    assert.throws(() => copyPlain({ value }, limits), /is no plain data/);
  }
  port1.close();
  port2.close();
});

Deno.test("copyPlain() counts bytes and values", () => {
  assert.throws(() => copyPlain("x".repeat(501), limits), /more than 1000 bytes in one message/);
  assert.throws(() => copyPlain({ ["k".repeat(501)]: 1 }, limits), /more than 1000 bytes/);
  assert.throws(() => copyPlain(new Array(100).fill(0), limits), /more than 100 values/);
  assert.throws(() => copyPlain([[...new Array(60)], [...new Array(60)]], limits), /more than 100 values/);
});
