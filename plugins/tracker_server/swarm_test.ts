import assert from "node:assert/strict";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "weft/testing";

const PORT = 6969;
const tracker = (settings: Record<string, unknown> = {}) => ({ plugins: [{ use: "tracker_server", with: settings }] });
const peers = { profile: { plugins: [{ use: "tcp" }, { use: "tracker_http" }, { use: "tracker_udp" }] } };

async function statistics({ simulation }: SimSwarm, { host }: SimPeer): Promise<Record<string, number>> {
  const url = new URL(`http://${host.ip}:${PORT}/stats`);
  return await (await simulation.complete(simulation.host("browser").net.http({ url }))).json();
}

for (const scheme of ["http", "udp"]) {
  Deno.test(`runtimes find each other through one that is a tracker and nothing else, over ${scheme}`, async () => {
    await using swarm = new SimSwarm(1);
    const server = await swarm.peer("tracker", { profile: tracker() });
    const torrent = makeTorrent({ length: 100_000, trackers: [[`${scheme}://${server.host.ip}:${PORT}/announce`]] });
    await swarm.seed("seed", torrent, peers);
    const leech = await swarm.peer("leech", peers);
    await swarm.add(leech, torrent);
    await swarm.complete(leech, torrent);
    assert.ok(await sameFiles(swarm, leech, torrent));
    await swarm.until(() => leech.runtime.swarm(torrent.id).trackers[0].seeders === 2);
    assert.deepEqual(server.log.filter((line) => !line.startsWith("info") && !line.startsWith("debug")), []);
  });
}

Deno.test("a reload with other settings forgets no peer, and connection ids stay good", async () => {
  await using swarm = new SimSwarm(2);
  const server = await swarm.peer("tracker", { profile: tracker() });
  const torrent = makeTorrent({ length: 100_000, trackers: [[`udp://${server.host.ip}:${PORT}/announce`]] });
  const seed = await swarm.seed("seed", torrent, peers);
  await swarm.until(() => seed.runtime.swarm(torrent.id).trackers[0].state === "working");
  const { changes } = await swarm.reload(server, { profile: tracker({ interval: "5m" }) });
  assert.deepEqual(changes.map(({ what, why }) => [what, why]), [["plugin tracker_server", "with.interval"]]);
  const { peers: known, announces } = await statistics(swarm, server);
  assert.deepEqual([known, announces], [1, 0]);
  await swarm.stop(seed);
  const after = await statistics(swarm, server);
  assert.deepEqual([after.peers, after.announces], [0, 1], "it said goodbye with the id that it had");
});
