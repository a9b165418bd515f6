import assert from "node:assert/strict";
import { restorePeers, savePeers } from "./carried.ts";
import { announceOf, hashOf, MINUTE, peersOf, testTracker } from "./test_tracker.ts";

const turn = () => Promise.resolve();

Deno.test("peers outlive the code that knew them", async () => {
  const before = testTracker();
  before.announce(0, announceOf("192.0.2.1", { key: 5 }));
  before.announce(MINUTE, announceOf("192.0.2.2", { complete: true, event: "completed" }));
  before.announce(2 * MINUTE, announceOf("2001:db8::1", { event: "paused" }));
  before.announce(2 * MINUTE, announceOf("192.0.2.9", { infoHash: hashOf(2) }));
  const after = testTracker({}, 2);
  await restorePeers(10 * MINUTE, after, savePeers(10 * MINUTE, before), turn);
  const answer = after.announce(10 * MINUTE, announceOf("2001:db8::3", { ids: true }));
  const { seeds, leechers, downloaders, downloads } = answer;
  assert.deepEqual({ seeds, leechers, downloaders, downloads }, {
    seeds: 1,
    leechers: 3,
    downloaders: 2,
    downloads: 1,
  });
  assert.deepEqual(peersOf(answer).sort(), ["192.0.2.1:6881", "192.0.2.2:6881", "[2001:db8::1]:6881"]);
  assert.equal(new Set(answer.ids).size > 10, true);
  assert.equal(after.statistics().peers, 5);
  assert.equal(after.announce(67 * MINUTE, announceOf("2001:db8::3")).leechers, 2, "its age counts from before");
  const again = announceOf("192.0.2.2", { complete: true, event: "completed" });
  assert.equal(after.announce(67 * MINUTE, again).downloads, 1, "its download was counted");
});

Deno.test("a smaller tracker keeps the newest, and only torrents on its list", async () => {
  const before = testTracker({ maxPeers: 3_000, peersPerAddress: 3_000 });
  for (let port = 1; port <= 2_500; port++) {
    before.announce(port, announceOf("192.0.2.1", { port, infoHash: hashOf(1 + port % 2) }));
  }
  const saved = savePeers(0, before);
  const small = testTracker({ maxPeers: 10 });
  await restorePeers(0, small, saved, turn);
  assert.equal(small.statistics().peers, 10);
  assert.equal(small.table.address(small.table.oldest).port, 2_491);
  const choosy = testTracker({ maxPeers: 10, allow: new Set(["01".repeat(20)]) });
  await restorePeers(0, choosy, saved, turn);
  assert.equal(choosy.statistics().swarms, 1);
});
