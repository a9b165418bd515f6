import assert from "node:assert/strict";
import { byteString, type PeerAddress, peerAddress } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { estimateBloom } from "./bloom.ts";
import { PeerStore } from "./peer_store.ts";

const minute = 60_000;
const swarm = "s".repeat(20);
const newStore = (): PeerStore => new PeerStore(new SeededRandom(1));

function nth(n: number): PeerAddress {
  return peerAddress(`${20 + (n >> 16 & 63)}.${n >> 8 & 255}.${n & 255}.1`, 6881);
}
function swarmOf(n: number): string {
  return byteString(Uint8Array.from({ length: 20 }, (_, i) => i < 4 ? n >>> i * 8 & 255 : 0));
}

Deno.test("peers() gives those of one family, once each, without seeds for who wants none", () => {
  const store = newStore();
  const six = peerAddress("2001:db8::1", 1);
  for (const seed of [false, true]) store.announce(0, swarm, nth(1), seed);
  store.announce(0, swarm, nth(2), false);
  store.announce(0, swarm, six, false);
  assert.deepEqual(store.peers(0, swarm, 4, 10).map(({ ip }) => ip).sort(), [nth(1).ip, nth(2).ip]);
  assert.deepEqual(store.peers(0, swarm, 4, 10, true), [nth(2)]);
  assert.deepEqual(store.peers(0, swarm, 6, 10), [six]);
  assert.equal(store.peers(0, swarm, 4, 1).length, 1);
  assert.deepEqual(store.peers(0, "x".repeat(20), 4, 10), []);
});

Deno.test("a peer that does not announce again is forgotten after half an hour", () => {
  const store = newStore();
  store.announce(0, swarm, nth(1), false);
  store.announce(20 * minute, swarm, nth(2), false);
  assert.equal(store.peers(29 * minute, swarm, 4, 10).length, 2);
  assert.deepEqual(store.peers(31 * minute, swarm, 4, 10), [nth(2)]);
  store.expire(31 * minute);
  assert.equal(store.size, 1);
  store.expire(60 * minute);
  assert.deepEqual([store.size, store.swarms], [0, 0]);
});

Deno.test("one address has room for 100 peers, and 100,000 announces leave at most 30,000 and 2,000 swarms", () => {
  const store = newStore();
  for (let port = 1; port <= 200; port++) store.announce(0, swarm, peerAddress("192.0.2.1", port), false);
  assert.equal(store.size, 100);
  // A swarm that people use stays, however many are made up.
  for (let n = 0; n < 200; n++) store.announce(0, swarm, nth(n), false);
  for (let n = 0; n < 100_000; n++) {
    if (n % 10_000 === 0) { for (let i = 0; i < 200; i++) store.announce(0, swarm, nth(i), false); }
    store.announce(0, swarmOf(n), nth(n), false);
  }
  assert.ok(store.size <= 30_000 && store.swarms <= 2_000, `${store.size} peers, ${store.swarms} swarms`);
  assert.ok(store.peers(0, swarm, 4, 500).length >= 200);
});

Deno.test("a swarm keeps its 500 latest peers", () => {
  const store = newStore();
  for (let n = 0; n < 600; n++) store.announce(n, swarm, nth(n), false);
  const kept = new Set(store.peers(600, swarm, 4, 1000).map(({ ip }) => ip));
  assert.equal(kept.size, 500);
  assert.ok(kept.has(nth(599).ip) && !kept.has(nth(0).ip));
});

Deno.test("scrape() tells seeds from others, and nothing of what isn't known", () => {
  const store = newStore();
  for (let n = 0; n < 30; n++) store.announce(0, swarm, nth(n), n < 10);
  const { seeds, peers } = store.scrape(0, swarm)!;
  assert.deepEqual([seeds, peers].map((filter) => Math.round(estimateBloom(filter) / 10)), [1, 2]);
  assert.equal(store.scrape(0, "x".repeat(20)), undefined);
});

Deno.test("sample() gives at most 20 info-hashes, the same for 5 minutes", () => {
  const store = newStore();
  for (let n = 0; n < 50; n++) store.announce(0, swarmOf(n), nth(n), false);
  const first = store.sample(0);
  assert.deepEqual([first.samples.length, first.num, first.interval], [20, 50, 300]);
  assert.deepEqual(store.sample(4 * minute), { ...first, interval: 60 });
  assert.notDeepEqual(store.sample(5 * minute).samples, first.samples);
});

Deno.test("restore() takes what save() gave, with its age", () => {
  const [store, next] = [newStore(), newStore()];
  store.announce(0, swarm, nth(1), true);
  next.restore(500, structuredClone(store.save(20 * minute)));
  assert.deepEqual(next.peers(500, swarm, 4, 10), [nth(1)]);
  assert.deepEqual(next.peers(500 + 11 * minute, swarm, 4, 10), []);
});
