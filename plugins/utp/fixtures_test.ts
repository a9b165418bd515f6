import assert from "node:assert/strict";
import { decodeHandshake } from "weft";
import { HEADER_LENGTH, type Packet, PacketType, readPacket } from "./packet.ts";

const folder = new URL("../../tests/fixtures/utp/", import.meta.url);

function fixture(name: string): { bytes: Uint8Array; packet: Packet } {
  const bytes = Deno.readFileSync(new URL(`${name}.bin`, folder));
  return { bytes, packet: readPacket(bytes)! };
}

Deno.test("packets of libtorrent, Transmission and libutp are read whole", () => {
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".bin")) continue;
    const [, kind] = name.split(/[_.]/);
    const { packet } = fixture(name.slice(0, -4));
    assert.equal(packet?.type, PacketType[kind as keyof typeof PacketType], name);
    assert.ok(packet.window > 0 || kind === "reset", name);
  }
});

Deno.test("the first data of a connection is a handshake", () => {
  for (const client of ["libtorrent", "transmission", "libutp"]) {
    const { bytes, packet } = fixture(`${client}_data`);
    assert.equal(decodeHandshake(bytes.subarray(packet.data, packet.data + 68)).infoHash.bytes.length, 20, client);
  }
});

Deno.test("a selective ack is read, one of a single byte too, with data behind it or not", () => {
  for (const [name, length] of [["libtorrent_state_sack", 1], ["libtorrent_data_sack", 4]] as const) {
    const { bytes, packet } = fixture(name);
    assert.deepEqual([packet.sackLength, packet.data], [length, HEADER_LENGTH + 2 + length]);
    assert.ok(bytes[packet.sack] !== 0);
  }
});

Deno.test("extension bits are skipped", () => {
  const { bytes, packet } = fixture("transmission_state_bits");
  assert.deepEqual([bytes[1], packet.data, packet.sackLength], [2, bytes.length, 0]);
});
