import assert from "node:assert/strict";
import fc from "fast-check";
import { Bitfield, type ExtendedHandshake, MessageWriter, ProtocolError } from "../../wire/mod.ts";
import { BLOCK_SIZE, blockSize, type PieceShape } from "../pieces/blocks.ts";
import { MAX_UPLOAD_QUEUE, PeerMachine, type PeerMachineEvents } from "./machine.ts";

/** Four pieces of two blocks; the last has one block of 100 bytes. */
const shape: PieceShape = {
  pieceCount: 4,
  pieceLength: 2 * BLOCK_SIZE,
  pieceSize: (piece) => piece === 3 ? 100 : 2 * BLOCK_SIZE,
};

/** Notes every event as text. */
class Notes implements PeerMachineEvents {
  readonly all: string[] = [];
  readonly bytes: number[] = [];
  wanted = true;

  peerPiecesChanged(before: Bitfield): void {
    this.all.push(`pieces changed from ${before.count}`);
  }
  peerHas(piece: number): void {
    this.all.push(`has ${piece}`);
  }
  peerInterest(interested: boolean): void {
    this.all.push(`interest ${interested}`);
  }
  choked(): void {
    this.all.push("choked");
  }
  unchoked(): void {
    this.all.push("unchoked");
  }
  blockBegins(piece: number, block: number, late: boolean): boolean {
    this.all.push(`begins ${piece}:${block}${late ? " late" : ""}`);
    return this.wanted;
  }
  blockBytes(_piece: number, _begin: number, bytes: Uint8Array): void {
    this.bytes.push(...bytes);
  }
  blockEnds(piece: number, block: number, wanted: boolean): void {
    this.all.push(`ends ${piece}:${block}${wanted ? "" : " unwanted"}`);
  }
  requestLost(piece: number, block: number, rejected: boolean): void {
    this.all.push(`${rejected ? "rejected" : "lost"} ${piece}:${block}`);
  }
  unrequested(length: number): void {
    this.all.push(`unrequested ${length}`);
  }
  uploadWanted(): void {
    this.all.push("upload wanted");
  }
  allowedFast(piece: number): void {
    this.all.push(`allows ${piece}`);
  }
  dhtPort(port: number): void {
    this.all.push(`port ${port}`);
  }
  extendedHandshake({ v }: ExtendedHandshake): void {
    this.all.push(`extended handshake ${v}`);
  }
  extensionMessage(name: string, payload: Uint8Array): void {
    this.all.push(`extension ${name} ${payload}`);
  }
  /** What was noted since the last call. */
  take(): string[] {
    return this.all.splice(0);
  }
}

class Side {
  readonly notes = new Notes();
  readonly machine: PeerMachine;

  constructor(options: { fast?: boolean; extended?: boolean; shape?: PieceShape | undefined } = {}) {
    const { fast = true, extended = true } = options;
    this.machine = new PeerMachine({
      shape: "shape" in options ? options.shape : shape,
      fast,
      extended,
      events: this.notes,
    });
  }

  /** Hands what this side has to say to the other, `step` bytes at a time. */
  tell(other: Side, now = 0, step = Infinity): void {
    const writer = this.machine.pollTransmit();
    const bytes = writer.take().slice();
    this.machine.written(writer, true);
    for (let at = 0; at < bytes.length; at += step) other.machine.receive(now, bytes.subarray(at, at + step));
  }

  /** Serves what the other asked for, with bytes of `fill`. */
  serve(fill = 7): void {
    const writer = this.machine.pollTransmit();
    for (const { piece, begin, length } of this.machine.uploads.splice(0)) {
      writer.blockHeader(piece, begin, length);
      writer.reserve(length).fill(fill);
    }
    this.sending = writer.take().slice();
    this.machine.written(writer, true);
  }
  sending = new Uint8Array(0);
}

function pair(options: { fast?: boolean; extended?: boolean } = {}): [Side, Side] {
  return [new Side(options), new Side(options)];
}

/** Bytes of messages. */
function message(write: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter();
  write(writer);
  return writer.take().slice();
}

function refusal(side: Side, write: (writer: MessageWriter) => void): string {
  try {
    side.machine.receive(0, message(write));
  } catch (error) {
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
  return "";
}

function bits(...pieces: number[]): Bitfield {
  const field = new Bitfield(shape.pieceCount);
  for (const piece of pieces) field.set(piece);
  return field;
}

/** `b` has all and unchoked `a`. */
function served(options: { fast?: boolean } = {}): [Side, Side] {
  const [a, b] = pair(options);
  b.machine.sendPieces(bits(0, 1, 2, 3));
  b.machine.setChoking(false);
  b.tell(a);
  a.machine.setInterested(true);
  a.tell(b);
  a.notes.take();
  b.notes.take();
  return [a, b];
}

for (const step of [Infinity, 1]) {
  Deno.test(`two machines exchange a block${step === 1 ? ", one byte at a time" : ""}`, () => {
    const [a, b] = pair();
    b.machine.sendPieces(bits(0, 1, 2, 3));
    a.machine.sendPieces(bits());
    b.tell(a, 0, step);
    a.tell(b, 0, step);
    assert.deepEqual(a.notes.take(), ["pieces changed from 0"]);
    assert.ok(a.machine.peerPieces.full);
    a.machine.setInterested(true);
    a.tell(b, 0, step);
    assert.deepEqual(b.notes.take(), ["interest true"]);
    b.machine.setChoking(false);
    b.tell(a, 0, step);
    assert.deepEqual(a.notes.take(), ["unchoked"]);
    a.machine.sendRequest(5, 3, 0);
    assert.equal(a.machine.oldestRequest(), 5);
    a.tell(b, 6, step);
    assert.deepEqual(b.machine.uploads, [{ piece: 3, begin: 0, length: 100 }]);
    b.serve();
    for (let at = 0; at < b.sending.length; at += step) a.machine.receive(9, b.sending.subarray(at, at + step));
    assert.deepEqual(a.notes.take(), ["begins 3:0", "ends 3:0"]);
    assert.deepEqual(a.notes.bytes, new Array(100).fill(7));
    assert.equal(a.machine.lastBlock, 9);
    assert.equal(a.machine.requested, 0);
  });
}

Deno.test("sendPieces() says all or none in one message with the fast extension, and nothing of nothing without", () => {
  for (const [fast, have, expected] of [[true, bits(), 5], [true, bits(0, 1, 2, 3), 5], [true, bits(1), 6]] as const) {
    const { machine } = new Side({ fast });
    machine.sendPieces(have);
    assert.equal(machine.pending, expected);
  }
  const plain = new Side({ fast: false });
  plain.machine.sendPieces(bits());
  assert.equal(plain.machine.pending, 0);
  plain.machine.sendPieces(bits(0, 1, 2, 3));
  assert.equal(plain.machine.pending, 6);
});

Deno.test("a choke drops what was asked for, unless the fast extension answers one by one", () => {
  const [a, b] = served({ fast: false });
  a.machine.sendRequest(0, 0, 0);
  a.tell(b);
  b.machine.setChoking(true);
  assert.equal(b.machine.uploads.length, 0);
  b.tell(a);
  assert.deepEqual(a.notes.take(), ["lost 0:0", "choked"]);

  const [c, d] = served();
  c.machine.sendRequest(0, 0, 0);
  c.machine.sendRequest(0, 1, 1);
  c.tell(d);
  d.machine.sendAllowedFast(1);
  d.machine.setChoking(true);
  d.tell(c);
  assert.deepEqual(c.notes.take(), ["allows 1", "choked", "lost 0:0"]);
});

Deno.test("a choked peer may ask for the pieces that it was allowed, and for no others", () => {
  const [a, b] = pair();
  b.machine.sendAllowedFast(2);
  b.tell(a);
  assert.deepEqual([...a.machine.peerAllowsFast], [2]);
  a.machine.sendRequest(0, 2, 1);
  a.machine.sendRequest(0, 1, 0);
  a.tell(b);
  assert.deepEqual(b.machine.uploads.map(({ piece }) => piece), [2]);
  b.tell(a);
  assert.deepEqual(a.notes.take(), ["allows 2", "lost 1:0"]);
});

Deno.test("an allowed piece that is rejected while choked is allowed no longer", () => {
  const [a, b] = pair();
  b.machine.sendAllowedFast(2);
  b.tell(a);
  a.machine.sendRequest(0, 2, 0);
  b.machine.refuse({ piece: 2, begin: 0, length: BLOCK_SIZE });
  b.tell(a);
  assert.equal(a.machine.peerAllowsFast.size, 0);
});

Deno.test("a rejection by a peer that unchoked us is told as one", () => {
  const [a, b] = served();
  a.machine.sendRequest(0, 1, 1);
  b.machine.refuse({ piece: 1, begin: BLOCK_SIZE, length: BLOCK_SIZE });
  b.tell(a);
  assert.deepEqual(a.notes.take(), ["rejected 1:1"]);
});

Deno.test("requests beyond the queue are refused", () => {
  const [a, b] = served();
  for (let i = 0; i < MAX_UPLOAD_QUEUE + 3; i++) {
    b.machine.receive(0, message((writer) => writer.request(0, 0, 1 + i)));
  }
  assert.equal(b.machine.uploads.length, MAX_UPLOAD_QUEUE);
  assert.equal(b.machine.pending, 3 * 17);
  b.tell(a);
});

Deno.test("a cancel takes back a request that waits, and is answered by a reject", () => {
  const [a, b] = served();
  a.machine.sendRequest(0, 0, 0);
  a.machine.sendRequest(0, 0, 1);
  a.machine.sendCancel(0, 0);
  a.machine.sendCancel(2, 0);
  a.tell(b);
  assert.deepEqual(b.machine.uploads, [{ piece: 0, begin: BLOCK_SIZE, length: BLOCK_SIZE }]);
  b.tell(a);
  assert.deepEqual(a.notes.take(), []);
  assert.equal(a.machine.requested, 1);
});

Deno.test("what was given up still counts when it comes, and what nobody asked for does not", () => {
  const [a] = served();
  a.machine.sendRequest(0, 0, 0);
  a.machine.giveUpRequests();
  assert.deepEqual(a.notes.take(), ["lost 0:0"]);
  const block = message((writer) => {
    writer.blockHeader(0, 0, BLOCK_SIZE);
    writer.reserve(BLOCK_SIZE);
  });
  a.machine.receive(1, block);
  assert.deepEqual(a.notes.take(), ["begins 0:0 late", "ends 0:0"]);
  a.machine.receive(2, block);
  assert.deepEqual(a.notes.take(), [`unrequested ${BLOCK_SIZE}`]);
});

Deno.test("blocks that nobody asked for are forgiven up to 16 MiB", () => {
  const [a] = served();
  const block = message((writer) => {
    writer.blockHeader(1, 0, BLOCK_SIZE);
    writer.reserve(BLOCK_SIZE);
  });
  for (let i = 0; i < 1024; i++) a.machine.receive(0, block);
  assert.throws(() => a.machine.receive(0, block), ProtocolError);
});

Deno.test("a block of another length or place than was asked for is none of ours", () => {
  const [a] = served();
  a.machine.sendRequest(0, 0, 0);
  for (const [begin, length] of [[0, BLOCK_SIZE - 1], [1, BLOCK_SIZE], [2 * BLOCK_SIZE, 10], [0, 0]]) {
    a.machine.receive(
      0,
      message((writer) => {
        writer.blockHeader(0, begin, length);
        writer.reserve(length);
      }),
    );
    assert.deepEqual(a.notes.take(), [`unrequested ${length}`]);
  }
  assert.equal(a.machine.requested, 1);
});

Deno.test("the block that is half here is lost with the connection, unless it was not wanted", () => {
  for (const wanted of [true, false]) {
    const [a] = served();
    a.notes.wanted = wanted;
    a.machine.sendRequest(0, 0, 0);
    a.machine.receive(0, message((writer) => writer.blockHeader(0, 0, BLOCK_SIZE)));
    a.machine.receive(0, new Uint8Array(10));
    assert.ok(a.machine.hasRequested(0, 0));
    a.machine.abandon();
    assert.deepEqual(a.notes.take(), wanted ? ["begins 0:0", "lost 0:0"] : ["begins 0:0"]);
  }
});

Deno.test("the rest of a block whose piece began anew is not taken", () => {
  const [a] = served();
  a.machine.sendRequest(0, 0, 0);
  a.machine.receive(0, message((writer) => writer.blockHeader(0, 0, BLOCK_SIZE)));
  a.machine.receive(0, new Uint8Array(BLOCK_SIZE / 2));
  a.machine.restartPiece(1);
  a.machine.restartPiece(0);
  a.machine.receive(0, new Uint8Array(BLOCK_SIZE / 2));
  assert.deepEqual(a.notes.take(), ["begins 0:0", "ends 0:0 unwanted"]);
  assert.equal(a.notes.bytes.length, BLOCK_SIZE / 2);
});

Deno.test("a bitfield that comes late replaces what the peer had", () => {
  const [a, b] = pair();
  b.machine.sendHave(0);
  b.machine.sendPieces(bits(1, 2));
  b.tell(a);
  assert.deepEqual(a.notes.take(), ["has 0", "pieces changed from 1"]);
  assert.deepEqual([...a.machine.peerPieces.iterate()], [1, 2]);
});

Deno.test("what breaks the protocol is refused with what was expected", () => {
  const fresh = (): Side => new Side();
  const cases: readonly (readonly [RegExp, Side, (writer: MessageWriter) => void])[] = [
    [/bitfield: length must be 1/, fresh(), (writer) => writer.bitfield(new Uint8Array(2))],
    [/bitfield: the 4 spare bits/, fresh(), (writer) => writer.bitfield(Uint8Array.of(0x08))],
    [/have: piece must be below 4, current value is 4/, fresh(), (writer) => writer.have(4)],
    [/request: piece must be below 4/, fresh(), (writer) => writer.request(2 ** 32 - 1, 0, 1)],
    [/request: 0 bytes at 0/, fresh(), (writer) => writer.request(0, 0, 0)],
    [/request: 101 bytes at 0 must lie within a piece of 100/, fresh(), (writer) => writer.request(3, 0, 101)],
    [/request: 16384 bytes at 4294967295/, fresh(), (writer) => writer.request(0, 2 ** 32 - 1, BLOCK_SIZE)],
    [/reject: piece must be below 4/, fresh(), (writer) => writer.reject(9, 0, 1)],
    [/suggest: piece must be below 4/, fresh(), (writer) => writer.suggest(4)],
    [/allowed-fast: piece must be below 4/, fresh(), (writer) => writer.allowedFast(4)],
    [/have-all: it must be the first/, fresh(), (writer) => (writer.interested(), writer.haveAll())],
    [/have-none: it must be the first/, fresh(), (writer) => (writer.haveNone(), writer.haveNone())],
    [/have-all: the handshake didn't/, new Side({ fast: false }), (writer) => writer.haveAll()],
    [/reject: the handshake didn't/, new Side({ fast: false }), (writer) => writer.reject(0, 0, 1)],
    [/extended: the handshake didn't/, new Side({ extended: false }), (writer) => writer.extended(0, Uint8Array.of(1))],
    [/request: no piece was offered/, new Side({ shape: undefined }), (writer) => writer.request(0, 0, 1)],
  ];
  for (const [expected, side, write] of cases) assert.match(refusal(side, write), expected);
});

Deno.test("a magnet's peers say what they have before the shape is known, and it counts once it is", () => {
  for (
    const [write, count] of [
      [(writer: MessageWriter) => writer.haveAll(), 4],
      [(writer: MessageWriter) => (writer.bitfield(Uint8Array.of(0xa0)), writer.have(3)), 3],
      [(writer: MessageWriter) => (writer.have(1), writer.have(1)), 1],
    ] as const
  ) {
    const side = new Side({ shape: undefined });
    side.machine.receive(0, message(write));
    assert.deepEqual(side.notes.take(), []);
    side.machine.learnShape(shape);
    assert.equal(side.machine.peerPieces.count, count);
    assert.deepEqual(side.notes.take(), ["pieces changed from 0"]);
  }
  const liar = new Side({ shape: undefined });
  liar.machine.receive(0, message((writer) => writer.bitfield(new Uint8Array(9))));
  assert.throws(() => liar.machine.learnShape(shape), ProtocolError);
  const flood = new Side({ shape: undefined });
  assert.match(
    refusal(flood, (writer) => {
      for (let i = 0; i < 10_001; i++) writer.have(i);
    }),
    /too many before the metadata/,
  );
});

Deno.test("extensions are named by the ids that each side chose, until they are withdrawn", () => {
  const [a, b] = pair();
  a.machine.sendExtendedHandshake({ m: new Map([["ut_x", 3]]), v: "A" });
  b.machine.sendExtendedHandshake({ m: new Map([["ut_x", 9], ["ut_y", 2]]), v: "B" });
  a.tell(b);
  b.tell(a);
  assert.ok(a.machine.peerOffers("ut_y") && !b.machine.peerOffers("ut_y"));
  a.machine.sendExtension("ut_x", Uint8Array.of(1));
  a.machine.sendExtension("ut_z", Uint8Array.of(2));
  a.tell(b);
  assert.deepEqual(b.notes.take(), ["extended handshake A", "extension ut_x 1"]);
  b.machine.sendExtendedHandshake({ m: new Map([["ut_x", 0]]) });
  a.machine.sendExtension("ut_x", Uint8Array.of(3));
  a.tell(b);
  assert.deepEqual(b.notes.take(), [], "a withdrawn id is ignored");
  b.tell(a);
  assert.ok(!a.machine.peerOffers("ut_x"));
});

Deno.test("a peer can't fill memory with names of extensions", () => {
  const [a, b] = pair();
  for (let round = 0; round < 10; round++) {
    b.machine.sendExtendedHandshake({ m: new Map(Array.from({ length: 50 }, (_, i) => [`x${round}_${i}`, 1 + i])) });
  }
  b.machine.sendExtendedHandshake({ m: new Map([["y".repeat(1000), 1]]) });
  b.tell(a);
  assert.ok(a.machine.peerOffers("x0_0") && !a.machine.peerOffers("x9_0"));
  assert.ok(!a.machine.peerOffers("y".repeat(1000)));
});

Deno.test("ports, suggestions, keep-alives and unknown messages break nothing", () => {
  const [a, b] = pair();
  b.machine.sendPort(6881);
  b.machine.sendPort(0);
  b.machine.sendKeepAlive();
  b.tell(a, 4);
  a.machine.receive(5, message((writer) => writer.suggest(2)));
  a.machine.receive(5, Uint8Array.of(0, 0, 0, 3, 21, 1, 2));
  assert.deepEqual(a.notes.take(), ["port 6881"]);
  assert.equal(a.machine.lastReceived, 5);
});

/** Whether everything about a machine is as it must be. */
function check({ machine }: Side): void {
  assert.ok(machine.uploads.length <= MAX_UPLOAD_QUEUE);
  for (const { piece, begin, length } of machine.uploads) {
    assert.ok(piece < 4 && length > 0 && begin + length <= shape.pieceSize(piece));
    assert.ok(!machine.amChoking || machine.weAllowFast.has(piece));
  }
  assert.equal(machine.peerPieces.count, [...machine.peerPieces.iterate()].length);
  for (const piece of machine.peerAllowsFast) assert.ok(piece < 4);
  assert.ok(machine.requested >= 0);
}

Deno.test("whatever bytes come, a machine takes them or throws ProtocolError", () => {
  const frame = fc.tuple(
    fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 21, 99),
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(fc.constantFrom(0, 1, 2, 3, 0x64, 0x65), { maxLength: 40 }).map((bytes) => Uint8Array.from(bytes)),
    ),
  ).map(([id, body]) => Uint8Array.of(0, 0, 0, 1 + body.length, id, ...body));
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.oneof({ weight: 5, arbitrary: frame }, fc.uint8Array({ maxLength: 20 })), { maxLength: 30 }),
      (fast, known, chunks) => {
        const side = new Side({ fast, shape: known ? shape : undefined });
        side.machine.setChoking(false);
        try {
          if (known) { for (let piece = 0; piece < 4; piece++) side.machine.sendRequest(0, piece, 0); }
          for (const chunk of chunks) {
            side.machine.receive(0, chunk);
            check(side);
          }
        } catch (error) {
          assert.ok(error instanceof ProtocolError, `${error}`);
        }
        side.machine.abandon();
        assert.equal(side.machine.requested, 0);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("after any exchange of valid messages, what one asked for is answered, lost, or still under way", () => {
  const command = fc.record({
    kind: fc.constantFrom("request", "request", "serve", "cancel", "choke", "unchoke", "have", "giveUp", "allow"),
    which: fc.nat(6),
  });
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(command, { maxLength: 80 }),
      fc.integer({ min: 1, max: 9000 }),
      (fast, all, step) => {
        const [a, b] = served({ fast });
        const asked = new Map<string, number>();
        for (const { kind, which } of all) {
          const piece = Math.floor(which / 2), block = which % 2;
          const { machine } = kind === "request" || kind === "cancel" || kind === "giveUp" ? a : b;
          if (kind === "request" && !a.machine.peerChoking && !machine.hasRequested(piece, block) && piece < 3) {
            machine.sendRequest(0, piece, block);
            asked.set(`${piece}:${block}`, (asked.get(`${piece}:${block}`) ?? 0) + 1);
          } else if (kind === "cancel") machine.sendCancel(Math.min(piece, 2), block);
          else if (kind === "giveUp") machine.giveUpRequests();
          else if (kind === "choke" || kind === "unchoke") machine.setChoking(kind === "choke");
          else if (kind === "allow" && fast) machine.sendAllowedFast(Math.min(piece, 3));
          else if (kind === "have") machine.sendHave(Math.min(piece, 3));
          if (kind === "serve") {
            b.serve();
            for (let at = 0; at < b.sending.length; at += step) a.machine.receive(0, b.sending.subarray(at, at + step));
          } else {
            a.tell(b, 0, step);
            b.tell(a, 0, step);
          }
          check(a);
          check(b);
        }
        b.machine.setChoking(true);
        b.tell(a);
        a.machine.abandon();
        assert.equal(a.machine.requested, 0);
        const ended = new Map<string, number>();
        for (const note of a.notes.take()) {
          const [, key] = /^(?:ends|lost|rejected) (\d+:\d+)/.exec(note) ?? [];
          if (key) ended.set(key, (ended.get(key) ?? 0) + 1);
        }
        for (const [key, count] of asked) {
          // Cancelled ones end without a word; given up ones may be answered besides.
          assert.ok((ended.get(key) ?? 0) <= 2 * count, `${key}: asked ${count} times, ended ${ended.get(key)} times`);
        }
      },
    ),
  );
});

Deno.test("blocks have 16 KiB but for the last of a piece", () => {
  assert.equal(blockSize(shape, 3, 0), 100);
  assert.equal(blockSize(shape, 0, 1), BLOCK_SIZE);
});
