import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "weft";
import { cryptSlowly, Rc4, RC4_STATE_SIZE } from "./rc4.ts";
import { createRc4Module, groupStartsIn } from "./rc4_wasm.ts";

// RFC 6229: for each key, 16 bytes of keystream at each of these offsets.
const OFFSETS = [0, 16, 240, 768, 1536, 4096];
const VECTORS: Readonly<Record<string, readonly string[]>> = {
  "0102030405": [
    "b2396305f03dc027ccc3524a0a1118a8",
    "6982944f18fc82d589c403a47a0d0919",
    "28cb1132c96ce286421dcaadb8b69eae",
    "eb62638d4f0ba1fe9fca20e05bf8ff2b",
    "d8729db41882259bee4f825325f5a130",
    "ff25b58995996707e51fbdf08b34d875",
  ],
  "0102030405060708": [
    "97ab8a1bf0afb96132f2f67258da15a8",
    "8263efdb45c4a18684ef87e6b19e5b09",
    "9636ebc9841926f4f7d1f362bddf6e18",
    "44173a103b6616c5d5ad1cee40c863d0",
    "8369e1a965610be887fbd0c79162aafb",
    "3fb46e2c8f0f068edce8cdcd7dfc5862",
  ],
  "0102030405060708090a0b0c0d0e0f10": [
    "9ac7cc9a609d1ef7b2932899cde41b97",
    "5248c4959014126a6e8a84f11d1a9e1c",
    "065902e4b620f6cc36c8589f66432f2b",
    "eccbe13de1fcc91c11a0b26c0bc8fa4d",
    "ffa0b514647ec04f6306b892ae661181",
    "a36a4c301ae8ac13610ccbc12256cacc",
  ],
};

const key = fromHex("0102030405");

Deno.test("Rc4 gives the keystreams of RFC 6229, at once and a few bytes at a time", () => {
  for (const [key, parts] of Object.entries(VECTORS)) {
    const atOnce = new Uint8Array(5_000);
    new Rc4(fromHex(key)).crypt(atOnce);
    const inParts = new Uint8Array(5_000);
    const rc4 = new Rc4(fromHex(key));
    for (let at = 0; at < inParts.length; at += 7) rc4.crypt(inParts.subarray(at, at + 7));
    for (const bytes of [atOnce, inParts]) {
      assert.deepEqual(OFFSETS.map((at) => toHex(bytes.subarray(at, at + 16))), parts);
    }
  }
});

Deno.test("Rc4 throws the beginning of its keystream away when it is told so", () => {
  const bytes = new Uint8Array(16);
  new Rc4(key, 1536).crypt(bytes);
  assert.equal(toHex(bytes), VECTORS["0102030405"][4]);
});

Deno.test("Rc4 leaves what it reads as it is, and touches no more of its target than that", () => {
  for (const length of [3, 5_000]) {
    const from = new Uint8Array(length).fill(1);
    const into = new Uint8Array(length + 10).fill(2);
    new Rc4(key).crypt(from, into);
    assert.ok(from.every((byte) => byte === 1));
    assert.ok(into.subarray(length).every((byte) => byte === 2));
    new Rc4(key).crypt(into.subarray(0, length));
    assert.deepEqual(into.subarray(0, length), from);
  }
});

Deno.test("the module of WebAssembly does what JavaScript does, however the bytes are cut", () => {
  const inWasm = createRc4Module();
  const lengths = fc.array(fc.oneof(fc.nat(100), fc.constantFrom(16_383, 16_384, 16_400, 200_001)), { maxLength: 6 });
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(255)), lengths, (noise, lengths) => {
      const slow = new Uint8Array(RC4_STATE_SIZE);
      slow.set(shuffled(noise));
      const fast = slow.slice();
      for (const length of lengths) {
        const [a, b] = [new Uint8Array(length).fill(7), new Uint8Array(length).fill(7)];
        cryptSlowly(slow, a, a);
        const begin = Math.min(length, groupStartsIn(fast));
        cryptSlowly(fast, b, b, 0, begin);
        const done = inWasm(fast, b, b, begin);
        assert.equal(done, length - (length - begin) % 16);
        cryptSlowly(fast, b, b, done);
        assert.deepEqual(b, a);
      }
      assert.deepEqual(fast, slow);
    }),
    { numRuns: 50 },
  );
});

/** The numbers 0 to 255 in some order. */
function shuffled(noise: Iterator<number>): Uint8Array {
  const numbers = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (let i = 0; i < numbers.length; i++) {
    const k = noise.next().value!;
    [numbers[i], numbers[k]] = [numbers[k], numbers[i]];
  }
  return numbers;
}
