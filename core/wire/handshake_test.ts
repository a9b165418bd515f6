import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { decodeHandshake, encodeHandshake, HANDSHAKE_LENGTH, isHandshakePrefix, PROTOCOL } from "./handshake.ts";
import { InfoHash } from "./torrent_id.ts";

const id = fc.uint8Array({ minLength: 20, maxLength: 20 });
const flags = fc.record({ extended: fc.boolean(), fast: fc.boolean(), dht: fc.boolean() }, { noNullPrototype: true });

Deno.test("decodeHandshake() reads what encodeHandshake() writes", () => {
  fc.assert(fc.property(id, id, flags, (hash, peerId, reserved) => {
    const infoHash = InfoHash.from(hash);
    const bytes = encodeHandshake({ infoHash, peerId, reserved });
    assert.equal(bytes.length, HANDSHAKE_LENGTH);
    const { extended, fast, dht, ...rest } = decodeHandshake(bytes);
    assert.deepEqual({ extended, fast, dht }, reserved);
    assert.deepEqual([rest.infoHash, rest.peerId], [infoHash, peerId]);
    for (let cut = 0; cut <= bytes.length; cut++) assert.ok(isHandshakePrefix(bytes.subarray(0, cut)));
  }));
});

Deno.test("decodeHandshake() throws on another length or protocol", () => {
  assert.throws(() => decodeHandshake(new Uint8Array(67)), ProtocolError);
  assert.throws(() => decodeHandshake(new Uint8Array(68)), new RegExp(PROTOCOL));
  assert.ok(!isHandshakePrefix(Uint8Array.of(0x13, 0x62)));
});
