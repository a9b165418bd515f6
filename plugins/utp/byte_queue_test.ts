import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteQueue } from "./byte_queue.ts";

Deno.test("a byte queue gives what it took, in order, whatever the sizes", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5_000)), { maxLength: 60 }), (steps) => {
    const queue = new ByteQueue();
    let [put, got] = [0, 0];
    for (const [push, size] of steps) {
      if (push) queue.push(new Uint8Array(size).map(() => put++));
      else {
        const into = new Uint8Array(size);
        const count = queue.shift(into);
        assert.equal(count, Math.min(size, put - got));
        for (let i = 0; i < count; i++) assert.equal(into[i], got++ & 255);
      }
      assert.equal(queue.length, put - got);
    }
  }));
});
