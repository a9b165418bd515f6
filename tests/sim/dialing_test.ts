import assert from "node:assert/strict";
import {
  definePlugin,
  dialPeer,
  object,
  peerUnreachable,
  type Plugin,
  type PluginScope,
  swarmAdded,
  transports,
} from "../../core/api/mod.ts";
import { makeTorrent, type SimPeer, type SimPeerOptions, SimSwarm } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 200_000 });
const other = makeTorrent({ length: 1_000, seed: 2 });

/** A plugin without settings. */
function bare(name: string, setup: (plugin: PluginScope) => void, provides: readonly string[] = []): Plugin {
  return definePlugin({ name, config: object({}), provides, setup }) as Plugin;
}

/** A transport that never answers; `setup` may add to it. */
const hanging = (name: string, setup: (plugin: PluginScope) => void = () => {}): Plugin =>
  bare(name, (plugin) => {
    plugin.provide(transports, name, {
      dial: () => new Promise(() => {}),
      listen: (at) => Promise.resolve({ address: { ...at, family: 4, key: `${at.ip}:${at.port}` }, close: () => {} }),
    });
    setup(plugin);
  }, ["transports", `transports:${name}`]);

/** Writes down every dial, and what could not be reached. */
function watching(seen: string[]): Plugin {
  return bare("watching", (plugin) => {
    plugin.on(dialPeer, (request, next) => {
      const { transport, lastEncryption } = request;
      seen.push(lastEncryption ? `${transport}, ${lastEncryption} before` : transport);
      return next(request);
    });
    plugin.on(peerUnreachable, ({ error }) => void seen.push(error));
  });
}

function using(uses: readonly string[], plugins: Readonly<Record<string, Plugin>> = {}): SimPeerOptions {
  return { plugins, profile: { plugins: uses.map((use) => ({ use })) } };
}

/** `transport encryption` of each connection. */
const connections = (peer: SimPeer): string[] =>
  peer.runtime.swarm(torrent.id).peers.map(({ transport, encryption }) => `${transport} ${encryption}`);

const connected = (swarm: SimSwarm, peer: SimPeer, limitMs?: number): Promise<void> =>
  swarm.until(() => connections(peer).length > 0, limitMs);

Deno.test("a peer without the preferred transport is reached over the next one in under half a second", async () => {
  await using swarm = new SimSwarm(1);
  const seen: string[] = [];
  const seed = await swarm.seed("seed", torrent, using(["tcp"]));
  const leech = await swarm.peer("leech", using(["watching", "utp", "tcp"], { watching: watching(seen) }));
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await connected(swarm, leech, 500);
  assert.deepEqual([connections(leech), seen], [["tcp none"], ["utp", "tcp"]]);
});

Deno.test("what worked is preferred when the peer is dialed again, and a refused encryption is not tried twice", async () => {
  await using swarm = new SimSwarm(1);
  const seen: string[] = [];
  const slow = { ...using(["tcp"]).profile, limits: { up: "2 kB/s" } };
  const seed = await swarm.seed("seed", torrent, { profile: slow });
  const leech = await swarm.peer("leech", using(["watching", "mse", "utp", "tcp"], { watching: watching(seen) }));
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).downloaded > 0);
  assert.deepEqual([connections(leech), seen], [["tcp none"], ["utp", "tcp"]]);
  seen.length = 0;
  for (const paused of [true, false]) {
    await swarm.simulation.complete(seed.runtime.update(torrent.id, { paused }));
  }
  await swarm.until(() => connections(leech).length === 0);
  await connected(swarm, leech);
  assert.deepEqual(seen, ["tcp, none before"]);
});

Deno.test("a peer that can't be reached is told with every transport's reason", async () => {
  await using swarm = new SimSwarm(1);
  const seen: string[] = [];
  const nobody = swarm.simulation.host("nobody");
  const leech = await swarm.peer(
    "leech",
    using(["watching", "hang", "tcp"], {
      watching: watching(seen),
      hang: hanging("hang"),
    }),
  );
  await swarm.add(leech, torrent, { peers: [`${nobody.ip}:6881`] });
  await swarm.until(() => seen.length >= 3, 20_000);
  assert.deepEqual(seen.slice(0, 2), ["hang", "tcp"]);
  assert.match(seen[2], /^tcp: .*refused; hang: no answer within 10 s$/);
});

Deno.test("a transport whose plugin is quarantined in the middle of a race is passed over", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent, using(["tcp"]));
  let armed = false;
  const broken = hanging("broken", (plugin) =>
    void plugin.on(swarmAdded, () => {
      if (armed) throw new Error("broken");
    }));
  const seen: string[] = [];
  const options = using(["watching", "hang", "broken", "tcp"], {
    watching: watching(seen),
    hang: hanging("hang"),
    broken,
  });
  const leech = await swarm.peer("leech", { ...options, profile: { ...options.profile, quarantine: { faults: 1 } } });
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => seen.length === 1);
  armed = true;
  await swarm.add(leech, other);
  const states = leech.runtime.snapshot().plugins.map(({ name, state }) => `${name} ${state}`);
  assert.ok(states.includes("broken quarantined"), states.join());
  await connected(swarm, leech, 500);
  assert.deepEqual(seen, ["hang", "broken", "tcp"]);
});

Deno.test("a reload in the middle of a race doesn't end it", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent, using(["tcp"]));
  const seen: string[] = [];
  const plugins = { watching: watching(seen), hang: hanging("hang") };
  const leech = await swarm.peer("leech", using(["watching", "hang", "tcp"], plugins));
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => seen.length === 1);
  await swarm.reload(leech, { ...using(["watching", "tcp"], plugins), versions: { tcp: "2" } });
  assert.deepEqual([seen, connections(leech)], [["hang"], []]);
  await connected(swarm, leech, 500);
  await swarm.complete(leech, torrent);
  assert.deepEqual(seen, ["hang", "tcp"]);
});
