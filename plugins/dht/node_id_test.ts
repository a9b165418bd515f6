import assert from "node:assert/strict";
import fc from "fast-check";
import { byteString, fromHex, parseIp, utf8Encode } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { compareDistance, crc32c, isSecureId, randomId, randomIdSharing, secureId, sharedBits } from "./node_id.ts";

const random = new SeededRandom(1);
const ids = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(byteString);

Deno.test("crc32c() gives the check value of CRC-32C", () => {
  assert.equal(crc32c(utf8Encode("123456789")), 0xe3069283);
});

Deno.test("isSecureId() takes the ids of BEP 42's test vectors, and refuses them at other addresses", () => {
  const vectors = {
    "124.31.75.21": "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401",
    "21.75.31.124": "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256",
    "65.23.51.170": "a5d43220bc8f112a3d426c84764f8c2a1150e616",
    "84.124.73.14": "1b0321dd1bb1fe518101ceef99462b947a01ff41",
    "43.213.53.83": "e56f6cbf5b7c4be0237986d5243b87aa6d51305a",
  };
  for (const [ip, hex] of Object.entries(vectors)) {
    const id = byteString(fromHex(hex));
    assert.ok(isSecureId(id, parseIp(ip)!.bytes), ip);
    assert.ok(!isSecureId(id, parseIp("192.0.2.77")!.bytes), ip);
  }
});

Deno.test("secureId() gives ids that fit, also over IPv6", () => {
  for (const ip of ["203.0.113.9", "2001:db8::9", "2a00:1450:4001:81b::200e"]) {
    const id = secureId(ip, random);
    assert.equal(id.length, 20);
    assert.ok(isSecureId(id, parseIp(ip)!.bytes));
  }
});

Deno.test("sharedBits() and compareDistance() agree: who shares more leading bits is closer", () => {
  fc.assert(fc.property(ids, ids, ids, (target, a, b) => {
    assert.equal(sharedBits(target, target), 160);
    assert.equal(Math.sign(compareDistance(target, a, b)), -Math.sign(compareDistance(target, b, a)));
    if (sharedBits(target, a) > sharedBits(target, b)) assert.ok(compareDistance(target, a, b) < 0);
    assert.ok(compareDistance(target, target, a) <= 0);
  }));
});

Deno.test("randomIdSharing() shares exactly so many bits", () => {
  const id = randomId(random);
  for (let bits = 0; bits < 160; bits++) assert.equal(sharedBits(id, randomIdSharing(id, bits, random)), bits);
});
