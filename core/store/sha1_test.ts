import assert from "node:assert/strict";
import { buildInfo, parseInfo, sha1 } from "../wire/mod.ts";
import { sha1Layout } from "./sha1.ts";

const pieceLength = 16 * 1024;
const data = new Uint8Array(20_000).map((_, i) => i);
const pieces = new Uint8Array([...sha1(data.subarray(0, pieceLength)), ...sha1(data.subarray(pieceLength))]);
const layout = sha1Layout(parseInfo(buildInfo({ name: "x", pieceLength, pieces, length: data.length })));

Deno.test("sha1Layout() has the shape of the torrent", () => {
  assert.deepEqual([layout.pieceCount, layout.length, layout.pieceSize(1), layout.multi], [2, 20_000, 3616, false]);
});

Deno.test("sha1Layout() verifies pieces by their SHA-1", () => {
  const right = layout.verifier(1);
  right.update(data.subarray(pieceLength, 18_000));
  right.update(data.subarray(18_000));
  assert.equal(right.finish(), true);
  const wrong = layout.verifier(0);
  wrong.update(data.subarray(pieceLength));
  assert.equal(wrong.finish(), false);
  assert.deepEqual(layout.digest!(0), { algorithm: "sha1", expected: pieces.subarray(0, 20) });
});
