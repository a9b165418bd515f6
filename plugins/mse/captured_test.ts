import assert from "node:assert/strict";
import { decodeHandshake, fromHex, HANDSHAKE_LENGTH, toHex } from "weft";
import { SeededRandom } from "../../core/host/memory/random.ts";
import { type Cipher, MseHandshake } from "./handshake.ts";
import { secretOf } from "./test_ends.ts";

// tests/fixtures/mse/README.md says how they were captured.
const fixtures = new URL("../../tests/fixtures/mse/", import.meta.url);
const infoHash = fromHex("d3a707a8b44a3aed6fdc96ec9dea2a265ca4beea");
const captured: [client: string, role: "accepts" | "dials", cipher: Cipher, peerId: string][] = [
  ["libtorrent", "accepts", "rc4", "-LT2080-"],
  ["libtorrent", "accepts", "plaintext", "-LT2080-"],
  ["libtorrent", "dials", "rc4", "-LT2080-"],
  ["libtorrent", "dials", "plaintext", "-LT2080-"],
  ["aria2", "accepts", "rc4", "A2-1-36-0-"],
  ["aria2", "accepts", "plaintext", "A2-1-36-0-"],
  ["transmission", "accepts", "rc4", "-TR3000-"],
];

/** Our side, with the randomness that it had then. */
function end(role: "accepts" | "dials", cipher: Cipher): MseHandshake {
  const ciphers = [cipher];
  return role === "accepts"
    ? MseHandshake.dialing({ infoHash, ciphers, random: new SeededRandom("mse fixtures, dialing") })
    : MseHandshake.accepting({
      secretOf: secretOf([infoHash]),
      ciphers,
      random: new SeededRandom("mse fixtures, accepting"),
    });
}

for (const [client, role, cipher, peerId] of captured) {
  Deno.test(`what ${client} sent when it ${role} with ${cipher} leads to its handshake, however it is cut`, () => {
    const bytes = Deno.readFileSync(new URL(`${client}_${role}_${cipher}.bin`, fixtures));
    for (const cut of [1, 50, 96, bytes.length]) {
      const ours = end(role, cipher);
      let at = 0;
      while (!ours.agreement) ours.receive(bytes.slice(at, at += cut));
      const { agreement } = ours;
      assert.equal(agreement.cipher, cipher);
      const stream = Uint8Array.of(...agreement.rest, ...bytes.subarray(at));
      agreement.receive.crypt(cipher === "rc4" ? stream : stream.subarray(0, agreement.initial));
      const handshake = decodeHandshake(stream.subarray(0, HANDSHAKE_LENGTH));
      assert.deepEqual(handshake.infoHash.bytes, infoHash);
      assert.ok(toHex(handshake.peerId).startsWith(toHex(new TextEncoder().encode(peerId))), toHex(handshake.peerId));
    }
  });
}
