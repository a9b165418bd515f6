import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, parsePeerAddress, peerAddressFromBytes, ProtocolError, toHex } from "weft";
import { decodeHolepunch, encodeHolepunch, HolepunchError, type HolepunchMessage } from "./codec.ts";

const four = parsePeerAddress("192.0.2.1:6881");
const six = parsePeerAddress("[2001:db8::7]:51413");

Deno.test("encodeHolepunch() lays messages out as BEP 55 does", () => {
  assert.equal(toHex(encodeHolepunch({ kind: "rendezvous", address: four })), "0000c00002011ae100000000");
  assert.equal(
    toHex(encodeHolepunch({ kind: "connect", address: six })),
    "010120010db8000000000000000000000007c8d500000000",
  );
  const error: HolepunchMessage = { kind: "error", address: four, code: HolepunchError.noSupport };
  assert.equal(toHex(encodeHolepunch(error)), "0200c00002011ae100000003");
});

Deno.test("decodeHolepunch() reads back every message, in both families", () => {
  const address = fc.tuple(
    fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
    fc.integer({ min: 1, max: 65535 }),
  ).map(([ip, port]) => peerAddressFromBytes(ip, port));
  const message = fc.oneof(
    fc.record({ kind: fc.constantFrom("rendezvous" as const, "connect" as const), address }),
    fc.record({ kind: fc.constant("error" as const), address, code: fc.nat(0xffffffff) }),
  );
  fc.assert(fc.property(message, (message) => {
    assert.deepEqual(decodeHolepunch(encodeHolepunch(message)), { ...message });
  }));
});

Deno.test("decodeHolepunch() does without the code where there is no error, and with more than it knows", () => {
  assert.deepEqual(decodeHolepunch(fromHex("0100c00002011ae1")), { kind: "connect", address: four });
  assert.deepEqual(decodeHolepunch(fromHex("0100c00002011ae100000000ffff")), { kind: "connect", address: four });
});

Deno.test("decodeHolepunch() passes over kinds that it doesn't know, and port 0", () => {
  for (const hex of ["0300c00002011ae1", "0002c00002011ae1", "0000c00002010000"]) {
    assert.equal(decodeHolepunch(fromHex(hex)), undefined, hex);
  }
});

Deno.test("decodeHolepunch() refuses what ends early, and nothing makes it fail otherwise", () => {
  for (const hex of ["", "00", "0000c00002011a", "0001c00002011ae100000000", "0200c00002011ae1000000"]) {
    assert.throws(() => decodeHolepunch(fromHex(hex)), /expected at least \d+ bytes, got \d+/, hex);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (payload) => {
    try {
      decodeHolepunch(payload);
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
    }
  }));
});
