// What becomes of the peers that sources name, until they are dialed.
import assert from "node:assert/strict";
import { admitPeers, definePlugin, discoverPeers, object, peerUnreachable, type Plugin } from "../../core/api/mod.ts";
import { peerPriority } from "../../core/swarm/peers/priority.ts";
import { encode, encodePeers4, parsePeerAddress, type PeerAddress, peerAddress } from "../../core/wire/mod.ts";
import { makeTorrent, SimSwarm } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 200_000 });

/** A source that names these peers, once. */
function source(peers: () => Iterable<unknown>): Plugin {
  return definePlugin({
    name: "source",
    config: object({}),
    setup(scope) {
      scope.on(discoverPeers, async function* () {
        await Promise.resolve();
        for (const peer of peers()) yield peer as { address: PeerAddress };
        return { again: 3_600_000 };
      });
    },
  }) as Plugin;
}

function profile(...names: readonly string[]): Record<string, unknown> {
  return { plugins: ["tcp", ...names].map((use) => ({ use })) };
}

/** Addresses of some hosts at which nobody listens, as many of each host as a pool takes. */
function* nobody(swarm: SimSwarm, hosts: number): Generator<{ address: PeerAddress }> {
  for (let i = 0; i < hosts; i++) {
    const { ip } = swarm.simulation.host(`nobody ${i}`);
    for (let port = 1; port <= 64; port++) yield { address: peerAddress(ip, port) };
  }
}

Deno.test("the source of a peer is stamped by the kernel, whatever the plugin says of it", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent);
  const address = parsePeerAddress(seed.address);
  const liar = source(() => [{ address, source: "user", trusted: true }]);
  const leech = await swarm.peer("leech", { profile: profile("liar"), plugins: { liar } });
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).peers.length > 0);
  assert.equal(leech.runtime.swarm(torrent.id).peers[0].source, "liar");
  await swarm.until(() => seed.runtime.swarm(torrent.id).peers.length > 0);
  assert.equal(seed.runtime.swarm(torrent.id).peers[0].source, "incoming");
});

Deno.test("one peer that sources name as IPv4 and as IPv6-mapped IPv4 is one candidate, and dialed once", async () => {
  await using swarm = new SimSwarm(2);
  const target = swarm.simulation.host("target");
  const listener = await swarm.simulation.complete(target.net.listen({ ip: "0.0.0.0", port: 6881 }));
  let dials = 0;
  void (async () => {
    for (;;) {
      await listener.accept();
      dials++;
    }
  })().catch(() => {});
  const plain = source(() => [{ address: peerAddress(target.ip, 6881) }]);
  const mapped = source(() => [
    { address: { ip: `::ffff:${target.ip}`, port: 6881, family: 6, key: `[::ffff:${target.ip}]:6881` } },
    { address: { ip: `0:0:0:0:0:ffff:${target.ip}`, port: 6881, family: 6, key: "another" } },
  ]);
  const leech = await swarm.peer("leech", { profile: profile("plain", "mapped"), plugins: { plain, mapped } });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(5_000);
  assert.equal(leech.runtime.swarm(torrent.id).candidates, 1);
  assert.equal(dials, 1);
});

Deno.test("candidates are dialed in the order of BEP 40 once a tracker told our own address", async () => {
  await using swarm = new SimSwarm(3);
  const order: string[] = [];
  const peers: PeerAddress[] = [];
  for (let i = 0; i < 12; i++) {
    const host = swarm.simulation.host(`peer ${i}`, `${70 + 5 * i}.1.${i}.9`);
    const listener = await swarm.simulation.complete(host.net.listen({ ip: "0.0.0.0", port: 6881 }));
    peers.push(peerAddress(host.ip, 6881));
    void listener.accept().then((stream) => {
      order.push(host.ip);
      stream.close();
    });
  }
  const tracker = await swarm.serve("tracker.example", () =>
    new Response(
      new Uint8Array(encode({
        interval: 1_800,
        peers: encodePeers4(peers),
        "external ip": Uint8Array.of(99, 1, 2, 3),
      })),
    ));
  assert.ok(tracker.ip);
  const tracked = makeTorrent({ length: 200_000, trackers: [["http://tracker.example/announce"]] });
  const leech = await swarm.peer("leech", {
    profile: { ...profile("tracker_http"), limits: { half_open: 1, dials: 5 } },
  });
  await swarm.add(leech, tracked);
  await swarm.until(() => order.length === peers.length, 60_000);
  const own = peerAddress("99.1.2.3", 6881);
  const ranked = peers.toSorted((a, b) => peerPriority(own, b) - peerPriority(own, a));
  assert.deepEqual(order, ranked.map(({ ip }) => ip));
});

Deno.test("candidates are admitted in batches of at most 50, and a flood of them leaves room for what others name", async () => {
  await using swarm = new SimSwarm(4);
  const seed = await swarm.seed("seed", torrent);
  const batches: number[] = [];
  const filter = definePlugin({
    name: "filter",
    config: object({}),
    setup(scope) {
      scope.on(admitPeers, ({ source, addresses }) => {
        if (source === "flood") batches.push(addresses.length);
        return addresses.map(() => true);
      });
    },
  }) as Plugin;
  const flooded = [...nobody(swarm, 50)];
  const flood = source(() => flooded);
  // It comes late, when the flood has filled the pool.
  let found: { address: PeerAddress }[] = [];
  const honest = definePlugin({
    name: "honest",
    config: object({}),
    setup(scope) {
      scope.on(discoverPeers, async function* () {
        await Promise.resolve();
        yield* found;
        return { again: 30_000 };
      });
    },
  }) as Plugin;
  const leech = await swarm.peer("leech", {
    profile: { ...profile("flood", "honest", "filter"), limits: { dials: 100 } },
    plugins: { flood, honest, filter },
  });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(1_000);
  assert.equal(leech.runtime.swarm(torrent.id).candidates, 2_000);
  assert.ok(Math.max(...batches) <= 50);
  assert.ok(batches.length <= flooded.length / 50 + 1, `${batches.length} calls of the filter`);
  found = [{ address: parsePeerAddress(seed.address) }];
  await swarm.complete(leech, torrent, 120_000);
});

Deno.test("a source may name what the user wrote into its entry, also nearby; nobody else may", async () => {
  await using swarm = new SimSwarm(9);
  const near = (egress: readonly string[]): Plugin =>
    ({
      ...source(() => ["127.0.0.1:7", "127.0.0.1:8"].map((text) => ({ address: parsePeerAddress(text) }))),
      egress: () => egress,
    }) as Plugin;
  const dialed: string[] = [];
  const watch = definePlugin({
    name: "watch",
    config: object({}),
    setup: (scope) => void scope.on(peerUnreachable, ({ address }) => void dialed.push(address.key)),
  }) as Plugin;
  const leech = await swarm.peer("leech", {
    profile: profile("watch", "far", "near"),
    plugins: { near: near(["127.0.0.1:7"]), far: near([]), watch },
  });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(1_000);
  assert.deepEqual(dialed, ["127.0.0.1:7"]);
});
