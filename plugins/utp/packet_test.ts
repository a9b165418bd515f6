import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addSelectiveAck,
  HEADER_LENGTH,
  PacketType,
  padPacket,
  readPacket,
  stateLength,
  writeHeader,
} from "./packet.ts";

const header = {
  type: PacketType.data,
  id: 0xabcd,
  timestamp: 0xfedcba98,
  difference: 0x01020304,
  window: 0xffffffff,
  seq: 0xffff,
  ack: 0x8001,
};

Deno.test("a packet reads as it was written", () => {
  const bytes = new Uint8Array(HEADER_LENGTH + 3);
  writeHeader(bytes, header);
  assert.deepEqual(readPacket(bytes), { ...header, data: HEADER_LENGTH, sack: 0, sackLength: 0 });
  assert.equal(bytes[0], 0x01);
});

Deno.test("a selective ack is found, also behind other extensions", () => {
  const bytes = new Uint8Array(stateLength(4));
  writeHeader(bytes, { ...header, type: PacketType.state });
  addSelectiveAck(bytes, 4).set([1, 2, 3, 4]);
  const packet = readPacket(bytes)!;
  assert.deepEqual([...bytes.subarray(packet.sack, packet.sack + packet.sackLength)], [1, 2, 3, 4]);
  assert.equal(packet.data, bytes.length);
  const longer = new Uint8Array([...bytes.subarray(0, HEADER_LENGTH), 1, 2, 9, 9, ...bytes.subarray(HEADER_LENGTH)]);
  longer[1] = 2;
  assert.equal(readPacket(longer)?.sack, packet.sack + 4);
});

Deno.test("readPacket() refuses other versions and types, and what is cut", () => {
  const bytes = new Uint8Array(HEADER_LENGTH);
  writeHeader(bytes, header);
  assert.equal(readPacket(bytes.subarray(0, 19)), undefined);
  assert.equal(readPacket(bytes.with(0, 0x02)), undefined);
  assert.equal(readPacket(bytes.with(0, 0x51)), undefined);
  assert.equal(readPacket(bytes.with(1, 1)), undefined, "its extension is missing");
  assert.equal(readPacket(new Uint8Array([...bytes.with(1, 1), 0, 5, 1])), undefined, "its extension is cut");
});

Deno.test("readPacket() reads any bytes, and never beyond them", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    const packet = readPacket(bytes.length > 0 ? bytes.with(0, bytes[0] & 0x70 | 1) : bytes);
    if (packet) assert.ok(packet.data <= bytes.length && packet.sack + packet.sackLength <= bytes.length);
  }));
});

Deno.test("padPacket() gives any length with the same data, or none", () => {
  const bytes = new Uint8Array(HEADER_LENGTH + 3).fill(7);
  writeHeader(bytes, header);
  assert.equal(padPacket(bytes, bytes.length + 11), undefined);
  for (let length = bytes.length + 12; length <= 1_472; length++) {
    const padded = padPacket(bytes, length)!;
    const packet = readPacket(padded)!;
    assert.equal(padded.length, length);
    assert.deepEqual([...padded.subarray(packet.data)], [7, 7, 7]);
    assert.equal(padded[1], 2, "libutp takes no other first extension");
  }
});
