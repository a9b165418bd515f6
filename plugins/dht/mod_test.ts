import assert from "node:assert/strict";
import { InfoHash, torrentId } from "weft";
import { createSimulation, type PluginBench, sampleId, type Simulation, startPlugin } from "weft/testing";
import dht from "./mod.ts";

/** Nodes of a DHT of their own; the first one is whom the others know. */
async function network(simulation: Simulation, count: number): Promise<PluginBench[]> {
  const benches: PluginBench[] = [];
  for (let i = 0; i < count; i++) {
    const bootstrap = benches.length > 0 ? [`${benches[0].host.ip}:6881`] : [];
    benches.push(await startPlugin(dht, { simulation, host: simulation.host(`node${i}`), with: { bootstrap } }));
  }
  await simulation.run(60_000);
  return benches;
}

Deno.test("a peer that announced itself is found by another, who names the node that knew", async () => {
  using simulation = createSimulation({ seed: 1 });
  const benches = await network(simulation, 12);
  await benches[3].discover();
  await simulation.run(5_000);
  const { candidates, again } = await benches[8].discover();
  assert.deepEqual(candidates.map(({ address }) => address.key), [`${benches[3].host.ip}:6881`]);
  assert.ok(benches.some(({ host }) => host.ip === candidates[0].namedBy));
  assert.equal(again, 900_000);
  const nobody = await benches[8].discover(torrentId({ v1: InfoHash.parse("f".repeat(40)) }));
  assert.deepEqual(nobody, { candidates: [], again: 120_000 });
  for (const bench of benches) await bench.stop();
});
