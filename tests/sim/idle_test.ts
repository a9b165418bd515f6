/** Swarms with nothing to do rest: whatever concerns them must wake them. */
import assert from "node:assert/strict";
import { definePlugin, discoverPeers, object, parsePeerAddress, type Plugin } from "../../core/api/mod.ts";
import { makeTorrent, SimSwarm } from "../support/sim_swarm.ts";

const MINUTE = 60_000;

/** A plugin that names peers for one swarm, and tells `asked` when it is to. */
function naming(id: string, addresses: readonly string[], asked = (): void => {}): Plugin {
  return definePlugin({
    name: "naming",
    config: object({}),
    setup(plugin) {
      plugin.on(discoverPeers, async function* (request) {
        if (request.id.hex !== id) return;
        asked();
        await Promise.resolve();
        for (const address of addresses) yield { address: parsePeerAddress(address) };
      });
    },
  }) as Plugin;
}

/** Addresses at which nobody is. */
function nobody(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `40.0.${i >> 8}.${i & 255}:6881`);
}

Deno.test("while one swarm could use every connection, one at rest takes in who comes, and another finds its peers", async () => {
  await using swarm = new SimSwarm(1);
  const [greedy, resting, lonely] = ["greedy", "resting", "lonely"].map((name, i) =>
    makeTorrent({ name, length: 100_000, seed: i + 1 })
  );
  const seed = await swarm.seed("seed", lonely);
  const peer = await swarm.seed("peer", resting, {
    profile: { limits: { connections: 10, dials: 2 }, plugins: [{ use: "tcp" }, { use: "naming" }] },
    plugins: { naming: naming(lonely.id, [seed.address]) },
  });
  await swarm.add(peer, greedy, { peers: nobody(1_000) });
  await swarm.simulation.run(10_000);
  await swarm.add(peer, lonely);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, resting, { peers: [peer.address] });
  await swarm.complete(leech, resting, 2 * MINUTE);
  await swarm.complete(peer, lonely, 2 * MINUTE);
});

Deno.test("seeds that a swarm knows of don't keep it from looking for peers once it seeds itself", async () => {
  await using swarm = new SimSwarm(2);
  const torrent = makeTorrent({ length: 1_000_000 });
  const seeds: string[] = [];
  // Slow ones, so that each of them is of use.
  const slow = { profile: { limits: { up: "50 KB/s" } } };
  for (let i = 0; i < 4; i++) seeds.push((await swarm.seed(`seed ${i}`, torrent, slow)).address);
  let rounds = 0;
  const peer = await swarm.peer("peer", {
    profile: { limits: { peers: 4 }, plugins: [{ use: "tcp" }, { use: "naming" }] },
    plugins: { naming: naming(torrent.id, seeds, () => rounds++) },
  });
  await swarm.add(peer, torrent);
  await swarm.complete(peer, torrent, MINUTE);
  const before = rounds;
  await swarm.simulation.run(60 * MINUTE);
  assert.ok(rounds > before, "its sources were not asked any more");
});

Deno.test("a swarm at rest hears of a source that a reload brings, long before the others are due", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 100_000 });
  const seed = await swarm.seed("seed", torrent);
  const plugins = { calm: naming(torrent.id, []), naming: naming(torrent.id, [seed.address]) };
  const peer = await swarm.peer("peer", { plugins, profile: { plugins: [{ use: "tcp" }, { use: "calm" }] } });
  await swarm.add(peer, torrent);
  await swarm.simulation.run(60 * MINUTE);
  await swarm.reload(peer, { plugins, profile: { plugins: [{ use: "tcp" }, { use: "calm" }, { use: "naming" }] } });
  await swarm.complete(peer, torrent, 15_000);
});

Deno.test("a swarm that reached its seeding goal seeds on when it gets another, from the user or from a reload", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ length: 100_000 });
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { seed_time: "1m" } } });
  const state = (): string => seed.runtime.swarm(torrent.id).state;
  await swarm.until(() => state() === "finished", 2 * MINUTE);
  await swarm.simulation.run(10 * MINUTE);
  assert.equal(state(), "finished");
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { limits: { seedTime: 3 * MINUTE } }));
  await swarm.until(() => state() === "seeding", 10_000);
  await swarm.until(() => state() === "finished", 3 * MINUTE);
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { limits: { seedTime: undefined } }));
  await swarm.simulation.run(MINUTE);
  assert.equal(state(), "finished");
  await swarm.reload(seed, { profile: { limits: { ratio: 2 } } });
  await swarm.until(() => state() === "seeding", 10_000);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
});
