import assert from "node:assert/strict";
import {
  byteString,
  definePlugin,
  ed25519PublicKey,
  encode,
  fromHex,
  type PluginScope,
  ProtocolError,
  utf8Encode,
} from "weft";
import { createSimulation, type PluginBench, type Simulation, startPlugin } from "weft/testing";
import { itemTarget, mutableTarget, signItem } from "./items.ts";
import dht from "./mod.ts";
import { createDhtNode, type DhtConfig, type DhtNode } from "./node.ts";

const swarm = byteString(fromHex("0123456789abcdef0123456789abcdef01234567"));
const seed = new Uint8Array(32).fill(7);
const key = ed25519PublicKey(seed);
const salt = utf8Encode("salt");

interface Running {
  readonly bench: PluginBench;
  readonly node: DhtNode;
}

async function start(simulation: Simulation, count: number): Promise<Running[]> {
  const running: Running[] = [];
  for (let i = 0; i < count; i++) {
    let node: DhtNode | undefined;
    const plugin = definePlugin({
      name: `node${i}`,
      config: dht.config,
      async setup(scope: PluginScope<DhtConfig>) {
        node = await createDhtNode(scope);
      },
    });
    const bootstrap = running.length > 0 ? [`${running[0].bench.host.ip}:6881`] : [];
    const bench = await startPlugin(plugin, { simulation, with: { bootstrap } });
    running.push({ bench, node: node! });
  }
  await simulation.run(60_000);
  return running;
}

async function stop(running: readonly Running[]): Promise<void> {
  for (const { bench } of running) await bench.stop();
}

Deno.test("items pass from node to node, and the newest of a mutable one is found", async () => {
  using simulation = createSimulation({ seed: 1 });
  const running = await start(simulation, 12);
  const [a, b] = [running[3], running[9]];
  const v = encode("hello");
  const put = await a.bench.complete(a.node.putItem({ v }));
  assert.equal(put.target, itemTarget({ v }));
  assert.ok(put.taken >= 3);
  assert.deepEqual(await b.bench.complete(b.node.getItem(put.target)), { v });

  const target = mutableTarget(key, salt);
  for (const seq of [1, 2]) {
    const item = signItem(seed, key, { v: encode(`version ${seq}`), seq, salt });
    assert.ok((await a.bench.complete(a.node.putItem(item))).taken >= 3);
  }
  const found = await b.bench.complete(b.node.getItem(target, { salt }));
  assert.deepEqual([found?.seq, found?.v], [2, encode("version 2")]);
  assert.equal(await b.bench.complete(b.node.getItem(target)), undefined, "without its salt it is not to be trusted");
  await stop(running);
});

Deno.test("an old version, a wrong cas and a forged item are refused, and say why", async () => {
  using simulation = createSimulation({ seed: 1 });
  const running = await start(simulation, 4);
  const [{ bench, node }] = running;
  const item = (seq: number) => signItem(seed, key, { v: encode(`version ${seq}`), seq });
  await bench.complete(node.putItem(item(5)));
  const old = await bench.complete(node.putItem(item(4)));
  assert.ok(old.taken === 0 && old.refusal?.includes("seq"), JSON.stringify(old));
  const cas = await bench.complete(node.putItem(item(6), { cas: 4 }));
  assert.ok(cas.taken === 0 && cas.refusal?.includes("cas"));
  await assert.rejects(node.putItem({ ...item(7), seq: 8 }), ProtocolError);
  await stop(running);
});

Deno.test("scrape() estimates seeds and others, and sampleInfohashes() finds what is stored", async () => {
  using simulation = createSimulation({ seed: 1 });
  const running = await start(simulation, 12);
  for (const [i, { bench, node }] of running.slice(1, 9).entries()) {
    const { closest } = await bench.complete(node.lookup({ target: swarm, method: "get_peers" }));
    assert.ok(await bench.complete(node.announce(closest, swarm, 6881, i < 3)) >= 3);
  }
  const { bench, node } = running[11];
  const { seeds, peers } = await bench.complete(node.scrape(swarm));
  assert.deepEqual([Math.round(seeds), Math.round(peers)], [3, 5]);
  assert.deepEqual([...await bench.complete(node.sampleInfohashes(swarm))], [swarm]);
  await stop(running);
});

Deno.test("a lookup rejects when its signal aborts", async () => {
  using simulation = createSimulation({ seed: 1 });
  const running = await start(simulation, 3);
  const abort = new AbortController();
  const lookup = running[0].node.lookup({ target: swarm, method: "find_node" }, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(lookup, /enough/);
  await assert.rejects(running[0].node.lookup({ target: swarm, method: "find_node" }, abort.signal), /enough/);
  assert.equal(running[0].node.machine.lookups, 0);
  await stop(running);
});

Deno.test("a node alone looks for its neighbours ever more rarely", async () => {
  using simulation = createSimulation({ seed: 1 });
  const running = await start(simulation, 1);
  const other = simulation.host("other");
  const socket = await running[0].bench.complete(other.net.datagrams({ ip: "0.0.0.0", port: 6881 }));
  await running[0].bench.stop();
  const bench = await startPlugin(dht, { simulation, with: { bootstrap: [`${other.ip}:6881`] } });
  let asked = 0;
  const listen = async (): Promise<void> => {
    const into = new Uint8Array(2048);
    for (;; asked++) await socket.receive(into);
  };
  listen().catch(() => {});
  await simulation.run(60 * 60_000);
  assert.ok(asked >= 6 && asked <= 20, `${asked}`);
  await bench.stop();
  socket.close();
});
