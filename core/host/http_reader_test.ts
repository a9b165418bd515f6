import assert from "node:assert/strict";
import { HttpReader } from "./http_reader.ts";

/** A stream that gives one part a read. */
function inParts(...parts: readonly string[]): { read(into: Uint8Array): Promise<number> } {
  const left = parts.map((part) => new TextEncoder().encode(part));
  return {
    read(into) {
      const part = left.shift() ?? new Uint8Array();
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

Deno.test("some() gives what is there, up to the limit, and nothing at the end", async () => {
  const reader = new HttpReader(inParts("a\r\nbcd", "e"));
  assert.equal(await reader.line(), "a");
  const parts: (string | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    const part = await reader.some(2);
    parts.push(part && new TextDecoder().decode(part));
  }
  assert.deepEqual(parts, ["bc", "d", "e", undefined]);
});

Deno.test("a part of one byte holds on to no more memory than that", async () => {
  const part = await new HttpReader(inParts("x")).some(65536);
  assert.equal(part?.buffer.byteLength, 1);
});

Deno.test("line() throws on a line that never ends", async () => {
  const reader = new HttpReader({ read: (into) => Promise.resolve(into.fill(65).length) });
  await assert.rejects(reader.line(), /a line is too long/);
});
