import assert from "node:assert/strict";
import { MessageWriter } from "./message_writer.ts";
import { fromHex, toHex } from "./text.ts";

const CASES: [name: string, write: (writer: MessageWriter) => void, hex: string][] = [
  ["keepAlive", (writer) => writer.keepAlive(), "00000000"],
  ["choke", (writer) => writer.choke(), "0000000100"],
  ["unchoke", (writer) => writer.unchoke(), "0000000101"],
  ["interested", (writer) => writer.interested(), "0000000102"],
  ["notInterested", (writer) => writer.notInterested(), "0000000103"],
  ["have", (writer) => writer.have(0x01020304), "000000050401020304"],
  ["bitfield", (writer) => writer.bitfield(fromHex("f0")), "0000000205f0"],
  ["request", (writer) => writer.request(1, 0x4000, 0x4000), "0000000d06000000010000400000004000"],
  ["blockHeader", (writer) => writer.blockHeader(1, 2, 3), "0000000c070000000100000002"],
  ["cancel", (writer) => writer.cancel(1, 2, 3), "0000000d08000000010000000200000003"],
  ["port", (writer) => writer.port(6881), "00000003091ae1"],
  ["suggest", (writer) => writer.suggest(1), "000000050d00000001"],
  ["haveAll", (writer) => writer.haveAll(), "000000010e"],
  ["haveNone", (writer) => writer.haveNone(), "000000010f"],
  ["reject", (writer) => writer.reject(1, 2, 3), "0000000d10000000010000000200000003"],
  ["allowedFast", (writer) => writer.allowedFast(1), "000000051100000001"],
  ["extended", (writer) => writer.extended(3, fromHex("6465")), "0000000414036465"],
];

for (const [name, write, hex] of CASES) {
  Deno.test(`MessageWriter writes ${name} as its BEP has it`, () => {
    const writer = new MessageWriter();
    write(writer);
    assert.equal(toHex(writer.take()), hex);
    assert.equal(writer.length, hex.length / 2);
  });
}

Deno.test("MessageWriter keeps what it wrote when it grows", () => {
  const writer = new MessageWriter();
  for (let piece = 0; piece < 1000; piece++) writer.have(piece);
  assert.equal(toHex(writer.take().subarray(-9)), "0000000504000003e7");
  assert.equal(toHex(writer.take().subarray(0, 9)), "000000050400000000");
});

Deno.test("MessageWriter starts over after reset() and lets a large buffer go", () => {
  const writer = new MessageWriter();
  writer.blockHeader(0, 0, 1024 * 1024);
  writer.reserve(1024 * 1024);
  writer.reset();
  assert.equal(writer.length, 0);
  writer.have(0xfffffffe);
  assert.equal(toHex(writer.take()), "0000000504fffffffe");
  assert.ok(writer.take().buffer.byteLength < 1024 * 1024);
});
