import assert from "node:assert/strict";
import { count, cut, jsonText, printable, table } from "./text.ts";

Deno.test("printable() takes the sting out of escape sequences and bidi marks", () => {
  assert.equal(printable("a\x1b[2Jb\u202ecod.exe\n"), "a\ufffd[2Jb\ufffdcod.exe\ufffd");
  assert.equal(printable("Ünïcode 名前"), "Ünïcode 名前");
});

Deno.test("cut() shortens what is too wide", () => {
  assert.equal(cut("abcdef", 6), "abcdef");
  assert.equal(cut("abcdefg", 6), "abcde…");
});

Deno.test("table() aligns columns, numbers to the right", () => {
  assert.equal(
    table([["name", " size"], ["a", "1"], ["long", "1000"]]),
    "name  size\na        1\nlong  1000\n",
  );
});

Deno.test("count() knows one from many", () => {
  assert.deepEqual([count(1, "file"), count(0, "file")], ["1 file", "0 files"]);
});

Deno.test("cut() and table() count the columns that characters take on a terminal", () => {
  assert.equal(cut("日本語.txt", 10), "日本語.txt");
  assert.equal(cut("日本語.txt", 6), "日本…");
  assert.equal(cut("e\u0301te\u0301", 3), "e\u0301te\u0301");
  assert.equal(cut("abc", 0), "");
  assert.equal(table([["日本", "x"], ["abcde", "y"]]), "日本   x\nabcde  y\n");
});

Deno.test("table() takes as many rows as a torrent may have files", () => {
  const rows = Array.from({ length: 300_000 }, () => ["1", "file"]);
  assert.equal(table(rows).length, 300_000 * 8);
});

Deno.test("jsonText() escapes what could move a cursor or turn a line, and reads back the same", () => {
  const value = { name: 'a\x1b[2J\x7f\x9b1m\u202ecod.exe\u2028"\\\n', list: ["\u200f"] };
  for (const indent of [undefined, 2]) {
    const text = jsonText(value, indent);
    assert.deepEqual(JSON.parse(text), value);
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\u2028]/u);
  }
  assert.equal(jsonText({ a: "\x9b" }), '{"a":"\\u009b"}');
});
