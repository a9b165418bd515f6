import assert from "node:assert/strict";
import {
  dhtNodeNamed,
  dhtService,
  discoverPeers,
  InfoHash,
  parsePeerAddress,
  type PublicSwarm,
  swarmState,
  torrentId,
} from "weft";
import {
  createSimulation,
  makeTorrent,
  type PluginBench,
  sampleId,
  SimSwarm,
  type Simulation,
  startPlugin,
} from "weft/testing";
import dht from "./mod.ts";

const other = torrentId({ v1: InfoHash.parse("f".repeat(40)) });

/** Nodes of a DHT of their own; the first one is whom the others know, and node `peer` has the swarm `id`. */
async function network(simulation: Simulation, count: number, peer = -1, id = sampleId): Promise<PluginBench[]> {
  const benches: PluginBench[] = [];
  for (let i = 0; i < count; i++) {
    const bootstrap = benches.length > 0 ? [`${benches[0].host.ip}:6881`] : [];
    const swarms = i === peer ? [{ id, name: "sample", seeding: false, nodes: [] }] : [];
    benches.push(
      await startPlugin(dht, { simulation, host: simulation.host(`node${i}`), with: { bootstrap }, swarms }),
    );
  }
  await simulation.run(60_000);
  return benches;
}

async function stop(benches: readonly PluginBench[]): Promise<void> {
  for (const bench of benches) await bench.stop();
}

Deno.test("a peer that announced itself is found by another, who names the node that knew", async () => {
  using simulation = createSimulation({ seed: 1 });
  const benches = await network(simulation, 12, 3);
  await benches[3].discover();
  await simulation.run(5_000);
  const { candidates, again } = await benches[8].discover();
  assert.deepEqual(candidates.map(({ address }) => address.key), [`${benches[3].host.ip}:6881`]);
  assert.ok(benches.some(({ host }) => host.ip === candidates[0].namedBy));
  assert.equal(again, 900_000);
  assert.deepEqual(await benches[8].discover(other), { candidates: [], again: 120_000 });
  await stop(benches);
});

Deno.test("when thousands of swarms ask at once some are looked up, the rest are told to ask again, and nobody fails", async () => {
  using simulation = createSimulation({ seed: 1 });
  simulation.network.latency = 300;
  const benches = await network(simulation, 12);
  const agains: number[] = [];
  const ask = async (n: number): Promise<void> => {
    const id = torrentId({ v1: InfoHash.parse(n.toString(16).padStart(40, "a")) });
    const round = benches[3].bus.gather(discoverPeers, { id, wanted: 10, port: 6881 }, new AbortController().signal);
    for (;;) {
      const { done, value } = await round.next();
      if (done) return void agains.push(...value.values());
    }
  };
  for (let n = 0; n < 2_000; n++) void ask(n);
  await simulation.run(60_000);
  assert.equal(benches[3].failures.length, 0);
  assert.equal(agains.length, 2_000);
  const later = agains.filter((again) => again <= 60_000);
  assert.equal(agains.length - later.length, 48);
  assert.ok(new Set(later).size > 1_000, "they come back together");
  await stop(benches);
});

Deno.test("a swarm that is not among the public ones is not announced", async () => {
  using simulation = createSimulation({ seed: 1 });
  const benches = await network(simulation, 4);
  await benches[1].discover();
  await simulation.run(5_000);
  assert.deepEqual((await benches[2].discover()).candidates, []);
  await stop(benches);
});

Deno.test("both names of a hybrid are looked up and announced", async () => {
  using simulation = createSimulation({ seed: 1 });
  const v2 = new Uint8Array(32).fill(9);
  const hybrid = torrentId({ v1: sampleId.v1, v2 });
  const benches = await network(simulation, 4, 1, hybrid);
  await benches[1].discover(hybrid);
  await simulation.run(5_000);
  for (const id of [sampleId, torrentId({ v2 })]) {
    assert.equal((await benches[2].discover(id)).candidates.length, 1);
  }
  await stop(benches);
});

Deno.test("a seed is announced by itself, without a round, and again every 15 minutes", async () => {
  using simulation = createSimulation({ seed: 1 });
  const benches = await network(simulation, 4);
  const swarms: PublicSwarm[] = [{ id: sampleId, name: "sample", seeding: true, nodes: [] }];
  const bootstrap = [`${benches[0].host.ip}:6881`];
  const seed = await startPlugin(dht, { simulation, host: simulation.host("seed"), with: { bootstrap }, swarms });
  await simulation.run(20_000);
  seed.bus.emit(swarmState, { id: sampleId, name: "sample", private: false, state: "seeding" });
  for (let time = 0; time < 3; time++) {
    await simulation.run(20_000);
    assert.equal((await benches[2].discover()).candidates[0].address.ip, seed.host.ip);
    await simulation.run(35 * 60_000);
  }
  await stop([...benches, seed]);
});

Deno.test("it is known as the runtime's DHT node, unless it only asks", async () => {
  for (const [read_only, port] of [[false, 6881], [true, 0]] as const) {
    await using bench = await startPlugin(dht, { with: { bootstrap: [], read_only } });
    assert.equal(bench.bus.get(dhtService, "dht")?.port, port);
  }
});

Deno.test("nodes that peers and torrents name are a way in", async () => {
  using simulation = createSimulation({ seed: 1 });
  const benches = await network(simulation, 4, 1);
  await benches[1].discover();
  const address = `${benches[0].host.ip}:6881`;
  const by = { peer: [], torrent: [{ id: sampleId, name: "sample", seeding: false, nodes: [address] }] };
  for (const [who, swarms] of Object.entries(by)) {
    const host = simulation.host(who);
    const bench = await startPlugin(dht, { simulation, host, with: { bootstrap: [] }, swarms });
    if (who === "peer") bench.bus.emit(dhtNodeNamed, { address: parsePeerAddress(address) });
    await simulation.run(1_000);
    const { candidates } = await bench.discover();
    assert.ok(candidates.some(({ address }) => address.ip === benches[1].host.ip), who);
    await bench.stop();
  }
  await stop(benches);
});

Deno.test("after a restart it knows its nodes without those to begin with, and has the same id", async () => {
  using simulation = createSimulation({ seed: 1 });
  const benches = await network(simulation, 6, 1);
  const state = new Map<string, Uint8Array>();
  const host = simulation.host("restarted");
  const start = (bootstrap: string[]) => startPlugin(dht, { simulation, host, state, with: { bootstrap } });
  const before = await start([`${benches[0].host.ip}:6881`]);
  await simulation.run(30_000);
  await before.stop();
  const kept = state.get("tables")!;
  const after = await start([]);
  await simulation.run(10_000);
  await benches[1].discover();
  assert.equal((await after.discover()).candidates.length, 1);
  await after.stop();
  assert.deepEqual(state.get("tables")!.subarray(0, 30), kept.subarray(0, 30), "the id");
  state.set("tables", Uint8Array.of(1, 2, 3));
  await using damaged = await start([]);
  assert.ok(damaged.log.some((line) => line.includes("damaged")));
  await stop(benches);
});

Deno.test("names that don't resolve don't stop it", async () => {
  await using bench = await startPlugin(dht, { with: { bootstrap: ["nowhere.example:6881"] } });
  await bench.simulation.run(60_000);
  assert.deepEqual(await bench.discover(), { candidates: [], again: 120_000 });
});

Deno.test("a reload keeps the nodes: who joins through it finds peers", async () => {
  await using swarm = new SimSwarm(1);
  const profile = (bootstrap: string[]) => ({ plugins: [{ use: "tcp" }, { use: "dht", with: { bootstrap } }] });
  const torrent = makeTorrent();
  const seed = await swarm.seed("seed", torrent, { profile: profile([]) });
  const hub = await swarm.peer("hub", { profile: profile([seed.address]) });
  await swarm.simulation.run(60_000);
  await swarm.reload(hub, { profile: profile([]) });
  const leech = await swarm.peer("leech", { profile: profile([hub.address]) });
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent);
});
