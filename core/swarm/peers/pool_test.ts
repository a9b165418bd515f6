import assert from "node:assert/strict";
import fc from "fast-check";
import type { Random } from "../../api/mod.ts";
import { holderOf, peerAddress, peerAddressFromBytes } from "../../wire/mod.ts";
import { PeerPool, type PeerPoolOptions } from "./pool.ts";
import { peerPriority } from "./priority.ts";

const second = 1_000;
const hour = 3_600 * second;
/** Always the middle: no jitter. */
const middling: Random = { bytes: (length) => new Uint8Array(length), below: (bound) => Math.floor(bound / 2) };

function pool(options: Partial<PeerPoolOptions> = {}): PeerPool {
  return new PeerPool({ random: middling, ...options });
}

function address(i: number, port = 6881) {
  return peerAddressFromBytes(Uint8Array.of(20 + (i >> 16), i >> 8 & 255, i & 255, 7), port);
}

Deno.test("PeerPool merges what several sources say of one address", () => {
  const peers = pool();
  const first = peers.add(0, peerAddress("1.2.3.4", 6881), "dht")!;
  const again = peers.add(5, peerAddress("::ffff:1.2.3.4", 6881), "pex", { trusted: true })!;
  assert.equal(again, first);
  assert.equal(peers.size, 1);
  assert.deepEqual([...first.sources], ["dht", "pex"]);
  assert.equal(first.trusted, true);
  assert.equal(first.lastSeen, 5);
  for (let i = 0; i < 100; i++) peers.add(6, first.address, `source ${i}`);
  assert.equal(first.sources.size, 8);
});

Deno.test("PeerPool dials the user's peers first, then those that never failed, then by BEP 40", () => {
  const self = peerAddress("99.1.2.3", 6881);
  const peers = pool({ self });
  const plain = Array.from({ length: 20 }, (_, i) => peers.add(0, address(i), "dht")!);
  const failed = peers.add(0, address(100), "dht")!;
  const trusted = peers.add(0, address(101), "user", { trusted: true })!;
  peers.dialing(failed.address.key);
  peers.failed(0, failed.address.key, "refused");

  const order: string[] = [];
  for (let peer; (peer = peers.next(hour)); peers.dialing(peer.address.key)) order.push(peer.address.key);
  const byRank = plain.map((peer) => peer.address).sort((a, b) => peerPriority(self, b) - peerPriority(self, a));
  assert.deepEqual(order, [trusted.address.key, ...byRank.map((each) => each.key), failed.address.key]);
});

Deno.test("PeerPool ranks its peers anew when our own address becomes known", () => {
  const self = peerAddress("99.1.2.3", 6881);
  const peers = pool();
  const known = peers.add(0, address(1), "dht")!;
  const other = peers.add(0, peerAddress("2001:db8::1", 6881), "dht")!;
  const before = other.priority;
  peers.setSelf(self);
  assert.equal(known.priority, peerPriority(self, known.address));
  assert.equal(other.priority, before, "the other family's is not known yet");
});

Deno.test("PeerPool skips peers that are dialing, connected or banned, and seeds while it seeds", () => {
  const peers = pool();
  const key = peers.add(0, address(1), "dht", { seed: true })!.address.key;
  assert.equal(peers.candidates(0), 1);
  assert.equal(peers.candidates(0, { seeding: true }), 0);
  assert.equal(peers.next(0, { seeding: true }), undefined);
  peers.dialing(key);
  assert.equal(peers.next(0), undefined);
  peers.connected(key, { transport: "tcp" });
  assert.equal(peers.candidates(0), 0);
  assert.deepEqual(
    [peers.get(key)!.connected, peers.get(key)!.dialing, peers.get(key)!.transport, peers.get(key)!.reachedDirectly],
    [true, false, "tcp", true],
  );
  peers.closed(0, key, { worked: true, useful: true });
  assert.equal(peers.candidates(hour), 1);
  peers.ban(key, "lied");
  assert.equal(peers.candidates(hour), 0);
});

Deno.test("PeerPool backs off from 15 s to 1 h, and forgets failures after a useful session", () => {
  const peers = pool();
  const peer = peers.add(0, address(1), "dht")!;
  const { key } = peer.address;
  const waits: number[] = [];
  for (let i = 0, now = 0; i < 10; i++, now = peer.retryAt) {
    assert.equal(peers.next(now), peer);
    peers.dialing(key);
    peers.failed(now, key, "refused");
    assert.equal(peers.next(peer.retryAt - 1), undefined);
    assert.equal(peers.nextRetry(now), peer.retryAt);
    waits.push((peer.retryAt - now) / second);
  }
  assert.deepEqual(waits, [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
  assert.equal(peer.lastError, "refused");

  peers.connected(key);
  peers.closed(0, key, { worked: true, useful: false });
  assert.equal(peer.failures, 11);
  peers.connected(key);
  peers.closed(0, key, { worked: true, useful: true });
  assert.deepEqual([peer.failures, peer.retryAt], [0, 15 * second]);
});

Deno.test("PeerPool spreads retries by a quarter either way", () => {
  for (const [below, expected] of [[() => 0, 11.25], [(bound: number) => bound - 1, 18.75]] as const) {
    const peers = pool({ random: { ...middling, below } });
    const peer = peers.add(0, address(1), "dht")!;
    peers.failed(0, peer.address.key, "refused");
    assert.equal(peer.retryAt, expected * second);
  }
});

Deno.test("PeerPool tries the user's peers again sooner", () => {
  const peers = pool();
  const peer = peers.add(0, address(1), "user", { trusted: true })!;
  peers.failed(0, peer.address.key, "refused");
  assert.equal(peer.retryAt, 2 * second);
  for (let i = 0; i < 30; i++) peers.failed(0, peer.address.key, "refused");
  assert.equal(peer.retryAt, 300 * second);
});

Deno.test("PeerPool dials at once or never again when the session's end says so", () => {
  const peers = pool();
  const peer = peers.add(0, address(1), "dht")!;
  peers.closed(10, peer.address.key, { worked: false, useful: false, retry: true });
  assert.equal(peers.next(10), peer);
  peers.closed(10, peer.address.key, { worked: true, useful: false, retry: false });
  assert.equal(peers.next(1e12), undefined);
  assert.equal(peers.nextRetry(10), undefined);
  peers.add(20, peer.address, "dht");
  assert.equal(peers.next(20), undefined, "a source that names it again changes nothing");
  peers.add(20, peer.address, "user", { trusted: true });
  assert.equal(peers.next(20), peer, "the user does");
});

Deno.test("PeerPool dials the port that a peer came from only once someone names it, else forgets it", () => {
  const peers = pool();
  const key = peers.add(0, address(1, 50_123), "incoming")!.address.key;
  peers.connected(key);
  assert.equal(peers.get(key)!.reachedDirectly, false);
  peers.closed(0, key, { worked: true, useful: true });
  assert.equal(peers.size, 0);

  peers.add(0, address(1, 50_123), "incoming");
  assert.equal(peers.next(0), undefined);
  peers.add(0, address(1, 50_123), "dht");
  assert.equal(peers.next(0)!.address.key, key);
});

Deno.test("PeerPool bans an IPv6 network, of which a liar may have every address", () => {
  const peers = pool();
  const near = peers.add(0, peerAddress("2600:1:2:3::1", 6881), "dht")!;
  const far = peers.add(0, peerAddress("2600:1:2:4::1", 6881), "dht")!;
  for (const { address } of [near, far]) peers.connected(address.key);
  assert.deepEqual(peers.ban(holderOf(near.address), "sent 5 bad pieces"), [near]);
  assert.equal(peers.add(0, peerAddress("2600:1:2:3::2", 6881), "incoming"), undefined);
  assert.ok(peers.add(0, peerAddress("2600:1:2:4::2", 6881), "incoming"));
  assert.equal(far.banned, false);
});

Deno.test("PeerPool bans an IP with every port, or one address alone", () => {
  const peers = pool();
  const [a, b, c] = [address(1, 1), address(1, 2), address(2, 1)].map((each) => peers.add(0, each, "dht")!);
  peers.connected(b.address.key);
  assert.deepEqual(peers.ban(a.address.ip, "sent 5 bad pieces"), [b]);
  assert.deepEqual([a.banned, b.banned, c.banned], [true, true, false]);
  assert.equal(peers.isBanned(a.address.ip), true);
  assert.equal(peers.add(0, address(1, 3), "dht"), undefined);
  assert.equal(peers.add(0, a.address, "dht"), undefined);
  peers.ban(c.address.key, "is ourselves");
  assert.equal(peers.isBanned(c.address.ip), false);
  assert.ok(peers.add(0, address(2, 2), "dht"));
  assert.deepEqual([...peers.bans()].map(([, reason]) => reason), ["sent 5 bad pieces", "is ourselves"]);
});

Deno.test("PeerPool takes a few addresses of one IP, or of one /64 of IPv6, however many are named", () => {
  const peers = pool({ maxPerHolder: 3 });
  for (let host = 1; host <= 1_000; host++) peers.add(0, peerAddress(`2001:db8:1:2::${host.toString(16)}`, 1), "pex");
  assert.equal(peers.size, 3);
  assert.ok(peers.add(0, peerAddress("2001:db8:1:3::1", 1), "pex"));
  for (let port = 1; port <= 1_000; port++) peers.add(0, address(1, port), "pex");
  assert.equal(peers.size, 4 + 3);
  assert.ok(peers.add(0, address(1, 2_000), "user", { trusted: true }));
});

Deno.test("PeerPool gives a flood of addresses no more than what other sources leave", () => {
  const peers = pool({ maxPeers: 100 });
  for (let i = 0; i < 1_000; i++) peers.add(0, address(i), "pex");
  const dht = Array.from({ length: 30 }, (_, i) => peers.add(1, address(5_000 + i), "dht")!);
  const tracker = Array.from({ length: 30 }, (_, i) => peers.add(1, address(6_000 + i), "tracker:http://a")!);
  for (let i = 0; i < 1_000; i++) peers.add(2, address(10_000 + i), "pex");
  assert.equal(peers.size, 100);
  for (const peer of [...dht, ...tracker]) assert.equal(peers.get(peer.address.key), peer);
});

Deno.test("PeerPool, full, lets a source replace its own peers that failed or went stale", () => {
  const peers = pool({ maxPeers: 10 });
  for (let i = 0; i < 10; i++) peers.add(0, address(i), "dht");
  assert.equal(peers.add(0, address(50), "dht"), undefined);
  peers.failed(0, address(3).key, "refused");
  assert.ok(peers.add(0, address(50), "dht"));
  assert.equal(peers.get(address(3).key), undefined);
  assert.ok(peers.add(hour, address(51), "dht"));
  for (const peer of peers.entries()) peers.connected(peer.address.key);
  assert.equal(peers.add(9 * hour, address(52), "dht"), undefined);
});

Deno.test("PeerPool answers as a plain search over its peers would, whatever happens to it", () => {
  const step = fc.record({
    peer: fc.nat(40),
    source: fc.constantFrom("dht", "pex", "user"),
    wait: fc.nat(60_000),
    what: fc.constantFrom("add", "dialing", "connected", "failed", "closed", "useful", "never", "ban", "seed", "look"),
    seeding: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const peers = pool({ maxPeers: 20 });
    let now = 0;
    for (const { peer, source, wait, what, seeding } of steps) {
      now += wait;
      const { key } = address(peer);
      if (what === "add") peers.add(now, address(peer), source, { trusted: source === "user" });
      if (what === "seed") peers.add(now, address(peer), source, { seed: true });
      if (what === "dialing") peers.dialing(key);
      if (what === "connected") peers.connected(key);
      if (what === "failed") peers.failed(now, key, "refused");
      if (what === "closed") peers.closed(now, key, { worked: true, useful: false });
      if (what === "useful") peers.closed(now, key, { worked: true, useful: true });
      if (what === "never") peers.closed(now, key, { worked: true, useful: false, retry: false });
      if (what === "ban") peers.ban(key, "lied");

      const idle = [...peers.entries()].filter((each) =>
        !each.connected && !each.dialing && !each.banned && !(seeding && each.seed)
      );
      const ready = idle.filter((each) => each.retryAt <= now);
      const waiting = idle.map((each) => each.retryAt).filter((at) => at > now && at < Infinity);
      assert.ok(peers.size <= 20);
      assert.equal(peers.candidates(now, { seeding }), ready.length);
      assert.equal(peers.untried(now, { seeding }), ready.filter(({ failures }) => failures === 0).length);
      assert.equal(peers.nextRetry(now, { seeding }), waiting.length > 0 ? Math.min(...waiting) : undefined);
      const best = peers.next(now, { seeding });
      assert.equal(best === undefined, ready.length === 0);
      if (best) {
        assert.ok(ready.includes(best));
        for (const each of ready) {
          assert.ok(best.trusted || !each.trusted);
          if (best.trusted === each.trusted) assert.ok(best.failures <= each.failures);
        }
      }
    }
  }));
});
