import assert from "node:assert/strict";
import { utf8Decode, utf8Encode } from "weft";
import { BencodeWriter } from "./writer.ts";

Deno.test("a writer writes each part as bencode has it", () => {
  const bytes = new BencodeWriter().raw("d1:a").integer(-7).raw("1:b").string(utf8Encode("xy")).raw("1:c").text("\xff")
    .raw("1:d").bytes(utf8Encode("le")).raw("e").end();
  assert.deepEqual(bytes, Uint8Array.from([...utf8Encode("d1:ai-7e1:b2:xy1:c1:"), 0xff, ...utf8Encode("1:dlee")]));
});

Deno.test("what was written stays when another message is", () => {
  const first = new BencodeWriter().raw("first").end();
  new BencodeWriter().raw("other").end();
  assert.equal(utf8Decode(first), "first");
});

Deno.test("a message past 4 KiB throws", () => {
  assert.throws(() => new BencodeWriter().bytes(new Uint8Array(5000)), RangeError);
  assert.throws(() => new BencodeWriter().raw("x".repeat(5000)).end(), RangeError);
});
