import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "weft";
import { decodeMetadataMessage, encodeMetadataMessage, pieceCount, pieceSize } from "./codec.ts";

const text = (message: string): Uint8Array => new TextEncoder().encode(message);

Deno.test("messages are written as BEP 9 shows them", () => {
  const written = (message: Parameters<typeof encodeMetadataMessage>[0]): string =>
    new TextDecoder().decode(encodeMetadataMessage(message));
  assert.equal(written({ type: "request", piece: 0 }), "d8:msg_typei0e5:piecei0ee");
  assert.equal(written({ type: "reject", piece: 0 }), "d8:msg_typei2e5:piecei0ee");
  assert.equal(
    written({ type: "data", piece: 0, totalSize: 34256, bytes: text("xxxxxxxx") }),
    "d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
  );
});

Deno.test("messages read as they were written", () => {
  for (
    const message of [
      { type: "request", piece: 7 },
      { type: "reject", piece: 7 },
      { type: "data", piece: 7, totalSize: 200_000, bytes: text("anything e") },
    ] as const
  ) {
    assert.deepEqual(decodeMetadataMessage(encodeMetadataMessage(message)), message);
  }
  // libtorrent and others say the total size in a request, too.
  assert.deepEqual(decodeMetadataMessage(text("d8:msg_typei0e5:piecei1e10:total_sizei9ee")), {
    type: "request",
    piece: 1,
  });
});

Deno.test("a type that BEP 9 doesn't know is ignored, and what is no message refused", () => {
  assert.equal(decodeMetadataMessage(text("d8:msg_typei9e5:piecei1ee")), undefined);
  for (const bad of ["", "i1e", "d8:msg_typei0ee", "d8:msg_typei0e5:piecei-1ee", "d8:msg_typei1e5:piecei0ee", "d"]) {
    assert.throws(() => decodeMetadataMessage(text(bad)), ProtocolError, bad);
  }
});

Deno.test("any bytes are a message or a ProtocolError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      decodeMetadataMessage(bytes);
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
    }
  }));
});

Deno.test("the last piece has what is left", () => {
  assert.deepEqual([1, 16_384, 16_385].map(pieceCount), [1, 1, 2]);
  assert.deepEqual([pieceSize(16_385, 0), pieceSize(16_385, 1), pieceSize(16_384, 0)], [16_384, 1, 16_384]);
});
