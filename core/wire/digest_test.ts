import assert from "node:assert/strict";
import { createSha1, createSha256, ed25519PublicKey, sha1, sha256, signEd25519, verifyEd25519 } from "./digest.ts";
import { fromHex, toHex, utf8Encode } from "./text.ts";

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

Deno.test("Ed25519 signs and verifies the first and second message of RFC 8032", () => {
  for (
    const [seed, key, message, signature] of [
      [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      ],
      [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
      ],
    ].map((row) => row.map(fromHex))
  ) {
    assert.deepEqual(ed25519PublicKey(seed), key);
    assert.deepEqual(signEd25519(seed, message), signature);
    assert.ok(verifyEd25519(key, message, signature));
    assert.ok(!verifyEd25519(key, utf8Encode("another"), signature));
  }
});

Deno.test("verifyEd25519() refuses keys and signatures that are none, and signEd25519() a short seed", () => {
  assert.ok(!verifyEd25519(new Uint8Array(31), new Uint8Array(), new Uint8Array(64)));
  assert.ok(!verifyEd25519(new Uint8Array(32), new Uint8Array(), new Uint8Array(63)));
  assert.ok(!verifyEd25519(new Uint8Array(32).fill(0xff), new Uint8Array(), new Uint8Array(64)));
  assert.throws(() => signEd25519(new Uint8Array(31), new Uint8Array()), /must have 32 bytes, current value has 31/);
});
