import assert from "node:assert/strict";
import fc from "fast-check";
import { peerAddress, peerAddressFromBytes } from "../../wire/mod.ts";
import { crc32c, peerPriority } from "./priority.ts";

const rank = (a: string, b: string) => peerPriority(peerAddress(a, 6881), peerAddress(b, 6881));

Deno.test("crc32c() gives the check value of its standard", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

Deno.test("peerPriority() gives the values in BEP 40", () => {
  assert.equal(rank("123.213.32.10", "98.76.54.32"), 0xec2d7224);
  assert.equal(rank("123.213.32.10", "123.213.32.234"), 0x99568189);
});

Deno.test("peerPriority() masks less the nearer two addresses are", () => {
  assert.equal(rank("10.0.0.1", "20.0.0.0"), rank("10.0.0.1", "20.0.170.170"), "far: only every other bit counts");
  assert.notEqual(rank("10.0.0.1", "10.0.2.0"), rank("10.0.0.1", "10.0.8.0"), "one /16: the third byte counts whole");
  assert.equal(rank("10.0.0.1", "10.0.2.0"), rank("10.0.0.1", "10.0.2.170"));
  assert.notEqual(rank("10.0.0.1", "10.0.0.0"), rank("10.0.0.1", "10.0.0.170"), "one /24: all of it counts");
  assert.equal(rank("2001:db8::1", "2001:db9:1:2::"), rank("2001:db8::1", "2001:db9:1:a8::"));
  assert.notEqual(rank("2001:db8::1", "2001:db8:0:200::"), rank("2001:db8::1", "2001:db8:0:a00::"));
});

Deno.test("peerPriority() of two peers behind one address goes by their ports", () => {
  const [a, b] = [peerAddress("1.2.3.4", 1000), peerAddress("1.2.3.4", 50_000)];
  assert.equal(peerPriority(a, b), crc32c(Uint8Array.of(1000 >> 8, 1000 & 255, 50_000 >> 8, 50_000 & 255)));
});

Deno.test("peerPriority() is the same from either side", () => {
  const address = fc.tuple(
    fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
    fc.integer({ min: 1, max: 65_535 }),
  ).map(([bytes, port]) => peerAddressFromBytes(bytes, port));
  fc.assert(fc.property(address, address, (a, b) => {
    const value = peerPriority(a, b);
    assert.equal(peerPriority(b, a), value);
    assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32);
  }));
});
