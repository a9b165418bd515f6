import assert from "node:assert/strict";
import fc from "fast-check";
import { PADDING, piecesOf, spansOf } from "./layout.ts";
import { makeTorrent } from "./test_bench.ts";

const { layout } = makeTorrent([["a", 10], ["empty", 0], ["pad", 6], ["b", 20], ["pad", 3], ["pad", 5], ["c", 1]], 16);

Deno.test("spansOf() cuts a range at files, and pads are padding", () => {
  assert.deepEqual(spansOf(layout.files, 4, 16), [
    { file: 0, position: 4, offset: 4, length: 6 },
    { file: PADDING, position: 0, offset: 10, length: 6 },
    { file: 3, position: 0, offset: 16, length: 4 },
  ]);
  assert.deepEqual(spansOf(layout.files, 37, 8), [
    { file: PADDING, position: 1, offset: 37, length: 7 },
    { file: 6, position: 0, offset: 44, length: 1 },
  ]);
});

Deno.test("spansOf() takes what no file covers for padding", () => {
  const [a, b] = [layout.files[0], layout.files[3]];
  assert.deepEqual(spansOf([a, b], 8, 40).map(({ file, length }) => [file, length]), [
    [0, 2],
    [PADDING, 6],
    [1, 20],
    [PADDING, 12],
  ]);
});

Deno.test("spansOf() covers every range without gaps", () => {
  fc.assert(fc.property(fc.nat(44), fc.nat(44), (offset, length) => {
    let at = offset;
    for (const span of spansOf(layout.files, offset, length)) {
      assert.equal(span.offset, at);
      assert.ok(span.length > 0);
      if (span.file !== PADDING) {
        const file = layout.files[span.file];
        assert.equal(file.offset + span.position, at);
        assert.ok(span.position + span.length <= file.length && !file.pad);
      }
      at += span.length;
    }
    assert.equal(at, offset + length);
  }));
});

Deno.test("piecesOf() gives the pieces that hold bytes of a file", () => {
  assert.deepEqual(layout.files.map((_, index) => piecesOf(layout, index)), [
    [0, 1],
    [0, 0],
    [0, 1],
    [1, 3],
    [2, 3],
    [2, 3],
    [2, 3],
  ]);
});
