import assert from "node:assert/strict";
import {
  acceptPeer,
  admitPeers,
  definePlugin,
  dialPeer,
  discoverPeers,
  object,
  pieceVerified,
  type Plugin,
  string,
  withDefault,
} from "../../core/api/mod.ts";
import { makeTorrent, sameFiles, SimSwarm } from "../testing/mod.ts";

const torrent = makeTorrent({ length: 6_000_000, pieceLength: 32 * 1024 });

/** A plugin that takes part in everything, and does nothing. */
const busy = definePlugin({
  name: "busy",
  wants: ["private"],
  config: object({ word: withDefault(string(), "") }),
  setup(plugin) {
    plugin.on(pieceVerified, () => {});
    plugin.on(dialPeer, (request, next) => next(request));
    plugin.on(acceptPeer, (request, next) => next(request));
    plugin.on(admitPeers, () => undefined);
    plugin.on(discoverPeers, async function* () {
      yield* await Promise.resolve([]);
      return { again: 1_000 };
    });
    const tick = (): void => void plugin.clock.after(50, tick);
    tick();
  },
}) as Plugin;

Deno.test("a transfer with 10 peers crosses 50 reloads without a lost peer or a failed piece", async () => {
  await using swarm = new SimSwarm(7);
  const seeds = [];
  for (let i = 0; i < 10; i++) {
    seeds.push(await swarm.seed(`seed${i}`, torrent, { profile: { limits: { up: "100 kB/s" } } }));
  }
  const leech = await swarm.peer("leech", { plugins: { busy } });
  await swarm.add(leech, torrent, { peers: seeds.map(({ address }) => address) });
  await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 10);
  const { generation } = leech.runtime.snapshot();
  for (let i = 1; i <= 50; i++) {
    const plan = await swarm.reload(leech, {
      plugins: { busy },
      // Each time the transport and the tracker client start anew; the third plugin comes, changes and goes.
      versions: { tcp: `v${i}`, tracker_http: `v${i}` },
      profile: {
        limits: { down: i % 2 ? "2 MB/s" : "unlimited", peers: 20 + i },
        plugins: [
          { use: "tcp" },
          ...i % 3 ? [{ use: "busy", with: { word: `${i % 3}` } }] : [],
          { use: "tracker_http" },
        ],
      },
    });
    assert.ok(plan.changes.length >= 4, JSON.stringify(plan));
    await swarm.simulation.run(90);
  }
  const { state, connected, done, length } = leech.runtime.swarm(torrent.id);
  assert.deepEqual({ state, connected }, { state: "downloading", connected: 10 });
  assert.ok(done > length / 4, "the transfer ran through it");
  assert.equal(leech.runtime.snapshot().generation, generation + 50);
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  const names = leech.events.map(({ event }) => event);
  assert.equal(names.filter((event) => event === "peer.connected").length, 10);
  assert.ok(!names.includes("piece.failed"));
  assert.deepEqual(leech.log.filter((line) => /^(error|warn)/.test(line)), []);
  // Ten connections and a listener later, nothing of 50 generations is left but the last.
  await swarm.simulation.run(5_000);
  const plugins = leech.runtime.snapshot().plugins;
  const held = plugins.filter(({ state }) => state === "retiring").map(({ name, holds }) => `${name} ${holds}`);
  assert.ok(held.every((line) => line.startsWith("tcp ") || line.startsWith("busy ")), held.join());
});

Deno.test("a retired transport's connections end with its drain, and peers come back over the new one", async () => {
  await using swarm = new SimSwarm(8);
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "100 kB/s" } } });
  const profile = { plugins: [{ use: "tcp", drain: "10s" }] };
  const leech = await swarm.peer("leech", { profile });
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 1);
  await swarm.reload(leech, { profile, versions: { tcp: "2" } });
  const states = (): string[] => leech.runtime.snapshot().plugins.map(({ state, holds }) => `${state} ${holds}`);
  await swarm.simulation.run(9_000);
  assert.deepEqual(states(), ["running 0", "retiring 1"]);
  assert.equal(leech.runtime.swarm(torrent.id).connected, 1);
  await swarm.simulation.run(2_000);
  assert.deepEqual(states(), ["running 0"]);
  await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 1);
  assert.deepEqual(states(), ["running 1"]);
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("peers are accepted at every moment of a reload that replaces the transport", async () => {
  await using swarm = new SimSwarm(9);
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "50 kB/s" } } });
  for (let i = 0; i < 20; i++) {
    const leech = await swarm.peer(`leech${i}`);
    await swarm.add(leech, torrent, { peers: [seed.address] });
    const reloading = swarm.reload(seed, { versions: { tcp: `v${i}` }, profile: { limits: { up: "50 kB/s" } } });
    await reloading;
    await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 1, 200);
  }
  assert.deepEqual(seed.runtime.snapshot().listening, ["0.0.0.0:6881"]);
});
