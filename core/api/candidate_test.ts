import assert from "node:assert/strict";
import { parsePeerAddress } from "../wire/mod.ts";
import { readCandidate } from "./candidate.ts";

Deno.test("readCandidate() takes what has an address, and who named it", () => {
  const address = parsePeerAddress("192.0.2.1:6881");
  assert.deepEqual(readCandidate({ address, namedBy: "192.0.2.9" }), { address, namedBy: "192.0.2.9" });
  assert.deepEqual(readCandidate({ address, more: 1 }), { address, namedBy: undefined });
});

Deno.test("readCandidate() goes by the parts of an address, whatever its text says", () => {
  const address = { ip: "::ffff:10.0.0.1", port: 1, family: 6, key: "192.0.2.1:6881" };
  assert.deepEqual(readCandidate({ address })?.address, parsePeerAddress("10.0.0.1:1"));
});

Deno.test("readCandidate() passes over what is no peer", () => {
  const trap = {
    get address(): never {
      throw new Error("no");
    },
  };
  const ports = [NaN, 0, -1, 1.5, 65536, Infinity, "6881", null, 1n];
  const nonsense = [
    undefined,
    null,
    1,
    "192.0.2.1:6881",
    [],
    {},
    trap,
    { address: null },
    { address: "192.0.2.1:6881" },
    { address: { ip: "router.example", port: 1 } },
    { address: { ip: 1, port: 1 } },
    { address: { ip: "192.0.2.1", port: 1 }, namedBy: 7 },
    ...ports.map((port) => ({ address: { ip: "192.0.2.1", port } })),
  ];
  for (const value of nonsense) assert.equal(readCandidate(value), undefined);
});
