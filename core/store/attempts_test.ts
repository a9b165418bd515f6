import assert from "node:assert/strict";
import { BLOCK_BYTES, BlockDigester, type BlockDigests, FailedAttempts } from "./attempts.ts";

function digests(...blocks: number[]): BlockDigests {
  const size = (blocks.length - 1) * BLOCK_BYTES + 100;
  const bytes = new Uint8Array(size);
  blocks.forEach((value, block) => bytes.fill(value, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
  const digester = new BlockDigester(size);
  digester.update(bytes.subarray(0, 2 * BLOCK_BYTES));
  digester.update(bytes.subarray(2 * BLOCK_BYTES));
  return digester.digests;
}

Deno.test("FailedAttempts tells which blocks of each attempt were wrong, once", () => {
  const attempts = new FailedAttempts();
  attempts.add(7, digests(1, 0, 3));
  attempts.add(7, digests(9, 2, 9));
  attempts.add(8, digests(0, 0, 0));
  assert.deepEqual(attempts.compare(7, digests(1, 2, 3)), [[1], [0, 2]]);
  assert.equal(attempts.has(7), false);
  assert.deepEqual(attempts.compare(7, digests(1, 2, 3)), []);
  assert.equal(attempts.has(8), true);
});

Deno.test("FailedAttempts forgets the oldest attempts when they fill memory", () => {
  const attempts = new FailedAttempts();
  const large = new Uint8Array(1024 * 1024 - 4);
  for (let piece = 0; piece < 6; piece++) attempts.add(piece, large);
  assert.deepEqual([0, 1, 2, 3, 4, 5].filter((piece) => attempts.has(piece)), [2, 3, 4, 5]);
});
