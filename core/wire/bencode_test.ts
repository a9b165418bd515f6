import assert from "node:assert/strict";
import fc from "fast-check";
import { type Bencoded, decode, decodePrefix, type Encodable, encode, Encoded, infoSpan, scan } from "./bencode.ts";
import { ProtocolError } from "./errors.ts";
import { byteString, utf8Decode, utf8Encode } from "./text.ts";

const parse = (text: string): Bencoded => decode(utf8Encode(text));

const key = fc.oneof(fc.uint8Array({ maxLength: 8 }).map(byteString), fc.constantFrom("__proto__", "constructor", "a"));
const { value: anyValue } = fc.letrec<{ value: Bencoded }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 64n - 1n }),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((entries) => new Map(entries)),
  ),
}));

Deno.test("decode() reads what encode() writes, binary keys and 64-bit integers included", () => {
  fc.assert(fc.property(anyValue, (value) => assert.deepEqual(decode(encode(value)), normal(value))));
});

Deno.test("encode() is canonical: one value has one encoding, which a strict scan accepts", () => {
  fc.assert(fc.property(anyValue, (value) => {
    const bytes = encode(value);
    assert.deepEqual(encode(decode(bytes, { sorted: true })), bytes);
  }));
});

Deno.test("encode() takes plain objects and text, sorts keys by byte and leaves out undefined", () => {
  const value = { b: "ü", a: [1, -2n, new Encoded(utf8Encode("le"))], "a\xff": {}, c: undefined };
  assert.equal(byteString(encode(value)), "d1:ali1ei-2elee2:a\xffde1:b2:\xc3\xbce");
});

Deno.test("encode() throws on what bencode can't hold", () => {
  for (const value of [1.5, NaN, 2 ** 53, null, true, [undefined], { "ł": 1 }]) {
    assert.throws(() => encode(value as Encodable), TypeError);
  }
});

Deno.test("decode() throws ProtocolError on every malformed input", () => {
  const malformed = {
    empty: "",
    "an unknown type": "x",
    "a cut string": "10:abc",
    "a negative length": "l-3:e",
    "a length with a plus": "+1:a",
    "a length past all memory": "99999999999999999999:a",
    "a cut integer": "i12",
    "an empty integer": "ie",
    "a lone minus": "i-e",
    "a fraction": "i1.5e",
    "a number of too many digits": `i${"9".repeat(30)}e`,
    "an open list": "l1:a",
    "an open dictionary": "d1:ai1e",
    "a key without a value": "d1:ae",
    "a key that is no string": "di1ei2ee",
  };
  for (const [name, text] of Object.entries(malformed)) assert.throws(() => parse(text), ProtocolError, name);
});

Deno.test("decode() passes over flaws that leave one reading, unless it is strict", () => {
  const flawed: Record<string, Bencoded> = {
    "01:a": utf8Encode("a"),
    "i-0e": 0,
    "i01e": 1,
    "i-007e": -7,
    "i009007199254740993e": 9007199254740993n,
    "i1ei2e": 1,
    "i1e\r\n": 1,
    "d01:ai1ee": new Map([["a", 1]]),
  };
  for (const [text, value] of Object.entries(flawed)) {
    assert.deepEqual(parse(text), value, text);
    assert.throws(() => decode(utf8Encode(text), { strict: true }), ProtocolError, text);
  }
});

Deno.test("decode() gives no value to a key that stands twice, and refuses it when strict", () => {
  for (const text of ["d1:ai1e1:ai2e1:bi3ee", "d1:ai1e1:bi3e1:ai2ee", "d1:ai1e1:ai2e1:ai2e1:bi3ee"]) {
    assert.deepEqual(parse(text), new Map([["b", 3]]));
    assert.throws(() => decode(utf8Encode(text), { strict: true }), /duplicate key "a"/);
  }
});

Deno.test("scan() with a strict key refuses flaws below it alone", () => {
  const read = (text: string): Bencoded => decode(utf8Encode(text), { strictKey: "info" });
  assert.deepEqual(read("d1:ad4:infoi01ee4:infoi1e1:zi01ee\n"), parse("d1:ad4:infoi1ee4:infoi1e1:zi1ee"));
  for (const text of ["d4:infoi01ee", "d4:infod1:al02:abeee", "d4:infod1:ai1e1:ai2eee"]) {
    assert.throws(() => read(text), ProtocolError, text);
  }
});

Deno.test("decode() keeps __proto__ and colliding keys as plain data", () => {
  const dict = parse("d9:__proto__d1:xi1ee2:ffi2ee") as Map<string, Bencoded>;
  assert.deepEqual([...dict.keys()], ["__proto__", "ff"]);
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

Deno.test("decode() accepts keys out of order unless told not to", () => {
  assert.deepEqual(parse("d1:bi1e1:ai2ee"), new Map([["b", 1], ["a", 2]]));
  assert.throws(() => decode(utf8Encode("d1:bi1e1:ai2ee"), { sorted: true }), /out of order/);
});

Deno.test("scan() refuses depth, size and number of values past its limits", () => {
  const nested = (depth: number) => utf8Encode("l".repeat(depth) + "e".repeat(depth));
  assert.doesNotThrow(() => scan(nested(101)));
  assert.throws(() => scan(nested(102)), /deeper than 100/);
  assert.throws(() => scan(utf8Encode("l".repeat(1_000_000))), /deeper/);
  assert.throws(() => scan(utf8Encode("3:abc"), { maxBytes: 4 }), /at most 4/);
  assert.throws(() => scan(utf8Encode("llelee"), { maxItems: 2 }), /more than 2 values/);
  assert.throws(() => scan(utf8Encode(`l${"le".repeat(2 ** 20)}e`)), /values/);
});

Deno.test("decodePrefix() gives the value and where the payload begins", () => {
  const { value, end } = decodePrefix(utf8Encode("d8:msg_typei1eepayload"));
  assert.deepEqual(value, new Map([["msg_type", 1]]));
  assert.equal(end, 15);
});

Deno.test("infoSpan() gives the raw bytes of the top-level info dictionary alone", () => {
  const bytes = utf8Encode("d1:ad4:infodee4:infod1:bi1e1:ai2eee");
  assert.equal(utf8Decode(infoSpan(bytes)), "d1:bi1e1:ai2ee");
  for (const text of ["de", "le", "d4:infoi1ee"]) assert.throws(() => infoSpan(utf8Encode(text)), ProtocolError);
});

Deno.test("decode() of any bytes returns or throws ProtocolError", () => {
  const noise = fc.oneof(
    fc.uint8Array(),
    fc.array(fc.constantFrom(..."dlie0123:-a"), { maxLength: 40 }).map((list) => utf8Encode(list.join(""))),
    fc.tuple(anyValue, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
      const bytes = encode(value);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(noise, (bytes) => {
      try {
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

/** Keys in the order they are written in. */
function normal(value: Bencoded): Bencoded {
  if (Array.isArray(value)) return value.map(normal);
  if (!(value instanceof Map)) return Object.is(value, -0) ? 0 : value;
  return new Map([...value].sort(([a], [b]) => a < b ? -1 : 1).map(([name, item]) => [name, normal(item)]));
}
