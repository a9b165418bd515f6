import assert from "node:assert/strict";
import { encode, parsePeerAddress, ProtocolError } from "weft";
import { decodeTables, encodeTables } from "./saved.ts";

const id = "abcdefghij0123456789";

Deno.test("what is kept comes back", () => {
  const contacts = ["192.0.2.1:6881", "[2001:db8::1]:1"].map((text) => ({ id, address: parsePeerAddress(text) }));
  const saved = { ids: { 4: id, 6: "\xff".repeat(20) }, contacts };
  assert.deepEqual(decodeTables(encodeTables(saved)), saved);
});

Deno.test("what is damaged is refused, and what is missing is left out", () => {
  assert.throws(() => decodeTables(Uint8Array.of(1, 2, 3)), ProtocolError);
  assert.deepEqual(decodeTables(encode({ nodes: "odd" })).contacts, []);
  assert.throws(() => decodeTables(new Uint8Array(100_000)), ProtocolError);
  assert.deepEqual(decodeTables(encode({ id: "short" })), { ids: { 4: undefined, 6: undefined }, contacts: [] });
  assert.deepEqual(decodeTables(encode([])), { ids: { 4: undefined, 6: undefined }, contacts: [] });
});
