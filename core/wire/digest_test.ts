import assert from "node:assert/strict";
import { createSha1, createSha256, sha1, sha256 } from "./digest.ts";
import { toHex, utf8Encode } from "./text.ts";

Deno.test("sha1() and sha256() give the digests of FIPS 180", () => {
  assert.equal(toHex(sha1(utf8Encode("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(
    toHex(sha256(utf8Encode("abc"))),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("a hasher takes its bytes in parts", () => {
  for (const [hasher, whole] of [[createSha1(), sha1], [createSha256(), sha256]] as const) {
    hasher.update(utf8Encode("a"));
    hasher.update(utf8Encode("bc"));
    assert.deepEqual(hasher.digest(), whole(utf8Encode("abc")));
  }
});
