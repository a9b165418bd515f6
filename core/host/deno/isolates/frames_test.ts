import assert from "node:assert/strict";
import { encodeFrame, readFrames } from "./frames.ts";

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

Deno.test("frames come out as they went in, however the stream is cut", async () => {
  const messages = [{ a: 1 }, "text", { bytes: new Uint8Array([0, 255]), list: [null, true] }, 5];
  const stream = new Uint8Array(messages.flatMap((message) => [...encodeFrame(message)]));
  for (const size of [1, 3, 7, 1000]) {
    assert.deepEqual(await Array.fromAsync(readFrames(chunked(stream, size))), messages);
  }
});

Deno.test("a frame that claims to be too long is refused before its bytes are there", async () => {
  await assert.rejects(Array.fromAsync(readFrames(chunked(new Uint8Array([255, 0, 0, 0]), 4))), /must be at most/);
});

Deno.test("what is no JSON is refused", async () => {
  const frame = new Uint8Array([0, 0, 0, 2, 123, 123]);
  await assert.rejects(Array.fromAsync(readFrames(chunked(frame, 6))), SyntaxError);
});

Deno.test("a message that is too long is not sent", () => {
  assert.throws(() => encodeFrame("x".repeat(16 * 1024 * 1024)), /must be at most 16777216 bytes/);
});
