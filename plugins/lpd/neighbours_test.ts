import assert from "node:assert/strict";
import { peerAddress, ProtocolError } from "weft";
import { encodeAnnounce } from "./codec.ts";
import { Neighbours } from "./neighbours.ts";

const swarm = "0123456789abcdef0123456789abcdef01234567";
const other = "f".repeat(40);
const ours = (hex: string) => hex === swarm;
const from = (ip: string) => peerAddress(ip, 6771);
const announce = (port: number, { infoHashes = [swarm], cookie = "theirs" } = {}) =>
  encodeAnnounce(4, { port, infoHashes, cookie });
const keys = (found: readonly { address: { key: string } }[]) => found.map(({ address }) => address.key);

Deno.test("a neighbour is where its announce came from, at the port that it says, and new once", () => {
  const neighbours = new Neighbours("ours");
  const found = neighbours.handleDatagram(0, announce(7000), from("192.168.0.2"), ours);
  assert.deepEqual(keys(found), ["192.168.0.2:7000"]);
  assert.deepEqual(neighbours.handleDatagram(1, announce(7000), from("192.168.0.2"), ours), []);
  assert.deepEqual(keys(neighbours.handleDatagram(2, announce(7000), from("fd00::2"), ours)), ["[fd00::2]:7000"]);
  assert.deepEqual(neighbours.of(3, swarm).map(({ key }) => key), ["192.168.0.2:7000", "[fd00::2]:7000"]);
});

Deno.test("our own announces, and swarms that aren't ours, are ignored", () => {
  const neighbours = new Neighbours("ours");
  const handle = (bytes: Uint8Array) => neighbours.handleDatagram(0, bytes, from("192.168.0.2"), ours);
  assert.deepEqual(handle(announce(7000, { cookie: "ours" })), []);
  assert.deepEqual(handle(announce(7000, { infoHashes: [other] })), []);
  assert.equal(neighbours.size, 0);
  assert.equal(handle(announce(7000, { infoHashes: [other, swarm] })).length, 1);
  assert.throws(() => handle(new Uint8Array(20)), ProtocolError);
});

Deno.test("a neighbour that falls silent is forgotten after two periods", () => {
  const neighbours = new Neighbours("ours");
  neighbours.handleDatagram(0, announce(7000), from("192.168.0.2"), ours);
  neighbours.handleDatagram(300_000, announce(7000), from("192.168.0.3"), ours);
  neighbours.handleDatagram(600_000, announce(7000), from("192.168.0.3"), ours);
  assert.equal(neighbours.of(659_999, swarm).length, 2);
  assert.deepEqual(neighbours.of(660_000, swarm).map(({ ip }) => ip), ["192.168.0.3"]);
  assert.deepEqual(neighbours.of(1_260_000, swarm), []);
  assert.equal(neighbours.size, 0);
});

Deno.test("one address can't name every port: the last eight count", () => {
  const neighbours = new Neighbours("ours");
  for (let port = 1; port <= 900; port++) neighbours.handleDatagram(0, announce(port), from("192.168.0.2"), ours);
  assert.deepEqual(neighbours.of(0, swarm).map(({ port }) => port), [893, 894, 895, 896, 897, 898, 899, 900]);
  assert.equal(neighbours.size, 8);
});

Deno.test("one address that floods is heard no more for a while, and the others are", () => {
  const neighbours = new Neighbours("ours");
  const handle = (now: number, ip: string, port: number) =>
    neighbours.handleDatagram(now, announce(port), from(ip), ours).length;
  let heard = 0;
  for (let i = 0; i < 3_000; i++) heard += handle(0, "192.168.0.2", 1 + i);
  assert.equal(heard, 1_000);
  assert.equal(handle(0, "192.168.0.3", 7000), 1);
  assert.equal(handle(1_000, "192.168.0.2", 40_000), 1);
});

Deno.test("announces from ever new addresses leave memory flat, and are looked at no faster than the budget", () => {
  const neighbours = new Neighbours("ours");
  const bytes = announce(7000);
  let heard = 0;
  for (let i = 0; i < 100_000; i++) {
    const ip = `10.${i >> 16 & 255}.${i >> 8 & 255}.${i & 255}`;
    heard += neighbours.handleDatagram(i, bytes, from(ip), ours).length; // one each millisecond
    assert.ok(neighbours.size <= 4_000);
  }
  assert.ok(heard >= 20_000 && heard <= 24_100, `${heard} were looked at`); // 200 a second, and the burst
  assert.equal(neighbours.of(100_000, swarm).length, 4_000);
});
