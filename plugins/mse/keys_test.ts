import assert from "node:assert/strict";
import { fromHex, sha1, toHex, utf8Encode } from "weft";
import { startCiphers, swarmHash, syncHash, veil } from "./keys.ts";

const secret = new Uint8Array(96).fill(7);
const infoHash = fromHex("0123456789abcdef0123456789abcdef01234567");

const sha1Of = (...parts: readonly Uint8Array[]): Uint8Array =>
  sha1(Uint8Array.from(parts.flatMap((part) => [...part])));

Deno.test("hashes are those of a tag and what it stands for", () => {
  assert.deepEqual(syncHash(secret), sha1Of(utf8Encode("req1"), secret));
  assert.deepEqual(swarmHash(infoHash), sha1Of(utf8Encode("req2"), infoHash));
});

Deno.test("veil() hides a swarm's hash under the secret, and shows it again", () => {
  const hidden = veil(swarmHash(infoHash), secret);
  assert.notDeepEqual(hidden, swarmHash(infoHash));
  assert.deepEqual(veil(hidden, secret), swarmHash(infoHash));
});

Deno.test("startCiphers() keys each direction by itself, and begins behind the first 1024 bytes", () => {
  // By another implementation: keys SHA-1("keyA", S, SKEY) and SHA-1("keyB", S, SKEY), bytes 1024 to 1031.
  const { fromDialer, toDialer } = startCiphers(secret, infoHash);
  const [a, b] = [new Uint8Array(8), new Uint8Array(8)];
  fromDialer.crypt(a);
  toDialer.crypt(b);
  assert.deepEqual([toHex(a), toHex(b)], ["1985737210c64dbf", "ef20beaed77280b3"]);
});
