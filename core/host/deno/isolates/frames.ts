/**
 * Messages between this process and a child, over its standard streams: a length of four bytes (big-endian), and JSON.
 * Byte arrays are written as base64 under a key that nothing else has.
 *
 * @module
 */
import { Buffer } from "node:buffer";

// A torrent's metadata (8 MiB) in base64, and room for the rest: a child can't have us hold more.
const MAX_FRAME = 16 * 1024 * 1024;
const BYTES_KEY = "\0bytes";

/**
 * One message as bytes.
 *
 * @throws {Error} when it is no plain data, or too long
 */
export function encodeFrame(message: unknown): Uint8Array {
  const json = Buffer.from(
    JSON.stringify(
      message,
      (_key, value) => value instanceof Uint8Array ? { [BYTES_KEY]: Buffer.from(value).toString("base64") } : value,
    ),
  );
  if (json.length > MAX_FRAME) throw new Error(`Cannot send message: must be at most ${MAX_FRAME} bytes`);
  const frame = new Uint8Array(4 + json.length);
  new DataView(frame.buffer).setUint32(0, json.length);
  frame.set(json, 4);
  return frame;
}

/**
 * The messages of a stream of bytes, until it ends.
 *
 * @throws {Error} on a frame that is too long, or holds no JSON
 */
export async function* readFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, void> {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let needed = 4;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    // Joined only when a frame is whole: a long one in small chunks must not be copied for each of them.
    if (held < needed) continue;
    let bytes: Uint8Array = chunks.length === 1 ? chunk : new Uint8Array(Buffer.concat(chunks));
    for (;;) {
      needed = 4;
      if (bytes.length < needed) break;
      const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (length > MAX_FRAME) {
        throw new Error(`Cannot read message: must be at most ${MAX_FRAME} bytes, it says ${length}`);
      }
      needed = 4 + length;
      if (bytes.length < needed) break;
      yield JSON.parse(Buffer.from(bytes.subarray(4, needed)).toString(), revive);
      bytes = bytes.subarray(needed);
    }
    chunks = [bytes];
    held = bytes.length;
  }
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, BYTES_KEY)) return value;
  const base64 = (value as Record<string, unknown>)[BYTES_KEY];
  return typeof base64 === "string" ? new Uint8Array(Buffer.from(base64, "base64")) : value;
}
