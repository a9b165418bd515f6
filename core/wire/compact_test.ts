import assert from "node:assert/strict";
import fc from "fast-check";
import { decodePeers4, decodePeers6, encodePeers4, encodePeers6 } from "./compact.ts";
import { parsePeerAddress, peerAddressFromBytes } from "./peer_address.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const port = fc.integer({ min: 1, max: 65535 });

Deno.test("decodePeers4() and decodePeers6() read what was encoded", () => {
  const addresses = fc.array(
    fc.tuple(fc.oneof(bytes(4), bytes(16)), port).map(([ip, p]) => peerAddressFromBytes(ip, p)),
  );
  fc.assert(fc.property(addresses, (list) => {
    assert.deepEqual(decodePeers4(encodePeers4(list)), list.filter(({ family }) => family === 4));
    assert.deepEqual(decodePeers6(encodePeers6(list)), list.filter(({ family }) => family === 6));
  }));
});

Deno.test("decodePeers4() reads the bytes of BEP 23 and skips port 0", () => {
  const peers = decodePeers4(Uint8Array.of(192, 0, 2, 1, 0x1a, 0xe1, 192, 0, 2, 2, 0, 0));
  assert.deepEqual(peers, [parsePeerAddress("192.0.2.1:6881")]);
});

Deno.test("decodePeers6() gives IPv4-mapped peers as IPv4", () => {
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1, 0x1a, 0xe1);
  assert.deepEqual(decodePeers6(mapped), [parsePeerAddress("192.0.2.1:6881")]);
});

Deno.test("decodePeers4() and decodePeers6() read the whole entries before a stray byte", () => {
  const stray = Uint8Array.of(192, 0, 2, 1, 0x1a, 0xe1, 9);
  assert.deepEqual(decodePeers4(stray), [parsePeerAddress("192.0.2.1:6881")]);
  assert.deepEqual(decodePeers6(stray), []);
});
