import assert from "node:assert/strict";
import { toHex } from "weft";
import { addToBloom, BLOOM_LENGTH, estimateBloom, mergeBloom } from "./bloom.ts";

Deno.test("the filter of BEP 33's example has its bits, and its estimate", () => {
  const filter = new Uint8Array(BLOOM_LENGTH);
  for (let i = 0; i < 256; i++) addToBloom(filter, `192.0.2.${i}`);
  for (let i = 0; i < 0x3e8; i++) addToBloom(filter, `2001:db8::${i.toString(16)}`);
  assert.ok(toHex(filter).startsWith("f6c3f5eaa07ffd91bde89f777f26fb2bff37bdb8fb2bbaa2fd3ddde7bacfff75"));
  assert.equal(estimateBloom(filter).toFixed(3), "1224.931");
});

Deno.test("estimateBloom() says 0 of an empty filter, and a number of a full one", () => {
  assert.equal(estimateBloom(new Uint8Array(BLOOM_LENGTH)), 0);
  assert.ok(Number.isFinite(estimateBloom(new Uint8Array(BLOOM_LENGTH).fill(255))));
});

Deno.test("mergeBloom() counts who is in both filters once", () => {
  const [a, b] = [new Uint8Array(BLOOM_LENGTH), new Uint8Array(BLOOM_LENGTH)];
  for (let i = 0; i < 40; i++) addToBloom(i < 30 ? a : b, `192.0.2.${i}`);
  for (let i = 20; i < 30; i++) addToBloom(b, `192.0.2.${i}`);
  mergeBloom(a, b);
  assert.ok(Math.abs(estimateBloom(a) - 40) < 2);
});
