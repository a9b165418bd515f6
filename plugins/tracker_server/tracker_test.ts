import assert from "node:assert/strict";
import fc from "fast-check";
import { Refusal } from "./tracker.ts";
import { announceOf, hashOf, MINUTE, peersOf, testTracker } from "./test_tracker.ts";

const figures = (
  { seeds, leechers, downloaders, downloads }: ReturnType<ReturnType<typeof testTracker>["announce"]>,
) => ({
  seeds,
  leechers,
  downloaders,
  downloads,
});

Deno.test("a leecher is told of seeds and leechers, never of itself", () => {
  const tracker = testTracker();
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.1", { event: "started" }))), []);
  tracker.announce(0, announceOf("192.0.2.2", { complete: true }));
  const answer = tracker.announce(0, announceOf("192.0.2.3"));
  assert.deepEqual(peersOf(answer).sort(), ["192.0.2.1:6881", "192.0.2.2:6881"]);
  assert.deepEqual(figures(answer), { seeds: 1, leechers: 2, downloaders: 2, downloads: 0 });
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.3"))).sort(), ["192.0.2.1:6881", "192.0.2.2:6881"]);
});

Deno.test("a seed is told of leechers alone, and so is a partial one (BEP 21)", () => {
  const tracker = testTracker();
  tracker.announce(0, announceOf("192.0.2.1"));
  tracker.announce(0, announceOf("192.0.2.2", { complete: true }));
  tracker.announce(0, announceOf("192.0.2.3", { event: "paused" }));
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.2", { complete: true }))), ["192.0.2.1:6881"]);
  const answer = tracker.announce(0, announceOf("192.0.2.3", { event: "paused" }));
  assert.deepEqual(peersOf(answer), ["192.0.2.1:6881"]);
  assert.deepEqual(figures(answer), { seeds: 1, leechers: 2, downloaders: 1, downloads: 0 });
  assert.equal(peersOf(tracker.announce(0, announceOf("192.0.2.1"))).length, 2, "both have something for a leecher");
});

Deno.test("an asker with IPv6 is told of both families, one with IPv4 of its own", () => {
  const tracker = testTracker();
  tracker.announce(0, announceOf("192.0.2.1"));
  tracker.announce(0, announceOf("2001:db8::1"));
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.2"))), ["192.0.2.1:6881"]);
  const both = tracker.announce(0, announceOf("2001:db8::2"));
  assert.deepEqual(peersOf(both).sort(), ["192.0.2.1:6881", "192.0.2.2:6881", "[2001:db8::1]:6881"]);
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("2001:db8::2", { bothFamilies: false }))), [
    "[2001:db8::1]:6881",
  ]);
  assert.equal(both.leechers, 4);
});

Deno.test("as many peers are told of as are wanted: 50 unless it is said, at most the limit", () => {
  const tracker = testTracker({ maxWanted: 80 });
  for (let i = 0; i < 100; i++) tracker.announce(0, announceOf("192.0.2.1", { port: 1_000 + i }));
  const count = (wanted?: number): number => peersOf(tracker.announce(0, announceOf("192.0.2.2", { wanted }))).length;
  assert.deepEqual([undefined, 0, 1, 7, 80, 1_000].map(count), [50, 0, 1, 7, 80, 80]);
});

Deno.test("a download is counted once for each peer", () => {
  const tracker = testTracker();
  const done = announceOf("192.0.2.1", { complete: true, event: "completed" });
  tracker.announce(0, announceOf("192.0.2.1"));
  assert.equal(tracker.announce(0, done).downloads, 1);
  assert.equal(tracker.announce(0, done).downloads, 1);
  assert.equal(tracker.announce(0, announceOf("192.0.2.2", { complete: true, event: "completed" })).downloads, 2);
  assert.equal(tracker.announce(0, announceOf("192.0.2.3", { complete: true })).downloads, 2);
});

Deno.test("a peer that stops is forgotten, and told of nobody", () => {
  const tracker = testTracker();
  tracker.announce(0, announceOf("192.0.2.1"));
  tracker.announce(0, announceOf("192.0.2.2"));
  const answer = tracker.announce(0, announceOf("192.0.2.1", { event: "stopped" }));
  assert.deepEqual(peersOf(answer), []);
  assert.equal(answer.leechers, 1);
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.2"))), []);
  tracker.announce(0, announceOf("192.0.2.3", { event: "stopped", infoHash: hashOf(9) }));
  assert.equal(tracker.statistics().swarms, 1, "who was never there leaves nothing");
});

Deno.test("a late word of a client that another one replaced at its port says nothing of that one", () => {
  const tracker = testTracker();
  const old = announceOf("192.0.2.1", { key: 1, peerId: hashOf(1) });
  const young = announceOf("192.0.2.1", { key: 2, peerId: hashOf(2) });
  tracker.announce(0, old);
  tracker.announce(0, young);
  assert.equal(tracker.announce(0, { ...old, event: "stopped" }).leechers, 1);
  assert.equal(tracker.announce(0, { ...young, peerId: hashOf(3), event: "stopped" }).leechers, 0, "its key tells");
});

Deno.test("a peer without a port is answered, and nobody is told of it", () => {
  const tracker = testTracker();
  tracker.announce(0, announceOf("192.0.2.1"));
  const answer = tracker.announce(0, announceOf("192.0.2.2", { port: 0 }));
  assert.deepEqual(peersOf(answer), ["192.0.2.1:6881"]);
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.3"))), ["192.0.2.1:6881"]);
  assert.deepEqual(peersOf(tracker.announce(0, announceOf("192.0.2.2", { port: 0, infoHash: hashOf(7) }))), []);
});

Deno.test("peers that miss two announces are forgotten", () => {
  const tracker = testTracker({ interval: 30 * MINUTE });
  tracker.announce(0, announceOf("192.0.2.1"));
  assert.equal(tracker.announce(60 * MINUTE, announceOf("192.0.2.2")).leechers, 2);
  assert.equal(tracker.announce(67 * MINUTE, announceOf("192.0.2.2")).leechers, 1);
  assert.equal(tracker.expire(200 * MINUTE, 10), 1);
  const { peers, expired } = tracker.statistics();
  assert.deepEqual({ peers, expired }, { peers: 0, expired: 2 });
});

Deno.test("a full tracker forgets those that it saw longest ago", () => {
  const tracker = testTracker({ maxPeers: 3 });
  for (const port of [1, 2, 3]) tracker.announce(port, announceOf("192.0.2.1", { port }));
  tracker.announce(4, announceOf("192.0.2.1", { port: 1 }));
  const answer = tracker.announce(5, announceOf("192.0.2.1", { port: 4 }));
  assert.deepEqual(peersOf(answer).sort(), ["192.0.2.1:1", "192.0.2.1:3"]);
  assert.equal(tracker.statistics().displaced, 1);
});

Deno.test("intervals differ, so that those who came together don't come back together", () => {
  const tracker = testTracker();
  const intervals = Array.from({ length: 200 }, () => tracker.announce(0, announceOf("192.0.2.1")).interval);
  assert.ok(Math.min(...intervals) >= 1_620 && Math.max(...intervals) <= 1_980);
  assert.ok(new Set(intervals).size > 50);
  assert.equal(tracker.announce(0, announceOf("192.0.2.1")).minInterval, 60);
});

Deno.test("a list of torrents leaves out all others, for good", () => {
  const tracker = testTracker({ allow: new Set(["01".repeat(20)]) });
  tracker.announce(0, announceOf("192.0.2.1", { infoHash: hashOf(1) }));
  assert.throws(
    () => tracker.announce(0, announceOf("192.0.2.1", { infoHash: hashOf(2) })),
    (error) => error instanceof Refusal && error.retry === "never",
  );
  assert.equal(tracker.statistics().swarms, 1);
});

Deno.test("an address has only so many peers, and its own only count", () => {
  const tracker = testTracker({ peersPerAddress: 2 });
  for (const port of [1, 2]) tracker.announce(0, announceOf("2001:db8::1", { port }));
  assert.throws(() => tracker.announce(0, announceOf("2001:db8::2", { port: 3 })), /more than 2 peers at your address/);
  tracker.announce(0, announceOf("2001:db8::1", { port: 1 }));
  tracker.announce(0, announceOf("2001:db8:0:1::1", { port: 3 }));
  tracker.announce(0, announceOf("2001:db8::1", { port: 1, event: "stopped" }));
  tracker.announce(0, announceOf("2001:db8::1", { port: 3 }));
});

Deno.test("an address that asks too often is refused for a while, and others are not", () => {
  const tracker = testTracker({ requestsPerSecond: 2 });
  let served = 0;
  const ask = (now: number): unknown => (tracker.announce(now, announceOf("192.0.2.1")), served++);
  assert.throws(() => Array.from({ length: 100 }, () => ask(0)), /too many requests/);
  assert.equal(served, 20, "ten seconds' worth at once");
  assert.throws(() => tracker.scrape(0, new Uint8Array([192, 0, 2, 1]), []), /too many requests/);
  tracker.announce(0, announceOf("192.0.2.2"));
  ask(500);
  assert.throws(() => ask(500), /too many requests/);
});

Deno.test("a scrape tells of swarms in the order of their hashes", () => {
  const tracker = testTracker();
  tracker.announce(0, announceOf("192.0.2.1", { infoHash: hashOf(2) }));
  const answers = tracker.scrape(0, new Uint8Array([192, 0, 2, 9]), [hashOf(1), hashOf(2)]);
  assert.deepEqual(answers, [undefined, { seeds: 0, leechers: 1, downloaders: 1, downloads: 0 }]);
});

Deno.test("whoever announces whatever, figures add up, answers keep to the rules and memory to its bound", () => {
  const ip = fc.constantFrom("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2");
  const announce = fc.record({
    ip,
    port: fc.integer({ min: 0, max: 5 }),
    hash: fc.nat({ max: 2 }),
    complete: fc.boolean(),
    event: fc.constantFrom(undefined, "started", "stopped", "completed", "paused"),
    wanted: fc.option(fc.nat({ max: 300 }), { nil: undefined }),
    wait: fc.nat({ max: 20 * MINUTE }),
  });
  fc.assert(fc.property(fc.array(announce, { maxLength: 100 }), fc.nat(), (announces, seed) => {
    const tracker = testTracker({ maxPeers: 20, interval: 30 * MINUTE }, seed);
    let now = 0;
    for (const { ip, port, hash, complete, event, wanted, wait } of announces) {
      now += wait;
      const answer = tracker.announce(
        now,
        announceOf(ip, { port, infoHash: hashOf(hash), complete, wanted, ids: true, ...(event && { event }) }),
      );
      const told = peersOf(answer);
      assert.equal(new Set(told).size, told.length, "nobody twice");
      assert.ok(!told.includes(ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`), "never itself");
      assert.ok(told.length <= (wanted ?? 50) && told.length <= answer.seeds + answer.leechers);
      assert.equal(answer.ids.length, told.length * 20);
      if (ip.includes(".")) assert.equal(answer.peers6.length, 0);
      const swarm = tracker.table.findSwarm(hashOf(hash));
      assert.equal(answer.seeds + answer.leechers, swarm < 0 ? 0 : tracker.table.total(swarm));
      const everybody = answer.downloaders + (complete || event === "paused" ? 0 : answer.seeds);
      if (wanted === undefined && ip.includes(":") && event !== "stopped") assert.ok(told.length >= everybody - 1);
      const { peers, seeds, leechers, partialSeeds } = tracker.statistics();
      assert.ok(peers <= 20 && peers === seeds + leechers + partialSeeds);
    }
  }));
});
