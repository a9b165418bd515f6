import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { parsePeerAddress, peerAddressFromBytes } from "./peer_address.ts";
import { fromHex, toHex } from "./text.ts";
import {
  decodeUdpTrackerReply,
  decodeUdpTrackerRequest,
  encodeUdpTrackerReply,
  encodeUdpTrackerRequest,
  readUdpTrackerHeader,
  readUdpTransactionId,
  type UdpAnnounceRequest,
  type UdpTrackerReply,
  type UdpTrackerRequest,
} from "./udp_tracker.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const uint64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const amount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const event = fc.constantFrom("started" as const, "completed" as const, "stopped" as const);

const requests: fc.Arbitrary<UdpTrackerRequest> = fc.oneof(
  fc.record({ action: fc.constant("connect" as const), transactionId: uint32 }),
  fc.record({
    action: fc.constant("announce" as const),
    connectionId: uint64,
    transactionId: uint32,
    infoHash: bytes(20),
    peerId: bytes(20),
    downloaded: amount,
    left: amount,
    uploaded: amount,
    event,
    ip: uint32,
    key: uint32,
    wanted: fc.integer({ min: 0, max: 0x7fffffff }),
    port: fc.integer({ min: 0, max: 65535 }),
    urlData: fc.webPath().map((path) => `/a${path}`),
  }, {
    requiredKeys: [
      "action",
      "connectionId",
      "transactionId",
      "infoHash",
      "peerId",
      "downloaded",
      "left",
      "uploaded",
      "ip",
      "key",
      "port",
    ],
  }),
  fc.record({
    action: fc.constant("scrape" as const),
    connectionId: uint64,
    transactionId: uint32,
    infoHashes: fc.array(bytes(20), { minLength: 1, maxLength: 74 }),
  }),
);

const replies = (family: 4 | 6): fc.Arbitrary<UdpTrackerReply> =>
  fc.oneof(
    fc.record({ action: fc.constant("connect" as const), transactionId: uint32, connectionId: uint64 }),
    fc.record({
      action: fc.constant("announce" as const),
      transactionId: uint32,
      interval: uint32,
      leechers: uint32,
      seeders: uint32,
      peers: fc.array(
        fc.tuple(bytes(family === 4 ? 4 : 16), fc.integer({ min: 1, max: 65535 }))
          .map(([ip, port]) => peerAddressFromBytes(ip, port)),
      ),
    }),
    fc.record({
      action: fc.constant("scrape" as const),
      transactionId: uint32,
      swarms: fc.array(fc.record({ seeders: uint32, completed: uint32, leechers: uint32 })),
    }),
    fc.record({
      action: fc.constant("error" as const),
      transactionId: uint32,
      message: fc.string({ unit: "grapheme" }).filter((text) => !text.endsWith("\0")),
    }),
  );

const announce: UdpAnnounceRequest = {
  action: "announce",
  connectionId: 0x0102030405060708n,
  transactionId: 0x0a0b0c0d,
  infoHash: new Uint8Array(20).fill(0xaa),
  peerId: new Uint8Array(20).fill(0xbb),
  downloaded: 1,
  left: 2,
  uploaded: 3,
  event: "started",
  ip: 0,
  key: 0xdeadbeef,
  port: 6881,
};

Deno.test("decodeUdpTrackerRequest() reads what was encoded", () => {
  fc.assert(fc.property(requests, (request) => {
    assert.deepEqual(decodeUdpTrackerRequest(encodeUdpTrackerRequest(request)), structuredClone(request));
  }));
});

Deno.test("decodeUdpTrackerReply() reads what was encoded, over IPv4 and IPv6", () => {
  for (const family of [4, 6] as const) {
    fc.assert(fc.property(replies(family), (reply) => {
      const encoded = encodeUdpTrackerReply(reply, family);
      assert.deepEqual(decodeUdpTrackerReply(encoded, family), structuredClone(reply));
      assert.equal(readUdpTransactionId(encoded), reply.transactionId);
    }));
  }
});

Deno.test("requests have the bytes that BEP 15 shows", () => {
  assert.equal(
    toHex(encodeUdpTrackerRequest({ action: "connect", transactionId: 0x0a0b0c0d })),
    "0000041727101980000000000a0b0c0d",
  );
  assert.equal(
    toHex(encodeUdpTrackerRequest(announce)),
    "0102030405060708" + "00000001" + "0a0b0c0d" + "aa".repeat(20) + "bb".repeat(20) + "0000000000000001" +
      "0000000000000002" + "0000000000000003" + "00000002" + "00000000" + "deadbeef" + "ffffffff" + "1ae1",
  );
  assert.deepEqual(readUdpTrackerHeader(encodeUdpTrackerRequest(announce)), {
    connectionId: announce.connectionId,
    action: 1,
    transactionId: announce.transactionId,
  });
});

Deno.test("URL data longer than an option goes into several, and what else stands there is passed over", () => {
  const urlData = `/announce?passkey=${"x".repeat(300)}`;
  const encoded = encodeUdpTrackerRequest({ ...announce, urlData });
  assert.deepEqual([...encoded.subarray(98, 100)], [2, 255]);
  assert.equal((decodeUdpTrackerRequest(encoded) as UdpAnnounceRequest).urlData, urlData);
  const read = (options: string): string | undefined => {
    const message = Uint8Array.from([...encodeUdpTrackerRequest(announce), ...fromHex(options)]);
    return (decodeUdpTrackerRequest(message) as UdpAnnounceRequest).urlData;
  };
  assert.equal(read("01" + "0902ffff" + "01" + "02022f61" + "020162" + "00" + "020163"), "/ab");
  assert.equal(read("02022f61" + "02ff62"), "/a", "one that is cut off ends them");
  assert.equal(read("02"), undefined);
  assert.equal(read("0000"), undefined);
  assert.throws(() => encodeUdpTrackerRequest({ ...announce, urlData: "/".repeat(3000) }), RangeError);
});

Deno.test("an amount above what a number holds, such as -1, is the largest one, and an unknown event a regular one", () => {
  const encoded = encodeUdpTrackerRequest(announce);
  encoded.fill(0xff, 64, 72);
  encoded[83] = 9;
  const { left, event } = decodeUdpTrackerRequest(encoded) as UdpAnnounceRequest;
  assert.equal(left, Number.MAX_SAFE_INTEGER);
  assert.equal(event, undefined);
});

Deno.test("an announce's reply leaves out the peers of the other family", () => {
  const peers = [parsePeerAddress("192.0.2.1:1"), parsePeerAddress("[2001:db8::1]:2")];
  const reply = { action: "announce", transactionId: 1, interval: 1800, leechers: 1, seeders: 1, peers } as const;
  assert.equal(encodeUdpTrackerReply(reply, 4).length, 26);
  assert.equal(encodeUdpTrackerReply(reply, 6).length, 38);
});

Deno.test("messages that are too short, or of another action are a ProtocolError that says so", () => {
  const shorter = (message: Uint8Array): Uint8Array => message.subarray(0, message.length - 1);
  const connect = encodeUdpTrackerRequest({ action: "connect", transactionId: 1 });
  assert.throws(() => decodeUdpTrackerRequest(shorter(connect)), {
    name: "ProtocolError",
    message: "Cannot read UDP tracker message: a request must have at least 16 bytes, current value is 15",
  });
  assert.equal(readUdpTrackerHeader(shorter(connect)), undefined);
  assert.throws(() => decodeUdpTrackerRequest(shorter(encodeUdpTrackerRequest(announce))), /at least 98 bytes/);
  assert.throws(() => decodeUdpTrackerRequest(connect.with(0, 1)), /must begin with 0x0000041727101980/);
  assert.throws(() => decodeUdpTrackerRequest(connect.with(11, 3)), /action must be 0 to 2, current value is 3/);
  assert.throws(() => decodeUdpTrackerRequest(connect.with(11, 2)), /1 to 74 info-hashes, current value is 0/);
  assert.throws(() => decodeUdpTrackerReply(new Uint8Array(7), 4), /at least 8 bytes/);
  assert.throws(() => decodeUdpTrackerReply(new Uint8Array(15), 4), /at least 16 bytes/);
  assert.throws(() => decodeUdpTrackerReply(new Uint8Array(19).with(3, 1), 4), /at least 20 bytes/);
  assert.throws(() => decodeUdpTrackerReply(new Uint8Array(19).with(3, 4), 4), /0 to 3, current value is 4/);
  assert.equal(readUdpTransactionId(new Uint8Array(19).with(3, 4)), undefined);
  assert.equal(readUdpTransactionId(new Uint8Array(7)), undefined);
});

Deno.test("of a reply with stray bytes at its end the whole entries are read", () => {
  const peer = Uint8Array.of(192, 0, 2, 1, 0x1a, 0xe1);
  const announced = decodeUdpTrackerReply(Uint8Array.of(...new Uint8Array(20).with(3, 1), ...peer, 9, 9), 4);
  assert.deepEqual(announced.action === "announce" && announced.peers.map(({ key }) => key), ["192.0.2.1:6881"]);
  const scraped = decodeUdpTrackerReply(new Uint8Array(8 + 12 + 5).with(3, 2).with(11, 7), 4);
  assert.deepEqual(scraped.action === "scrape" && scraped.swarms, [{ seeders: 7, completed: 0, leechers: 0 }]);
});

Deno.test("any bytes are read, or are a ProtocolError", () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.constantFrom(0, 1, 2, 3), fc.uint8Array({ maxLength: 200 }))
      .map(([action, rest]) => Uint8Array.of(0, 0, 0, action, ...rest)),
    fc.tuple(bytes(8), fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 200 }))
      .map(([id, action, rest]) => Uint8Array.of(...id, 0, 0, 0, action, ...rest)),
  );
  fc.assert(
    fc.property(message, (some) => {
      const reads = [decodeUdpTrackerRequest, decodeUdpTrackerReply];
      for (const read of reads) {
        try {
          read(some, 4);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeUdpTrackerReply() reads what opentracker sent", () => {
  const read = (name: string) => decodeUdpTrackerReply(fixture(name), 4);
  const { action, ...connect } = read("connect");
  assert.equal(action, "connect");
  assert.ok("connectionId" in connect && connect.connectionId > 0n);
  const announce = read("announce_peers");
  assert.ok(announce.action === "announce" && announce.interval >= 1_200);
  assert.deepEqual(announce.peers.map(({ key }) => key), [6881, 6901, 6902, 6903].map((port) => `127.0.0.1:${port}`));
  assert.deepEqual([announce.seeders, announce.leechers], [1, 3]);
  const scrape = read("scrape");
  assert.deepEqual("swarms" in scrape && scrape.swarms, [
    { seeders: 0, completed: 0, leechers: 0 },
    { seeders: 1, completed: 0, leechers: 3 },
  ]);
  const error = read("error_connection_id");
  assert.equal("message" in error && error.message, "Connection ID missmatch.");
  const stopped = read("announce_stopped");
  assert.deepEqual("peers" in stopped && stopped.peers, []);
  assert.throws(() => read("announce_refused"), /an announce reply must have at least 20 bytes, current value is 8/);
});

Deno.test("decodeUdpTrackerRequest() reads what aria2 and libtorrent sent", () => {
  for (const [client, port, urlData] of [["aria2", 16881, undefined], ["libtorrent", 16883, "/announce?passkey=1"]]) {
    assert.equal(decodeUdpTrackerRequest(fixture(`${client}_connect`)).action, "connect");
    const announce = decodeUdpTrackerRequest(fixture(`${client}_announce`)) as UdpAnnounceRequest;
    assert.equal(toHex(announce.infoHash), "0123456789abcdef".repeat(3).slice(0, 40));
    assert.deepEqual([announce.event, announce.port, announce.urlData], ["started", port, urlData]);
    assert.equal(announce.connectionId, 0x1122334455667788n);
  }
});

function fixture(name: string): Uint8Array {
  return Deno.readFileSync(new URL(`../../tests/fixtures/tracker_udp/${name}.bin`, import.meta.url));
}
