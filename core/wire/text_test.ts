import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import {
  base32Decode,
  bytesEqual,
  byteString,
  fromByteString,
  fromHex,
  percentEncode,
  quote,
  toHex,
  utf8Decode,
  utf8Encode,
} from "./text.ts";

const anyBytes = fc.uint8Array({ maxLength: 200 });

Deno.test("fromHex() reads what toHex() writes, in either case", () => {
  fc.assert(fc.property(anyBytes, (bytes) => {
    assert.deepEqual(fromHex(toHex(bytes)), bytes);
    assert.deepEqual(fromHex(toHex(bytes).toUpperCase()), bytes);
  }));
});

Deno.test("fromHex() throws on odd lengths and other characters", () => {
  for (const text of ["0", "0g", "0x00", " 00"]) assert.throws(() => fromHex(text), ProtocolError);
});

Deno.test("base32Decode() reads the vectors of RFC 4648", () => {
  assert.equal(utf8Decode(base32Decode("MZXW6YTBOI======")), "foobar");
  assert.equal(utf8Decode(base32Decode("mzxw6ytb")), "fooba");
  assert.deepEqual(base32Decode(""), new Uint8Array());
  assert.throws(() => base32Decode("MZXW1"), ProtocolError);
});

Deno.test("utf8Decode() replaces what isn't UTF-8 and keeps a byte order mark", () => {
  assert.equal(utf8Decode(Uint8Array.of(0x61, 0xff)), "a\ufffd");
  assert.equal(utf8Decode(utf8Encode("\ufeffa")), "\ufeffa");
});

Deno.test("byteString() holds any bytes without loss", () => {
  fc.assert(fc.property(anyBytes, (bytes) => assert.deepEqual(fromByteString(byteString(bytes)), bytes)));
  const long = new Uint8Array(20_000).map((_, i) => i);
  assert.deepEqual(fromByteString(byteString(long)), long);
  assert.throws(() => fromByteString("ł"), TypeError);
});

Deno.test("bytesEqual() compares content", () => {
  assert.ok(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1)));
});

Deno.test("percentEncode() leaves unreserved characters alone and escapes every other byte", () => {
  assert.equal(percentEncode(Uint8Array.of(0x12, 0x41, 0x7e, 0x2b, 0xff, 0x20)), "%12A~%2B%FF%20");
});

Deno.test("quote() escapes and cuts", () => {
  assert.equal(quote('a"\n'), '"a\\"\\n"');
  assert.ok(quote("x".repeat(1000)).length < 110);
});
