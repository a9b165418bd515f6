import assert from "node:assert/strict";
import fc from "fast-check";
import { decodePeers4, decodePeers6, parsePeerAddress, type PeerAddress, utf8Decode, utf8Encode } from "weft";
import { CONNECTION_SECRET_LENGTH } from "./connection_id.ts";
import { hashOf, seeded, testTracker } from "./test_tracker.ts";
import type { TrackerSettings } from "./tracker.ts";
import { UdpTracker } from "./udp.ts";

const TRANSACTION = 0xdeadbeef;
const client = parsePeerAddress("192.0.2.1:5000");

function server(changes: Partial<TrackerSettings> = {}): UdpTracker {
  return new UdpTracker(testTracker(changes), seeded(), seeded(2).bytes(CONNECTION_SECRET_LENGTH));
}

function datagram(connection: Uint8Array, action: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(16 + rest.length);
  bytes.set(connection);
  new DataView(bytes.buffer).setUint32(8, action);
  new DataView(bytes.buffer).setUint32(12, TRANSACTION);
  bytes.set(rest, 16);
  return bytes;
}

const connectRequest = datagram(Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80), 0);

/** Asks for a connection id. */
function connect(udp: UdpTracker, from: PeerAddress, now = 0): Uint8Array {
  const reply = udp.handle(now, connectRequest, from)!;
  assert.deepEqual([...reply.subarray(0, 8)], [0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef]);
  return reply.subarray(8);
}

/** What stands behind the header of an announce. */
function announceBody(
  { left = 1, event = 0, key = 7, wanted = -1, port = 6881, options = [] as number[], hash = hashOf(1) } = {},
): Uint8Array {
  const bytes = new Uint8Array(82 + options.length);
  const view = new DataView(bytes.buffer);
  bytes.set(hash);
  bytes.set(utf8Encode("-XX0001-aaaaaaaaaaaa"), 20);
  view.setUint32(52, left);
  view.setUint32(64, event);
  bytes.set([10, 0, 0, 1], 68); // an address that is not its own
  view.setUint32(72, key);
  view.setInt32(76, wanted);
  view.setUint16(80, port);
  bytes.set(options, 82);
  return bytes;
}

function announce(udp: UdpTracker, from: PeerAddress, body = {}): Uint8Array {
  return udp.handle(0, datagram(connect(udp, from), 1, announceBody(body)), from)!;
}

function errorOf(reply: Uint8Array | undefined): string {
  assert.ok(reply);
  assert.deepEqual([...reply.subarray(0, 8)], [0, 0, 0, 3, 0xde, 0xad, 0xbe, 0xef]);
  return utf8Decode(reply.subarray(8));
}

Deno.test("peers announce over UDP and are told of each other, by the addresses that they have", () => {
  const udp = server();
  announce(udp, client, { left: 0, port: 7001 });
  const reply = announce(udp, parsePeerAddress("192.0.2.2:5000"), { port: 7002 });
  const view = new DataView(reply.buffer);
  assert.deepEqual([view.getUint32(0), view.getUint32(4)], [1, TRANSACTION]);
  assert.ok(Math.abs(view.getUint32(8) - 1_800) <= 180);
  assert.deepEqual([view.getUint32(12), view.getUint32(16)], [1, 1], "leechers, seeds");
  assert.deepEqual(decodePeers4(reply.subarray(20)).map(({ key }) => key), ["192.0.2.1:7001"]);
});

Deno.test("over IPv6, peers with IPv6 are told of, 18 bytes each", () => {
  const udp = server();
  announce(udp, client);
  announce(udp, parsePeerAddress("[2001:db8::1]:5000"));
  const reply = announce(udp, parsePeerAddress("[2001:db8::2]:5000"));
  assert.deepEqual(decodePeers6(reply.subarray(20)).map(({ key }) => key), ["[2001:db8::1]:6881"]);
});

Deno.test("an answer fits into one packet, however many are wanted", () => {
  const udp = server({ maxWanted: 1_000 });
  for (const ip of ["192.0.2.1", "[2001:db8::1]"]) {
    for (let port = 1; port <= 300; port++) announce(udp, parsePeerAddress(`${ip}:5000`), { port });
    const reply = announce(udp, parsePeerAddress(`${ip}:5000`), { port: 9_000, wanted: 1_000 });
    assert.ok(reply.length > 1_370 && reply.length <= 1_400, `${reply.length}`);
  }
});

Deno.test("events, stopping and pausing among them, are understood", () => {
  const udp = server();
  const figures = (body: { left?: number; event?: number; port?: number }): number[] => {
    const view = new DataView(announce(udp, client, body).buffer);
    return [view.getUint32(16), view.getUint32(12)];
  };
  assert.deepEqual(figures({ event: 2 }), [0, 1]);
  assert.deepEqual(figures({ left: 0, event: 1 }), [1, 0]);
  assert.deepEqual(figures({ port: 2, event: 4 }), [1, 1]);
  assert.deepEqual(figures({ port: 2, event: 3 }), [1, 0]);
  assert.deepEqual(figures({ left: 0, event: 99 }), [1, 0], "an unknown event is a regular announce");
});

Deno.test("a scrape is answered in its order, with zeros for what is not known", () => {
  const udp = server();
  announce(udp, client, { left: 0, event: 1 });
  const hashes = new Uint8Array([...hashOf(9), ...hashOf(1)]);
  const reply = udp.handle(0, datagram(connect(udp, client), 2, hashes), client)!;
  const view = new DataView(reply.buffer);
  assert.equal(reply.length, 8 + 24);
  assert.deepEqual([8, 12, 16, 20, 24, 28].map((at) => view.getUint32(at)), [0, 0, 0, 1, 1, 0]);
});

Deno.test("options behind an announce are read as BEP 41 has them", () => {
  const udp = server();
  const url = [...utf8Encode("/announce?passkey=x")];
  const fine = [[], [0], [1, 1, 0, 99, 99], [2, url.length, ...url, 0], [2, 1, 0x2f, 2, 1, 0x61], [77, 2, 1, 2], [
    2,
    5,
  ]];
  for (const options of fine) assert.equal(announce(udp, client, { options })[3], 1, `${options}`);
});

Deno.test("who has a connection id is told what is wrong", () => {
  const udp = server({ allow: new Set(["01".repeat(20)]), requestsPerSecond: 1 });
  const id = connect(udp, client);
  const handle = (action: number, rest?: Uint8Array) => udp.handle(0, datagram(id, action, rest), client);
  assert.match(errorOf(handle(1, announceBody({ hash: hashOf(2) }))), /does not serve that torrent/);
  assert.match(errorOf(handle(1, new Uint8Array(81))), /at least 98 bytes/);
  assert.match(errorOf(handle(2)), /1 to 74 info-hashes/);
  assert.match(errorOf(handle(2, new Uint8Array(19))), /1 to 74/);
  assert.match(errorOf(handle(2, new Uint8Array(75 * 20))), /1 to 74/);
  assert.match(errorOf(handle(0)), /a connect must begin with/);
  assert.match(errorOf(handle(7)), /action must be 0 to 2/);
  for (let i = 0; i < 10; i++) handle(1, announceBody());
  assert.match(errorOf(handle(1, announceBody())), /too many requests/);
});

Deno.test("who has none, or an old one, or another's, gets no answer", () => {
  const udp = server();
  const id = connect(udp, client);
  const request = datagram(id, 1, announceBody());
  assert.ok(udp.handle(120_000, request, client));
  assert.equal(udp.handle(140_000, request, client), undefined);
  assert.equal(udp.handle(0, request, parsePeerAddress("192.0.2.2:5000")), undefined);
  assert.equal(udp.handle(0, datagram(new Uint8Array(8), 1, announceBody()), client), undefined);
  const forged = datagram(Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x81), 0);
  assert.equal(udp.handle(0, forged, client), undefined, "connecting takes the constant");
  for (let length = 0; length < 16; length++) {
    assert.equal(udp.handle(0, connectRequest.subarray(0, length), client), undefined);
  }
  assert.equal(udp.figures.ignored, 20);
});

Deno.test("forged addresses get no more bytes than came in, each only so often, and their owners still announce", () => {
  const udp = server({ requestsPerSecond: 10 });
  const id = connect(udp, client);
  let [sent, received] = [0, 0];
  for (let i = 0; i < 10_000; i++) {
    const from = i % 2 === 0 ? client : parsePeerAddress(`198.51.${(i >> 8) & 255}.${i & 255}:53`);
    const bytes = i % 3 === 0 ? datagram(seeded(i).bytes(8), 1, announceBody()) : connectRequest;
    sent += udp.handle(0, bytes, from)?.length ?? 0;
    received += bytes.length;
  }
  assert.ok(sent < received);
  assert.ok(udp.handle(0, datagram(id, 1, announceBody()), client)!.length >= 20);
});

Deno.test("any bytes are answered or not, and unproven ones with no more than they are", () => {
  const udp = server();
  const id = connect(udp, client);
  const body = fc.uint8Array({ maxLength: 200 });
  fc.assert(fc.property(body, fc.nat({ max: 4 }), fc.boolean(), (rest, action, proven) => {
    const unproven = udp.handle(0, rest, parsePeerAddress("198.51.100.1:9"));
    assert.ok((unproven?.length ?? 0) <= rest.length);
    const bytes = datagram(proven ? id : seeded(rest.length + 1).bytes(8), action, rest);
    const reply = udp.handle(1, bytes, client);
    assert.ok(reply === undefined || reply.length <= 1_400);
    assert.ok(proven || reply === undefined);
  }));
});
