import assert from "node:assert/strict";
import { selectFiles } from "./selection.ts";

const files = [
  { path: ["readme.txt"], pad: false },
  { path: ["disc", "one.iso"], pad: false },
  { path: [".pad", "17"], pad: true },
  { path: ["disc", "two (b).iso"], pad: false },
];

Deno.test("selectFiles() takes numbers and ranges as they are shown, from 1", () => {
  assert.deepEqual(selectFiles("1,3-4", files), [0, 2, 3]);
  assert.deepEqual(selectFiles("2-2, 1", files), [0, 1]);
});

Deno.test("selectFiles() takes names with wildcards, without pad files", () => {
  assert.deepEqual(selectFiles("*.iso", files), [1, 3]);
  assert.deepEqual(selectFiles("disc/*", files), [1, 3]);
  assert.deepEqual(selectFiles("two (b).iso", files), [3]);
  assert.deepEqual(selectFiles("READ??.txt", files), [0]);
});

Deno.test("selectFiles() says which part names no file", () => {
  assert.throws(() => selectFiles("5", files), /"5" must be a file number or range within 1-4/);
  assert.throws(() => selectFiles("3-1", files), /"3-1"/);
  assert.throws(() => selectFiles("*.mkv", files), /no file is called "\*\.mkv"/);
  assert.throws(() => selectFiles("", files), /no file is called ""/);
});

Deno.test("selectFiles() takes only numbers before the metadata is known", () => {
  assert.deepEqual(selectFiles("1-2"), [0, 1]);
  assert.throws(() => selectFiles("*.iso"), /use numbers/);
});
