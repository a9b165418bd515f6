import assert from "node:assert/strict";
import { peerAddress } from "../../wire/mod.ts";
import { allowedFastSet } from "./allowed_fast.ts";

const infoHash = new Uint8Array(20).fill(0xaa);

Deno.test("allowedFastSet() gives the sets that BEP 6 lists", () => {
  const address = peerAddress("80.4.4.200", 6881);
  assert.deepEqual(allowedFastSet(address, infoHash, 1313, 7), [1059, 431, 808, 1217, 287, 376, 1188]);
  assert.deepEqual(allowedFastSet(address, infoHash, 1313, 9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
});

Deno.test("allowedFastSet() has every piece of a small torrent, and none for IPv6", () => {
  assert.equal(allowedFastSet(peerAddress("80.4.4.200", 1), infoHash, 3).length, 3);
  assert.deepEqual(allowedFastSet(peerAddress("2001:db8::1", 1), infoHash, 100), []);
});
