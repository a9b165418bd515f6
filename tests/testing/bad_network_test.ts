import assert from "node:assert/strict";
import { makeTorrent, sameFiles, SimSwarm, simulate } from "./mod.ts";

const torrent = makeTorrent({ length: 1_000_000 });

/** Five runtimes on a bad network, one of which dies and comes back, find each other by DHT and PEX; what happened. */
async function story(seed: number): Promise<string> {
  await using swarm = new SimSwarm(seed);
  const { network } = swarm.simulation;
  network.everywhere({ latency: 40, jitter: 20, loss: 0.03, reorder: 0.05, duplicate: 0.02, mtu: 1_400 });
  network.access("seed", { up: { bandwidth: 250_000, queue: 64_000 } });
  network.connect("leech 1", "leech 2", { latency: 300, loss: 0.2 });
  const options = (bootstrap: readonly string[]) => ({
    profile: { plugins: [{ use: "tcp" }, { use: "pex" }, { use: "dht", with: { bootstrap } }] },
  });
  const source = await swarm.seed("seed", torrent, options([]));
  const leeches = [];
  for (let i = 1; i <= 4; i++) {
    const leech = await swarm.peer(`leech ${i}`, options([source.address]));
    await swarm.add(leech, torrent);
    leeches.push(leech);
  }
  await swarm.simulation.run(5_000);
  leeches[3].host.kill();
  const again = await swarm.peer("", options([source.address]), leeches[3].host.restart());
  for (const leech of [...leeches.slice(0, 3), again]) {
    await swarm.complete(leech, torrent);
    assert.ok(await sameFiles(swarm, leech, torrent));
  }
  return swarm.story();
}

simulate("a torrent crosses a bad network, and the same seed tells the same story", 3, async (seed) => {
  const told = await story(seed);
  assert.ok(told.split("\n").length > 100);
  assert.equal(await story(seed), told);
  if (seed === 1) assert.notEqual(await story(seed + 1), told);
});
