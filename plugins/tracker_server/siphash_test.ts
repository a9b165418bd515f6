import assert from "node:assert/strict";
import { toHex } from "weft";
import { sipHash } from "./siphash.ts";

const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const input = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);

Deno.test("sipHash() gives what its authors' test vectors say", () => {
  assert.deepEqual([0, 1, 7, 8, 15].map((length) => toHex(sipHash(key, input(length)))), [
    "310e0edd47db6f72",
    "fd67dc93c539f874",
    "37d1018bf50002ab",
    "6224939a79f5f593",
    "e545be4961ca29a1",
  ]);
});
