import assert from "node:assert/strict";
import fc from "fast-check";
import { encode } from "./bencode.ts";
import { ProtocolError } from "./errors.ts";
import { decodeExtendedHandshake, encodeExtendedHandshake } from "./extended.ts";
import { utf8Encode } from "./text.ts";

Deno.test("decodeExtendedHandshake() reads what encodeExtendedHandshake() writes", () => {
  const handshake = fc.record({
    m: fc.dictionary(fc.stringMatching(/^[a-z_]{1,12}$/), fc.nat(255)).map((names) => new Map(Object.entries(names))),
    v: fc.string({ unit: "grapheme", maxLength: 20 }),
    p: fc.integer({ min: 1, max: 65535 }),
    reqq: fc.nat(),
    yourip: fc.constantFrom("192.0.2.1", "2001:db8::1"),
    ipv4: fc.constant("192.0.2.2"),
    ipv6: fc.constant("2001:db8::2"),
    metadataSize: fc.nat(),
    uploadOnly: fc.boolean(),
  }, { requiredKeys: ["m"], noNullPrototype: true });
  fc.assert(fc.property(handshake, (value) => {
    assert.deepEqual(decodeExtendedHandshake(encodeExtendedHandshake(value)), value);
  }));
});

Deno.test("decodeExtendedHandshake() leaves out keys of a wrong type or range", () => {
  const bytes = encode({ m: { ut_pex: 1, bad: "x", big: 256 }, p: 70000, v: 5, reqq: -1, yourip: "abc", ipv4: [] });
  assert.deepEqual(decodeExtendedHandshake(bytes), { m: new Map([["ut_pex", 1]]) });
  assert.deepEqual(decodeExtendedHandshake(utf8Encode("de")), { m: new Map() });
});

Deno.test("decodeExtendedHandshake() bounds names that only fill memory", () => {
  const m = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
  const handshake = decodeExtendedHandshake(encode({ m, v: "v".repeat(10_000) }));
  assert.deepEqual([handshake.m.size, handshake.v?.length], [64, 100]);
  assert.throws(() => decodeExtendedHandshake(encode({ m: new Array(1000).fill([]) })), ProtocolError);
});

Deno.test("decodeExtendedHandshake() throws ProtocolError on anything but a dictionary", () => {
  for (const text of ["", "i1e", "d1:m"]) {
    assert.throws(() => decodeExtendedHandshake(utf8Encode(text)), ProtocolError, text);
  }
});

Deno.test("decodeExtendedHandshake() loses no more than the key that is flawed", () => {
  const good = { m: { ut_metadata: 3, ut_pex: 1 }, v: "Weft", p: 6881, reqq: 500, metadata_size: 100, upload_only: 1 };
  const read = { ...decodeExtendedHandshake(encode(good)) } as Record<string, unknown>;
  const names: Record<string, string> = { metadata_size: "metadataSize", upload_only: "uploadOnly" };
  for (const key of Object.keys(good)) {
    for (const garbage of ["\xff\xfe", -1, [], { x: 1 }, 2n ** 63n]) {
      const flawed = { ...decodeExtendedHandshake(encode({ ...good, [key]: garbage })) } as Record<string, unknown>;
      const name = names[key] ?? key;
      assert.deepEqual({ ...flawed, [name]: undefined }, { ...read, [name]: undefined }, key);
    }
  }
  const { m } = decodeExtendedHandshake(utf8Encode("d1:md1:a1:x6:ut_pexi01eee\0\0"));
  assert.deepEqual([...m], [["ut_pex", 1]]);
});
