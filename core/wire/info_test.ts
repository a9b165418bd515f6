import assert from "node:assert/strict";
import { type Encodable, encode } from "./bencode.ts";
import { sha1 } from "./digest.ts";
import { ProtocolError } from "./errors.ts";
import { parseInfo } from "./info.ts";
import { utf8Encode } from "./text.ts";

Deno.test("the info-hash is that of the raw bytes, even when their keys are out of order", () => {
  const raw = utf8Encode(`d6:pieces20:${"x".repeat(20)}6:lengthi1e12:piece lengthi4e4:name1:ae`);
  const info = parseInfo(raw);
  assert.deepEqual(info.id.v1?.bytes, sha1(raw));
  assert.deepEqual(info.raw, raw);
});

Deno.test("parseInfo() names the key that lies", () => {
  const base = { name: "a", "piece length": 4, length: 8, pieces: new Uint8Array(40) };
  const file = (length: unknown, path: unknown = ["x"]) => ({ ...base, length: undefined, files: [{ length, path }] });
  const huge = Number.MAX_SAFE_INTEGER;
  const cases: [unknown, string][] = [
    [{ ...base, "piece length": 0 }, '"piece length" must be 1 to 536870912, current value is 0'],
    [{ ...base, "piece length": 2 ** 30 }, '"piece length" must be 1 to 536870912, current value is 1073741824'],
    [{ ...base, "piece length": "4" }, '"piece length" must be 1 to 536870912, current value is string'],
    [{ ...base, "piece length": undefined }, '"piece length" must be 1 to 536870912, current value is missing'],
    [{ ...base, length: -1 }, `"length" must be 0 to ${huge}, current value is -1`],
    [{ ...base, length: 2n ** 63n }, `"length" must be 0 to ${huge}, current value is 9223372036854775808`],
    [{ ...base, length: undefined }, `"length" must be 0 to ${huge}, current value is missing`],
    [{ ...base, length: 9 }, '"pieces" must be 3 for 9 bytes, current value is 2'],
    [{ ...base, length: 0 }, '"pieces" must be 0 for 0 bytes, current value is 2'],
    [{ ...base, pieces: new Uint8Array(39) }, '"pieces" must be a multiple of 20 bytes, current length is 39'],
    [{ ...base, name: "" }, '"name" must be text that is not empty'],
    [{ ...base, name: 1 }, '"name" must be text that is not empty'],
    [{ ...base, files: [] }, '"files" must not be empty'],
    [{ ...base, files: [1] }, '"files[0]" must be a dictionary'],
    [file(8, []), '"files[0].path" must be a list of names'],
    [file(8, ["a", 1]), '"files[0].path" must be a list of names'],
    [file(-8), `"files[0].length" must be 0 to ${huge}, current value is -8`],
    [
      { ...base, files: [{ length: huge, path: ["a"] }, { length: 1, path: ["b"] }] },
      `"files" must not exceed ${huge} bytes in all`,
    ],
    [
      { ...base, "piece length": 1, length: 2 ** 21 + 1, pieces: new Uint8Array(20 * (2 ** 21 + 1)) },
      '"pieces" must be at most 2097152, current value is 2097153',
    ],
    [1, '"info" must be a dictionary'],
  ];
  for (const [value, what] of cases) {
    const bytes = encode(value as Encodable);
    assert.throws(() => parseInfo(bytes), new ProtocolError(`Cannot read torrent: ${what}`));
  }
});

Deno.test("parseInfo() reads a torrent of no bytes", () => {
  const info = parseInfo(encode({ name: "a", "piece length": 4, length: 0, pieces: "" }));
  assert.deepEqual([info.length, info.pieceCount, info.files.length], [0, 0, 1]);
});

Deno.test("parseInfo() prefers the UTF-8 names", () => {
  const raw = encode({
    name: Uint8Array.of(0xff),
    "name.utf-8": "ü",
    "piece length": 4,
    pieces: new Uint8Array(20),
    files: [{ length: 1, path: [Uint8Array.of(0xff)], "path.utf-8": ["ö", "ä"] }],
  });
  const info = parseInfo(raw);
  assert.deepEqual([info.name, info.files[0].path], ["ü", ["ö", "ä"]]);
});

Deno.test("parseInfo() reads the attributes of BEP 47 and keeps paths as they are", () => {
  const files = [
    { length: 1, path: ["..", "a"], attr: "xh" },
    { length: 0, path: ["link"], attr: "l", "symlink path": ["..", "etc"] },
    { length: 3, path: [".pad", "3"], attr: "p" },
  ];
  const info = parseInfo(encode({ name: "a", "piece length": 4, pieces: new Uint8Array(20), files }));
  assert.deepEqual(info.files, [
    { path: ["..", "a"], length: 1, offset: 0, pad: false, attributes: "xh" },
    { path: ["link"], length: 0, offset: 1, pad: false, attributes: "l", symlink: ["..", "etc"] },
    { path: [".pad", "3"], length: 3, offset: 1, pad: true, attributes: "p" },
  ]);
});

Deno.test("parseInfo() reads a torrent of 2^21 pieces and 100,000 files", () => {
  const files = Array.from({ length: 100_000 }, (_, i) => ({ length: i, path: ["dir", `${i}`] }));
  const length = 100_000 * 99_999 / 2;
  const pieceLength = Math.ceil(length / 2 ** 21);
  const pieces = new Uint8Array(20 * Math.ceil(length / pieceLength));
  const info = parseInfo(encode({ name: "a", "piece length": pieceLength, pieces, files }));
  assert.deepEqual([info.files.length, info.length], [100_000, length]);
});
