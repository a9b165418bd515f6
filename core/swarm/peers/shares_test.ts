import assert from "node:assert/strict";
import { type Evictable, PeerShares } from "./shares.ts";

const hour = 3_600_000;

function setUp(sizes: Record<string, number>) {
  const shares = new PeerShares<Evictable & { failures: number }>();
  const peers = Object.entries(sizes).flatMap(([source, size]) =>
    Array.from({ length: size }, (_, i) => ({ source, banned: false, failures: 0, lastSeen: i }))
  );
  for (const peer of peers) shares.add(peer.source, peer);
  return { shares, peers };
}

const free = { inUse: () => false, force: false };

Deno.test("PeerShares takes room from the source that holds most", () => {
  const { shares, peers } = setUp({ dht: 5, pex: 3 });
  assert.equal(shares.victim(0, "pex", free), peers[0]);
  assert.equal(shares.victim(0, "tracker", free), peers[0]);
});

Deno.test("PeerShares makes no room for the largest source but where a peer failed or went stale", () => {
  const { shares, peers } = setUp({ dht: 5, pex: 4 });
  assert.equal(shares.victim(0, "dht", free), undefined);
  assert.equal(shares.victim(0, "pex", free), undefined, "it would only trade places");
  peers[3].failures = 1;
  assert.equal(shares.victim(0, "dht", free), peers[3]);
  peers[3].failures = 0;
  assert.equal(shares.victim(hour, "dht", free), peers[0]);
  assert.equal(shares.victim(0, "dht", { ...free, force: true }), peers[0]);
});

Deno.test("PeerShares spares peers in use, and gets to the others in the end", () => {
  const { shares, peers } = setUp({ dht: 100 });
  const inUse = (peer: Evictable) => peer !== peers[99];
  const found = Array.from({ length: 13 }, () => shares.victim(0, "pex", { inUse, force: false }));
  assert.deepEqual(found.filter((peer) => peer), [peers[99]]);
});

Deno.test("PeerShares forgets a source with its last peer", () => {
  const { shares, peers } = setUp({ dht: 1 });
  shares.remove("dht", peers[0]);
  shares.remove("dht", peers[0]);
  assert.equal(shares.victim(hour, "dht", free), undefined);
});
