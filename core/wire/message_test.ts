import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { decodeExtendedHandshake } from "./extended.ts";
import { decodeHandshake, HANDSHAKE_LENGTH } from "./handshake.ts";
import { MessageDecoder, type MessageSink } from "./message.ts";
import { MessageWriter } from "./message_writer.ts";
import { fromHex, toHex } from "./text.ts";

const LIMITS = { maxFrame: 256 * 1024 + 9, maxBitfield: 100, maxExtended: 1000 };
const SINGLE = "d3a707a8b44a3aed6fdc96ec9dea2a265ca4beea";

type Event = [name: string, ...args: unknown[]];

/** Writes down what a decoder says; the fragments of a block become one event. */
function recorder(): { sink: MessageSink; events: Event[] } {
  const events: Event[] = [];
  let block: number[] = [];
  const note = (name: string) => (...args: unknown[]): void => {
    events.push([name, ...args.map((arg) => arg instanceof Uint8Array ? toHex(arg) : arg)]);
  };
  const names = [
    "keepAlive",
    "choke",
    "unchoke",
    "interested",
    "notInterested",
    "have",
    "bitfield",
    "request",
    "block",
  ];
  const more = ["cancel", "port", "suggest", "haveAll", "haveNone", "reject", "allowedFast", "extended"];
  const notes = Object.fromEntries([...names, ...more].map((name) => [name, note(name)]));
  const sink = {
    ...notes,
    payload: (view: Uint8Array): void => {
      block.push(...view);
    },
    blockEnd: (): void => {
      events.push(["blockEnd", toHex(Uint8Array.from(block))]);
      block = [];
    },
  } as unknown as MessageSink;
  return { sink, events };
}

function decodeAll(parts: readonly Uint8Array[]): Event[] {
  const { sink, events } = recorder();
  const decoder = new MessageDecoder(sink, LIMITS);
  for (const part of parts) {
    const reused = part.slice();
    decoder.push(reused);
    reused.fill(0xee); // nothing may be read later from what was pushed
  }
  return events;
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length];
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const one = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<Event> => value.map((x): Event => [name, x]);
const range = (name: string): fc.Arbitrary<Event> => fc.tuple(u32, u32, u32).map((args): Event => [name, ...args]);
const hex = (maxLength: number) => fc.uint8Array({ maxLength }).map(toHex);
const message: fc.Arbitrary<Event[]> = fc.oneof(
  fc.constantFrom("keepAlive", "choke", "unchoke", "interested", "notInterested", "haveAll", "haveNone")
    .map((name): Event[] => [[name]]),
  fc.oneof(one("have", u32), one("suggest", u32), one("allowedFast", u32), one("port", fc.nat(65535))).map((e) => [e]),
  fc.oneof(range("request"), range("cancel"), range("reject"), one("bitfield", hex(100))).map((e) => [e]),
  fc.tuple(fc.nat(255), hex(300)).map(([id, payload]): Event[] => [["extended", id, payload]]),
  fc.tuple(u32, u32, hex(300)).map(([piece, begin, data]): Event[] => [
    ["block", piece, begin, data.length / 2],
    ["blockEnd", data],
  ]),
);

function write(writer: MessageWriter, events: readonly Event[]): void {
  for (const [name, ...args] of events) {
    const values = args.map((arg) => typeof arg === "string" ? fromHex(arg) : arg);
    if (name === "block") {
      writer.blockHeader(...values as [number, number, number]);
    } else if (name === "blockEnd") {
      const data = values[0] as Uint8Array;
      writer.reserve(data.length).set(data);
    } else {
      (writer as unknown as Record<string, (...values: unknown[]) => void>)[name](...values);
    }
  }
}

Deno.test("MessageDecoder gives the messages that were written, however the stream is cut", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), sizes, (messages, sizes) => {
      const events = messages.flat();
      const writer = new MessageWriter();
      write(writer, events);
      assert.equal(writer.take().length, writer.length);
      assert.deepEqual(decodeAll([writer.take()]), events);
      assert.deepEqual(decodeAll(cut(writer.take(), [1])), events);
      assert.deepEqual(decodeAll(cut(writer.take(), sizes)), events);
    }),
    { numRuns: 300 },
  );
});

Deno.test("MessageDecoder passes a block's payload on as views of the pushed bytes", () => {
  const writer = new MessageWriter();
  writer.blockHeader(1, 2, 1000);
  writer.reserve(1000).fill(7);
  const pushed = writer.take().slice();
  const views: Uint8Array[] = [];
  const { sink } = recorder();
  new MessageDecoder({ ...sink, payload: (view) => void views.push(view) }, LIMITS).push(pushed);
  assert.deepEqual(views.map((view) => [view.buffer === pushed.buffer, view.byteOffset, view.length]), [[
    true,
    13,
    1000,
  ]]);
});

Deno.test("MessageDecoder throws on a wrong length as soon as the id is known", () => {
  const cases = {
    "0000000900": "choke: length must be 1, current value is 9",
    "0000000904": "have: length must be 5, current value is 9",
    "0000000c06": "request: length must be 13, current value is 12",
    "0000000807": "piece: length must be 9 to 262153, current value is 8",
    "0004000a07": "piece: length must be 9 to 262153, current value is 262154",
    "0000006605": "bitfield: length must be 1 to 101, current value is 102",
    "0000000114": "extended: length must be 2 to 1002, current value is 1",
    "ffffffff14": "extended: length must be 2 to 1002, current value is 4294967295",
    "0000000409": "port: length must be 3, current value is 4",
    "000000020e": "haveAll: length must be 1, current value is 2",
    "ffffffff63": "message 99: length must be 1 to 262153, current value is 4294967295",
  };
  for (const [bytes, what] of Object.entries(cases)) {
    for (const parts of [[fromHex(bytes)], cut(fromHex(bytes), [1])]) {
      assert.throws(() => decodeAll(parts), new ProtocolError(`Cannot decode ${what}`));
    }
  }
});

Deno.test("MessageDecoder skips ids it doesn't know, those of BEP 52 among them", () => {
  const bytes = fromHex("00000003150102" + "00000001ff" + "0000000101");
  for (const size of [1, 2, 100]) assert.deepEqual(decodeAll(cut(bytes, [size])), [["unchoke"]]);
});

Deno.test("maxBitfield may change when the number of pieces is learned", () => {
  const { sink, events } = recorder();
  const decoder = new MessageDecoder(sink, LIMITS);
  decoder.maxBitfield = 1;
  decoder.push(fromHex("0000000205ff"));
  assert.deepEqual(events, [["bitfield", "ff"]]);
  assert.throws(() => decoder.push(fromHex("0000000305ffff")), ProtocolError);
  assert.equal(LIMITS.maxBitfield, 100);
});

Deno.test("MessageDecoder fed any bytes reads messages or throws ProtocolError", () => {
  const frame = fc.tuple(fc.nat(40), fc.nat(25), fc.uint8Array({ maxLength: 40 }))
    .map(([length, id, body]) => Uint8Array.of(0, 0, 0, length, id, ...body));
  fc.assert(fc.property(fc.array(fc.oneof(frame, fc.uint8Array()), { maxLength: 20 }), (parts) => {
    try {
      decodeAll(parts);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }));
});

const capture = (name: string): Uint8Array =>
  Deno.readFileSync(new URL(`../../tests/fixtures/peer/${name}.bin`, import.meta.url));

for (const [name, client] of Object.entries({ libtorrent: "libtorrent/2.0.8.0", aria2: "aria2/1.36.0" })) {
  for (const role of ["seeder", "leecher"]) {
    Deno.test(`the messages of a real ${name} ${role} decode`, () => {
      const bytes = capture(`${name}_${role}`);
      const handshake = decodeHandshake(bytes.subarray(0, HANDSHAKE_LENGTH));
      assert.equal(handshake.infoHash.hex, SINGLE);
      assert.ok(handshake.extended && handshake.fast);
      const events = decodeAll(cut(bytes.subarray(HANDSHAKE_LENGTH), [7, 1, 100]));
      assert.deepEqual(events, decodeAll([bytes.subarray(HANDSHAKE_LENGTH)]));
      const [, id, payload] = events.find(([event]) => event === "extended")!;
      const hello = decodeExtendedHandshake(fromHex(payload as string));
      assert.equal(id, 0);
      assert.equal(hello.v, client);
      assert.ok(hello.m.get("ut_metadata")! > 0 && hello.metadataSize! > 0);
      const names = events.map(([event]) => event);
      if (role === "seeder") {
        const block = events[names.indexOf("blockEnd")][1] as string;
        assert.ok(names.includes("haveAll") && names.includes("unchoke") && block.length > 0);
      } else {
        assert.ok(names.includes("interested") && names.includes("request"), names.join());
      }
    });
  }
}
