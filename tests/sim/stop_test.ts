// A stop ends, whatever hangs; what is about to end well is waited for.
import assert from "node:assert/strict";
import { definePlugin, object, type Plugin, swarmCompleted, trackerClients } from "../../core/api/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import { encode } from "../../core/wire/mod.ts";
import { makeTorrent, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";

/** The longest that a stop may take (ms). */
const LIMIT = 10_000;
const forever = new Promise<never>(() => {});

function plugin(name: string, setup: Plugin["setup"]): Plugin {
  return definePlugin({ name, config: object({}), setup }) as Plugin;
}

function withPlugins(swarm: SimSwarm, ...own: readonly Plugin[]): Promise<SimPeer> {
  return swarm.peer("peer", {
    profile: { plugins: [{ use: "tcp" }, ...own.map(({ name }) => ({ use: name }))] },
    plugins: Object.fromEntries(own.map((each) => [each.name, each])),
  });
}

/** Stops a peer. How long it took, and what it said it didn't wait for. */
async function stopped(swarm: SimSwarm, peer: SimPeer): Promise<{ took: number; said: readonly string[] }> {
  swarm.peers.splice(swarm.peers.indexOf(peer), 1);
  const began = swarm.simulation.now;
  await swarm.simulation.complete(peer.runtime.stop());
  const said = peer.log.filter((line) => line.includes("Stopped without waiting"));
  return { took: swarm.simulation.now - began, said };
}

Deno.test("trackers that never answer hold up a stop for as long as they may, and no longer", async () => {
  await using swarm = new SimSwarm(1);
  const answer = { interval: 1_800_000, peers: [] };
  const client = plugin("slow", (scope) =>
    void scope.provide(trackerClients, "slow", {
      announce: ({ event }) => event === "stopped" ? forever : Promise.resolve(answer),
    }));
  const peer = await withPlugins(swarm, client);
  const trackers = Array.from({ length: 50 }, (_, i) => [`slow://${i}/announce`]);
  await swarm.add(peer, makeTorrent({ length: 1_000, trackers }));
  await swarm.simulation.run(5_000);
  const { took } = await stopped(swarm, peer);
  assert.ok(took >= 4_000 && took < LIMIT, `it took ${took} ms`);
});

Deno.test("plugins that never end, many of them, are named and left behind", async () => {
  await using swarm = new SimSwarm(1);
  const hanging = Array.from({ length: 30 }, (_, i) =>
    plugin(`p${i}`, (scope) => {
      for (let n = 0; n < 3; n++) scope.use({ [Symbol.asyncDispose]: () => forever });
    }));
  const peer = await withPlugins(swarm, ...hanging);
  const { took, said } = await stopped(swarm, peer);
  assert.ok(took < LIMIT, `it took ${took} ms`);
  assert.match(said.join("\n"), /any longer for plugin "p29"; .*; 20 more$/);
});

Deno.test("a disk that hangs is named, with the swarm that waits for it", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 300_000 });
  const seed = await swarm.seed("seed", torrent);
  const peer = await swarm.peer("peer");
  await swarm.add(peer, torrent, { peers: [seed.address] });
  await swarm.until(() => peer.runtime.swarm(torrent.id).downloaded > 0, 60_000);
  peer.host.disk.latency = 1e9;
  const { took, said } = await stopped(swarm, peer);
  assert.ok(took < LIMIT, `it took ${took} ms`);
  assert.match(said.join("\n"), /any longer for "[^"]+", its trackers or files/);
});

Deno.test("all of it at once holds up a stop for less than ten seconds", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 300_000, trackers: [["bad://a/announce"]] });
  const seed = await swarm.seed("seed", torrent);
  const bad = plugin("bad", (scope) => {
    scope.provide(trackerClients, "bad", { announce: () => forever });
    scope.on(swarmCompleted, () => forever);
    scope.use({ [Symbol.asyncDispose]: () => forever });
  });
  const peer = await withPlugins(swarm, bad);
  await swarm.add(peer, torrent, { peers: [seed.address] });
  await swarm.complete(peer, torrent);
  peer.host.disk.latency = 1e9;
  const { took, said } = await stopped(swarm, peer);
  assert.ok(took < LIMIT, `it took ${took} ms`);
  assert.match(said.join("\n"), /what plugin "bad" does about an event/);
});

Deno.test("what a plugin does about a swarm that is complete may end before it does, and its network is there", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 300_000 });
  const seed = await swarm.seed("seed", torrent);
  const done: string[] = [];
  const hook = plugin("hook", (scope) => {
    scope.on(swarmCompleted, async ({ name }) => {
      for (let turns = 0; turns < 3; turns++) {
        await new Promise<void>((resolve) => void scope.clock.after(500, resolve));
        scope.signal.throwIfAborted();
      }
      done.push(name);
    });
  });
  const peer = await withPlugins(swarm, hook);
  await swarm.add(peer, torrent, { peers: [seed.address] });
  await swarm.complete(peer, torrent);
  assert.deepEqual(done, []);
  const { took, said } = await stopped(swarm, peer);
  assert.deepEqual(done, [peer.runtime.swarm(torrent.id).name]);
  assert.deepEqual(said, []);
  assert.ok(took <= 1_500, `it took ${took} ms`);
});

Deno.test("a handler that goes on as long as its plugin does holds up no stop", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 300_000 });
  const loop = plugin("loop", (scope) => {
    scope.on(swarmCompleted, () => new Promise((resolve) => scope.signal.addEventListener("abort", () => resolve())));
  });
  const seed = await swarm.seed("seed", torrent);
  const peer = await withPlugins(swarm, loop);
  await swarm.add(peer, torrent, { peers: [seed.address] });
  await swarm.complete(peer, torrent);
  await swarm.simulation.run(60_000);
  const { took } = await stopped(swarm, peer);
  assert.ok(took < 1_000, `it took ${took} ms`);
});

Deno.test("a swarm that was left by an earlier run begins as it is wished now: a local tracker is asked at once", async () => {
  await using swarm = new SimSwarm(2);
  const first = await swarm.peer("peer");
  const { host } = first;
  let asked = 0;
  await swarm.simulation.complete(host.net.serve({ ip: "127.0.0.1", port: 7000 }, () => {
    asked++;
    return new Response(encode({ interval: 1800, peers: new Uint8Array() }) as Uint8Array<ArrayBuffer>);
  }));
  const torrent = makeTorrent({ length: 1_000, trackers: [["http://127.0.0.1:7000/announce"]] });
  await swarm.add(first, torrent);
  await swarm.simulation.run(1_000);
  await swarm.stop(first);
  const errors: string[] = [];
  const runtime = await swarm.simulation.complete(startRuntime({
    host,
    settings: await swarm.settings({}),
    version: "0.0.0",
    hold: torrent.id,
  }));
  using _events = runtime.subscribe(({ event, data }) => {
    if (event === "tracker.status" && data.error) errors.push(String(data.error));
  }, 0);
  // However long it takes to say what is wished.
  await swarm.simulation.run(30_000);
  assert.equal(asked, 0);
  await swarm.simulation.complete(runtime.update(torrent.id, { allowLocal: true }));
  await swarm.simulation.run(1_000);
  assert.ok(asked > 0);
  assert.deepEqual(errors, []);
  await swarm.simulation.complete(runtime.stop());
});
