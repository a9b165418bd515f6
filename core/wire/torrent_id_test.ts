import assert from "node:assert/strict";
import { ProtocolError } from "./errors.ts";
import { InfoHash, torrentId } from "./torrent_id.ts";

const HEX = "d3a707a8b44a3aed6fdc96ec9dea2a265ca4beea";

Deno.test("InfoHash.parse() reads hex and base32 in either case", () => {
  const hash = InfoHash.parse(HEX.toUpperCase());
  assert.equal(hash.hex, HEX);
  assert.equal(`${InfoHash.parse("2otqpkfuji5o2364s3wj32rkezokjpxk")}`, HEX);
  assert.ok(hash.equals(InfoHash.from(hash.bytes)));
});

Deno.test("InfoHash.parse() throws on other text and InfoHash.from() on other lengths", () => {
  for (const text of ["", HEX.slice(1), HEX + "0", "1".repeat(32)]) {
    assert.throws(() => InfoHash.parse(text), ProtocolError);
  }
  assert.throws(() => InfoHash.from(new Uint8Array(32)), ProtocolError);
});

Deno.test("torrentId() of a hybrid is known by both hashes on the wire and keyed by v1", () => {
  const v2 = new Uint8Array(32).fill(0xab);
  const id = torrentId({ v1: InfoHash.parse(HEX), v2 });
  assert.deepEqual(id.wireIds.map(String), [HEX, "ab".repeat(20)]);
  assert.equal(id.key, HEX);
  assert.equal(id.hex, HEX);
});

Deno.test("torrentId() of v2 alone is keyed by its first 20 bytes", () => {
  const id = torrentId({ v2: new Uint8Array(32).fill(0xab) });
  assert.equal(id.key, "ab".repeat(20));
  assert.equal(id.hex, "ab".repeat(32));
  assert.ok(!("v1" in id));
});

Deno.test("torrentId() throws without a hash or on a short v2", () => {
  assert.throws(() => torrentId({}), ProtocolError);
  assert.throws(() => torrentId({ v2: new Uint8Array(20) }), ProtocolError);
});
