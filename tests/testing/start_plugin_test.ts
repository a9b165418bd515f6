import assert from "node:assert/strict";
import {
  definePlugin,
  discoverPeers,
  InfoHash,
  object,
  parsePeerAddress,
  peerAddress,
  string,
  swarmAdded,
  torrentId,
  transports,
} from "weft";
import { sampleId, startPlugin } from "./start_plugin.ts";

const roster = definePlugin({
  name: "roster",
  config: object({ url: string({ default: "https://peers.example/list" }) }),
  example: { url: "https://peers.example/list" },
  setup(plugin) {
    plugin.on(discoverPeers, async function* ({ id, wanted, port }, signal) {
      const answer = await plugin.net.fetch(`${plugin.config.url}?${id.hex}&${wanted}&${port}`, { signal });
      for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
      return { again: 60_000 };
    });
  },
});

Deno.test("startPlugin() runs a plugin behind the real guard, with servers by name", async () => {
  const asked: string[] = [];
  await using bench = await startPlugin(roster, {
    serve: {
      "peers.example": ({ url }) => {
        asked.push(url);
        return Response.json(["192.0.2.7:6881", "[2001:db8::7]:1"]);
      },
    },
  });
  assert.deepEqual(bench.attached, [{ hook: "peers.discover" }]);
  const { candidates, again } = await bench.discover(sampleId, { wanted: 3 });
  assert.deepEqual(candidates.map(({ address }) => address.key), ["192.0.2.7:6881", "[2001:db8::7]:1"]);
  assert.equal(again, 60_000);
  assert.deepEqual(asked, [`https://peers.example/list?${sampleId.hex}&3&6881`]);
});

Deno.test("discover() throws what the plugin failed with, naming it", async () => {
  await using bench = await startPlugin(roster, { with: { url: "https://10.0.0.1/" } });
  await assert.rejects(bench.discover(), /"roster" failed in peers\.discover: .*private address is not allowed/);
  assert.equal(bench.failures.length, 1);
});

Deno.test("startPlugin() refuses a `with` that has mistakes, and names the key", async () => {
  await assert.rejects(startPlugin(roster, { with: { ulr: "x" } }), /unknown key "ulr" in with, did you mean "url"/);
});

Deno.test("stop() undoes what the plugin acquired, and open() names what is open before", async () => {
  const bench = await startPlugin(definePlugin({
    name: "busy",
    config: object({}),
    async setup(plugin) {
      plugin.clock.after(5_000, () => {});
      await plugin.net.listen({ ip: "0.0.0.0", port: 7000 });
      await plugin.net.datagrams({ ip: "0.0.0.0", port: 7001 });
      await plugin.net.serve({ ip: "0.0.0.0", port: 7002 }, () => new Response());
      plugin.net.fetch("http://203.0.113.9/").catch(() => {});
      plugin.provide(transports, "none", { dial: () => Promise.reject(new Error("no")) } as never);
    },
  }));
  await bench.simulation.run(100);
  assert.deepEqual(bench.open(), [
    "a timer of 5000 ms",
    "a listener on 0.0.0.0:7000",
    "a UDP socket on 0.0.0.0:7001",
    "an HTTP server on 0.0.0.0:7002",
    "a request for http://203.0.113.9/",
  ]);
  assert.deepEqual(bench.attached, [{ hook: "transports", key: "none" }]);
  await bench.stop();
  await bench.stop();
  await bench.simulation.run(5_000);
  assert.deepEqual(bench.open(), []);
  assert.deepEqual(bench.attached, []);
});

Deno.test("startPlugin() passes on what setup throws, and leaves nothing of it", async () => {
  const failing = definePlugin({
    name: "failing",
    config: object({}),
    async setup(plugin) {
      plugin.on(swarmAdded, () => {});
      await plugin.net.resolve("nowhere.example");
    },
  });
  await assert.rejects(startPlugin(failing), /Cannot resolve "nowhere\.example"/);
});

Deno.test("plugins on two hosts of one world reach each other", async () => {
  const id = torrentId({ v1: InfoHash.parse("f".repeat(40)) });
  const echo = definePlugin({
    name: "echo",
    config: object({}),
    async setup(plugin) {
      const listener = await plugin.net.listen({ ip: "0.0.0.0", port: 7 });
      listener.accept().then((stream) => stream.write(Uint8Array.of([...plugin.swarms].length)), () => {});
    },
  });
  await using a = await startPlugin(echo, { swarms: [{ id, name: "x", seeding: false, nodes: [] }] });
  await using b = await startPlugin(echo, { simulation: a.simulation });
  const stream = await b.complete(b.host.net.connect(peerAddress(a.host.ip, 7)));
  const into = new Uint8Array(1);
  await b.complete(stream.read(into));
  assert.equal(into[0], 1);
});

Deno.test("the shared UDP port, and state that outlives the plugin, are there as in a runtime", async () => {
  const taken: string[] = [];
  const claiming = definePlugin({
    name: "claiming",
    config: object({}),
    async setup(plugin) {
      plugin.udp.claim([100], (bytes, from) => taken.push(`${bytes.length} of ${from.ip}`) > 0);
      const runs = await plugin.state.get("runs");
      await plugin.state.set("runs", Uint8Array.of((runs?.[0] ?? 0) + 1));
    },
  });
  const state = new Map<string, Uint8Array>();
  await (await startPlugin(claiming, { state })).stop();
  await using bench = await startPlugin(claiming, { state });
  assert.equal(state.get("runs")?.[0], 2);
  const other = bench.simulation.host("other");
  const socket = await bench.complete(other.net.datagrams({ ip: "0.0.0.0", port: 1 }));
  await bench.complete(socket.send(Uint8Array.of(100, 1), peerAddress(bench.host.ip, 6881)));
  await bench.simulation.run(100);
  assert.deepEqual(taken, [`2 of ${other.ip}`]);
  await bench.stop();
  assert.deepEqual(bench.open(), []);
});
