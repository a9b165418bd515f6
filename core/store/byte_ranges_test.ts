import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteRanges } from "./byte_ranges.ts";

const range = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);

function build(ranges: [number, number][]): { set: ByteRanges; model: Set<number> } {
  const set = new ByteRanges();
  const model = new Set<number>();
  for (const [start, end] of ranges) {
    set.add(start, end);
    for (let i = start; i < end; i++) model.add(i);
  }
  return { set, model };
}

Deno.test("ByteRanges behaves like a set of offsets", () => {
  fc.assert(fc.property(fc.array(range), (ranges) => {
    const { set, model } = build(ranges);
    assert.equal(set.size, model.size);
    for (let i = 0; i < 62; i++) {
      let out = i;
      while (model.has(out)) out++;
      assert.equal(set.nextOut(i), out);
      let inside = i;
      while (!model.has(inside) && inside < 62) inside++;
      assert.equal(set.nextIn(i), inside < 62 ? inside : Infinity);
    }
    set.clear();
    assert.equal(set.size, 0);
  }));
});

Deno.test("ByteRanges.minus() is the difference of two sets", () => {
  fc.assert(fc.property(fc.array(range), fc.array(range), (left, right) => {
    const a = build(left);
    const b = build(right);
    const rest = build(a.set.minus(b.set)).model;
    assert.deepEqual([...rest].sort(), [...a.model.difference(b.model)].sort());
  }));
});
