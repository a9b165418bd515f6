import assert from "node:assert/strict";
import fc from "fast-check";
import { Bitfield } from "./bitfield.ts";
import { ProtocolError } from "./errors.ts";

Deno.test("Bitfield behaves as a set of piece numbers", () => {
  const change = fc.tuple(fc.constantFrom("set", "clear"), fc.nat(99));
  fc.assert(fc.property(fc.integer({ min: 1, max: 100 }), fc.array(change), (length, changes) => {
    const bitfield = new Bitfield(length);
    const model = new Set<number>();
    for (const [verb, number] of changes) {
      const i = number % length;
      if (verb === "set") {
        assert.equal(bitfield.set(i), !model.has(i));
        model.add(i);
      } else {
        assert.equal(bitfield.clear(i), model.delete(i));
      }
    }
    const all = Array.from({ length }, (_, i) => i);
    assert.deepEqual([...bitfield.iterate()], [...model].sort((a, b) => a - b));
    assert.deepEqual(all.filter((i) => bitfield.has(i)), [...bitfield.iterate()]);
    assert.equal(bitfield.count, model.size);
    assert.equal(bitfield.full, model.size === length);
    assert.equal(bitfield.empty, model.size === 0);
    for (const from of all) {
      assert.equal(bitfield.firstUnset(from), all.find((i) => i >= from && !model.has(i)) ?? -1);
      assert.equal(bitfield.firstSet(from), all.find((i) => i >= from && model.has(i)) ?? -1);
    }
    const decoded = Bitfield.decode(bitfield.bytes, length);
    assert.equal(decoded.count, model.size);
    assert.deepEqual(decoded.bytes, bitfield.bytes);
  }));
});

Deno.test("Bitfield puts piece 0 in the high bit of the first byte", () => {
  const bitfield = new Bitfield(10);
  bitfield.set(0);
  bitfield.set(9);
  assert.deepEqual(bitfield.bytes, Uint8Array.of(0x80, 0x40));
});

Deno.test("setAll() leaves the spare bits unset", () => {
  for (const length of [0, 1, 7, 8, 9, 33]) {
    const bitfield = new Bitfield(length);
    bitfield.setAll();
    assert.ok(bitfield.full);
    assert.equal(bitfield.firstUnset(), -1);
    assert.equal(Bitfield.decode(bitfield.bytes, length).count, length);
  }
});

Deno.test("Bitfield.decode() throws on a wrong length or set spare bits", () => {
  assert.throws(() => Bitfield.decode(new Uint8Array(2), 8), ProtocolError);
  assert.throws(() => Bitfield.decode(Uint8Array.of(0x01), 7), /spare bits/);
  assert.throws(() => new Bitfield(7, Uint8Array.of(0x01)), RangeError);
});

Deno.test("has() is false and set() throws outside the range", () => {
  const bitfield = new Bitfield(9);
  bitfield.setAll();
  for (const i of [-1, 9, 16, 2 ** 31, 2 ** 32 - 1]) {
    assert.equal(bitfield.has(i), false);
    assert.throws(() => bitfield.set(i), RangeError);
    assert.throws(() => bitfield.clear(i), RangeError);
  }
});

Deno.test("clone() and the constructor copy", () => {
  const bytes = Uint8Array.of(0x80);
  const bitfield = new Bitfield(8, bytes);
  const copy = bitfield.clone();
  bytes[0] = 0;
  bitfield.clear(0);
  assert.deepEqual([copy.has(0), copy.count], [true, 1]);
});
