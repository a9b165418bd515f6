import assert from "node:assert/strict";
import { makeTorrent, type SimPeer, type SimPeerOptions, SimSwarm } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 300_000 });

const plugins = (...names: readonly string[]): SimPeerOptions => ({
  profile: { plugins: names.map((use) => ({ use })) },
});
const all = plugins("tcp", "utp", "pex", "holepunch");

/** What a peer is connected to: `name over transport`. */
function connections(swarm: SimSwarm, peer: SimPeer): string[] {
  return peer.runtime.swarm(torrent.id).peers.map(({ address, transport }) => {
    const ip = address.slice(0, address.lastIndexOf(":"));
    return `${swarm.peers.find(({ host }) => host.ip === ip)?.host.name} over ${transport}`;
  }).sort();
}

/**
 * Two peers behind routers, and one that both are connected to. It names the second to the first, which can't dial it;
 * the second takes no names of anybody, so that it never dials the first on its own and so opens its router by chance.
 */
async function hiddenPair(
  swarm: SimSwarm,
  { relay = all, first = all, ports = "kept" }: {
    relay?: SimPeerOptions;
    first?: SimPeerOptions;
    ports?: "kept" | "changed";
  } = {},
): Promise<[a: SimPeer, b: SimPeer]> {
  const hub = await swarm.peer("relay", relay);
  await swarm.add(hub, torrent);
  const hidden: SimPeer[] = [];
  for (const [name, options] of [["a", first], ["b", plugins("utp", "holepunch")]] as const) {
    const host = swarm.simulation.host(name);
    swarm.simulation.network.nat(host, { ports });
    const peer = await swarm.peer(name, options, host);
    await swarm.add(peer, torrent, { peers: [hub.address] });
    hidden.push(peer);
  }
  return [hidden[0], hidden[1]];
}

Deno.test("two hosts behind routers that let nobody in connect through one that both are connected to", async () => {
  await using swarm = new SimSwarm(1);
  const [a, b] = await hiddenPair(swarm);
  const met = (): boolean =>
    connections(swarm, a).includes("b over utp") && connections(swarm, b).includes("a over utp");
  await swarm.until(met, 120_000);
  await swarm.simulation.run(30_000);
  assert.ok(met());
  assert.equal(connections(swarm, a).length, 2, "of the two dials one connection stays");
});

Deno.test("without a relay that speaks it they never connect", async () => {
  await using swarm = new SimSwarm(1);
  const [a, b] = await hiddenPair(swarm, { relay: plugins("tcp", "utp", "pex") });
  await swarm.simulation.run(300_000);
  assert.deepEqual([connections(swarm, a), connections(swarm, b)], [["relay over tcp"], ["relay over utp"]]);
});

Deno.test("they also meet where their routers show other ports, which the relay sees and nobody else knows", async () => {
  await using swarm = new SimSwarm(1);
  const [a, b] = await hiddenPair(swarm, { ports: "changed", first: plugins("utp", "tcp", "pex", "holepunch") });
  await swarm.until(() => connections(swarm, a).includes("b over utp"), 120_000);
  await swarm.until(() => connections(swarm, b).includes("a over utp"), 10_000);
});
