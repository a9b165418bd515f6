import assert from "node:assert/strict";
import {
  admitPeers,
  configReloaded,
  definePlugin,
  discoverPeers,
  type ExtensionPeer,
  object,
  parsePeerAddress,
  type Plugin,
  type PluginScope,
  pluginState,
  resolveMetadata,
  swarmState,
  wireExtensions,
} from "../../core/api/mod.ts";
import { parseMetainfo } from "../../core/wire/mod.ts";
import { makeTorrent, SimSwarm } from "../testing/mod.ts";

const torrent = makeTorrent({ length: 3_000_000 });

function plugin(name: string, setup: (scope: PluginScope<unknown>) => void | Promise<void>): Plugin {
  return definePlugin({ name, config: object({}), setup }) as Plugin;
}

Deno.test("a wire extension is switched on a live session: offered, replaced and withdrawn", async () => {
  await using swarm = new SimSwarm(1);
  const heard: string[] = [];
  const speaks = (word: string): Plugin =>
    plugin("chat", (scope) => {
      scope.provide(wireExtensions, "ut_chat", {
        join: (peer: ExtensionPeer) => ({
          peerHandshake: (offered) => {
            heard.push(`${word}: ${offered}`);
            if (offered) peer.send(new TextEncoder().encode(word));
          },
          message: (payload) => void heard.push(`${word} hears ${new TextDecoder().decode(payload)}`),
          closed: () => void heard.push(`${word} closed`),
        }),
      });
    });
  const chats = { plugins: [{ use: "tcp" }, { use: "chat" }] };
  const limits = { up: "50 kB/s" };
  const seed = await swarm.seed("seed", torrent, { plugins: { chat: speaks("seed") }, profile: { ...chats, limits } });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 1);
  await swarm.simulation.run(1_000);
  assert.deepEqual(heard.splice(0), ["seed: false"]);
  await swarm.reload(leech, { plugins: { chat: speaks("one") }, profile: chats });
  await swarm.simulation.run(100);
  assert.deepEqual(heard.splice(0).sort(), ["one hears seed", "one: true", "seed hears one", "seed: true"].sort());
  await swarm.reload(leech, { plugins: { chat: speaks("two") }, profile: chats, versions: { chat: "2" } });
  await swarm.simulation.run(100);
  assert.deepEqual(heard.splice(0), ["one closed", "two: true", "seed hears two"]);
  await swarm.reload(leech, {});
  await swarm.simulation.run(100);
  assert.deepEqual(heard.splice(0), ["two closed", "seed: false"]);
  assert.equal(leech.runtime.swarm(torrent.id).connected, 1);
  assert.equal(leech.events.filter(({ event }) => event === "peer.closed").length, 0);
});

Deno.test("plain data is carried to the next generation of the same version, and a socket keeps its port", async () => {
  await using swarm = new SimSwarm(2);
  const found: unknown[] = [];
  const ports: number[] = [];
  const nodes = (version: number, name: string): Plugin =>
    plugin("nodes", async (scope) => {
      found.push(scope.carry("nodes", version, () => ({ by: name, ids: new Uint8Array([1, 2]) })));
      const socket = await scope.net.datagrams({ ip: "0.0.0.0", port: 7100 });
      ports.push(socket.address.port);
    });
  const profile = { plugins: [{ use: "tcp" }, { use: "nodes" }] };
  const me = await swarm.peer("me", { plugins: { nodes: nodes(1, "a") }, profile });
  await swarm.reload(me, { plugins: { nodes: nodes(1, "b") }, profile, versions: { nodes: "b" } });
  await swarm.reload(me, { plugins: { nodes: nodes(2, "c") }, profile, versions: { nodes: "c" } });
  assert.deepEqual(found, [undefined, { by: "a", ids: new Uint8Array([1, 2]) }, undefined]);
  assert.deepEqual(ports, [7100, 7100, 7100]);
});

Deno.test("datagrams go to the old generation until the commit, and to the new one after it", async () => {
  await using swarm = new SimSwarm(3);
  const got: string[] = [];
  const listens = (name: string): Plugin =>
    plugin("listens", async (scope) => {
      const socket = await scope.net.datagrams({ ip: "0.0.0.0", port: 7100 });
      const next = async (): Promise<void> => {
        while (true) {
          const { bytes } = await socket.receive(new Uint8Array(100));
          got.push(`${name} ${bytes[0]}`);
        }
      };
      next().catch(() => {});
      await new Promise<void>((done) => scope.clock.after(50, done));
    });
  const profile = { plugins: [{ use: "tcp" }, { use: "listens" }] };
  const me = await swarm.peer("me", { plugins: { listens: listens("old") }, profile });
  const other = swarm.simulation.host("other");
  const socket = await swarm.simulation.complete(other.net.datagrams({ ip: "0.0.0.0", port: 0 }));
  const { peerAddress } = await import("../../core/wire/mod.ts");
  let sent = 0;
  const send = (): void => void socket.send(new Uint8Array([sent++]), peerAddress(me.host.ip, 7100));
  for (let at = 0; at < 100; at += 10) other.clock.after(at, send);
  await swarm.reload(me, { plugins: { listens: listens("new") }, profile, versions: { listens: "2" } });
  await swarm.simulation.run(100);
  assert.deepEqual(got.map((line) => Number(line.split(" ")[1])), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const first = got.findIndex((line) => line.startsWith("new"));
  assert.ok(first >= 4 && first <= 6 && got.slice(first).every((line) => line.startsWith("new")), got.join());
});

Deno.test("a plugin that keeps failing is left out for a while, longer each time, and its filter refuses meanwhile", async () => {
  await using swarm = new SimSwarm(4);
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "20 kB/s" } } });
  let broken = true;
  const states: string[] = [];
  const flaky = plugin("flaky", (scope) => {
    scope.on(admitPeers, ({ addresses }) => {
      if (broken) throw new Error("no list yet");
      return addresses.map(() => true);
    });
  });
  const watcher = plugin("watcher", (scope) => {
    scope.on(pluginState, ({ plugin, state, backoff }) => void states.push(`${plugin} ${state} ${backoff ?? ""}`));
  });
  const source = plugin("source", (scope) => {
    scope.on(discoverPeers, async function* () {
      yield await Promise.resolve({ address: parsePeerAddress(seed.address) });
      return { again: 1_000 };
    });
  });
  const leech = await swarm.peer("leech", {
    plugins: { flaky, watcher, source },
    profile: {
      egress: { allow: ["private"] },
      quarantine: { faults: 3, within: "1m", backoff: "10s", longest: "20s" },
      plugins: [{ use: "tcp" }, { use: "flaky" }, { use: "watcher" }, { use: "source" }],
    },
  });
  await swarm.add(leech, torrent);
  const state = () => leech.runtime.snapshot().plugins.find(({ name }) => name === "flaky")!;
  await swarm.until(() => state().state === "quarantined");
  assert.equal(state().lastError, 'Plugin "flaky" failed in peers.admit: no list yet');
  assert.ok(state().until! > leech.host.clock.wall());
  // Left out, it refuses still: nobody enters unasked.
  await swarm.simulation.run(5_000);
  assert.equal(leech.runtime.swarm(torrent.id).candidates, 0);
  await swarm.until(() => state().state === "running");
  await swarm.until(() => state().state === "quarantined");
  broken = false;
  await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 1, 300_000);
  assert.deepEqual(states, [
    "flaky quarantined 10000",
    "flaky running ",
    "flaky quarantined 20000",
    "flaky running ",
  ]);
  const events = leech.events.filter(({ event }) => event === "plugin.state").map(({ data }) => data.state);
  assert.deepEqual(events, ["quarantined", "running", "quarantined", "running"]);
});

Deno.test("what a plugin logged last as an error is shown until it is replaced", async () => {
  await using swarm = new SimSwarm(1);
  const grumbler = (message: string | undefined): Plugin =>
    plugin("grumbler", (scope) => {
      if (message !== undefined) scope.clock.after(10, () => scope.log.error(message));
    });
  const profile = { plugins: [{ use: "tcp" }, { use: "grumbler" }] };
  const peer = await swarm.peer("peer", { plugins: { grumbler: grumbler("no list") }, profile });
  const lastError = () => peer.runtime.snapshot().plugins.find(({ name }) => name === "grumbler")!.lastError;
  assert.equal(lastError(), undefined);
  await swarm.simulation.run(20);
  assert.equal(lastError(), "no list");
  await swarm.reload(peer, { plugins: { grumbler: grumbler(undefined) }, profile, versions: { grumbler: "2" } });
  assert.equal(lastError(), undefined);
});

Deno.test("a reload that fixes a quarantined plugin lets the new one in at once", async () => {
  await using swarm = new SimSwarm(5);
  const fails = plugin("p", (scope) => {
    scope.on(swarmState, () => {
      throw new Error("no");
    });
  });
  const heard: string[] = [];
  const works = plugin("p", (scope) => {
    scope.on(swarmState, ({ state }) => void heard.push(state));
    scope.on(configReloaded, ({ generation }) => void heard.push(`generation ${generation}`));
  });
  const profile = { quarantine: { faults: 1 }, plugins: [{ use: "tcp" }, { use: "p" }] };
  const me = await swarm.peer("me", { plugins: { p: fails }, profile });
  await swarm.add(me, torrent);
  await swarm.simulation.run(10);
  assert.equal(me.runtime.snapshot().plugins[1].state, "quarantined");
  await swarm.reload(me, { plugins: { p: works }, profile, versions: { p: "2" } });
  assert.equal(me.runtime.snapshot().plugins[1].state, "running");
  await swarm.simulation.complete(me.runtime.update(torrent.id, { paused: true }));
  assert.deepEqual(heard, ["generation 2", "paused"]);
});

Deno.test("a magnet that waits for metadata is asked of the plugins that a reload brings", async () => {
  await using swarm = new SimSwarm(6);
  const { info } = parseMetainfo(torrent.bytes);
  const asked: string[] = [];
  const brings = (name: string, raw: Promise<Uint8Array>): Plugin =>
    plugin("metadata", (scope) => {
      scope.on(resolveMetadata, () => {
        asked.push(name);
        return raw;
      });
    });
  const silent = brings("silent", new Promise(() => {}));
  const knows = brings("knows", Promise.resolve(info.raw));
  const profile = { plugins: [{ use: "tcp" }, { use: "metadata" }] };
  const me = await swarm.peer("me", { profile: { plugins: [{ use: "tcp" }] } });
  const { id } = await swarm.simulation.complete(
    me.runtime.add({ source: `magnet:?xt=urn:btih:${torrent.id.slice(0, 40)}` }),
  );
  await swarm.until(() => me.runtime.swarm(id).state === "failed");
  await swarm.reload(me, { plugins: { metadata: silent }, profile });
  await swarm.until(() => me.runtime.swarm(id).state === "metadata");
  await swarm.simulation.run(1_000);
  await swarm.reload(me, { plugins: { metadata: knows }, profile, versions: { metadata: "2" } });
  await swarm.until(() => me.runtime.swarm(id).state === "downloading");
  assert.deepEqual(asked, ["silent", "knows"]);
});

Deno.test("an announce that is under way is answered by the generation that was asked", async () => {
  await using swarm = new SimSwarm(7);
  const urls: string[] = [];
  await swarm.serve("tracker.example", async (request) => {
    urls.push(request.url);
    await new Promise<void>((done) => swarm.simulation.clock.after(2_000, done));
    return new Response("d8:completei1e10:incompletei0e8:intervali1800e5:peers0:e");
  });
  const announced = makeTorrent({ name: "announced", trackers: [["http://tracker.example/announce"]] });
  const me = await swarm.peer("me", { profile: { egress: { allow: ["private"] } } });
  await swarm.add(me, announced, { allowLocal: true });
  await swarm.until(() => urls.length === 1);
  await swarm.reload(me, { profile: { egress: { allow: ["private"] } }, versions: { tracker_http: "2" } });
  await swarm.simulation.run(5_000);
  const [tracker] = me.runtime.swarm(announced.id).trackers;
  assert.deepEqual([tracker.state, tracker.error, urls.length], ["working", undefined, 1]);
  assert.ok(me.runtime.snapshot().plugins.every(({ state }) => state === "running"));
});
