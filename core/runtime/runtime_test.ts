import assert from "node:assert/strict";
import {
  ConfigError,
  definePlugin,
  dialPeer,
  discoverPeers,
  object,
  peerConnected,
  type Plugin,
  swarmState,
  transports,
  wireExtensions,
} from "../api/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../../tests/support/sim_swarm.ts";

const torrent = makeTorrent({ length: 300_000 });

function plugin(name: string, setup: Plugin["setup"]): Plugin {
  return definePlugin({ name, config: object({}), setup }) as Plugin;
}

/** A peer with `tcp` and these plugins. */
function withPlugins(swarm: SimSwarm, name: string, ...own: readonly Plugin[]): Promise<SimPeer> {
  return swarm.peer(name, {
    profile: { plugins: [{ use: "tcp" }, ...own.map(({ name }) => ({ use: name }))] },
    plugins: Object.fromEntries(own.map((each) => [each.name, each])),
  });
}

Deno.test("a runtime that can't start says where and why, and leaves nothing", async () => {
  await using swarm = new SimSwarm(1);
  const host = swarm.simulation.host("peer");
  const before = swarm.simulation.pendingTimers;
  const bad = plugin("bad", (scope) => {
    scope.clock.after(1_000, () => {});
    throw new Error("no luck");
  });
  const options = { profile: { plugins: [{ use: "tcp" }, { use: "bad" }] }, plugins: { bad } };
  await assert.rejects(swarm.peer("peer", options, host), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.problems[0], /profile\.yaml:\d+:\d+: cannot start "bad": no luck/);
    return true;
  });
  assert.equal(swarm.simulation.pendingTimers, before);
  // The port and the database are free again.
  await swarm.peer("peer", {}, host);
});

Deno.test("a port that is taken refuses the start, and frees the rest", async () => {
  await using swarm = new SimSwarm(2);
  const host = swarm.simulation.host("peer");
  const other = await swarm.simulation.complete(host.net.listen({ ip: "0.0.0.0", port: 6881 }));
  await assert.rejects(swarm.peer("peer", {}, host), /6881/);
  other.close();
  await swarm.peer("peer", {}, host);
});

Deno.test("two runtimes can't use one state", async () => {
  await using swarm = new SimSwarm(3);
  const first = await swarm.peer("peer");
  await assert.rejects(swarm.peer("peer", { profile: { listen: "0.0.0.0:7000" } }, first.host), /another Weft/);
});

Deno.test("swarms come back after a restart, as they were", async () => {
  await using swarm = new SimSwarm(4);
  const first = await swarm.seed("peer", torrent);
  await swarm.simulation.complete(first.runtime.update(torrent.id, { paused: true, limits: { up: 1_000 } }));
  await swarm.stop(first);
  const second = await swarm.peer("peer", {}, first.host);
  const { state, origin, name } = second.runtime.swarm(torrent.id);
  assert.deepEqual({ state, origin, name }, { state: "paused", origin: "user", name: "sample" });
  await swarm.simulation.complete(second.runtime.update(torrent.id, { paused: false }));
  await swarm.complete(second, torrent);
});

Deno.test("a swarm is found by a prefix of its id that no other has", async () => {
  await using swarm = new SimSwarm(5);
  const peer = await swarm.seed("peer", torrent);
  assert.equal(peer.runtime.swarm(torrent.id.slice(0, 6).toUpperCase()).id, torrent.id);
  assert.throws(() => peer.runtime.swarm(torrent.id.slice(0, 3)), /No swarm/);
  assert.throws(() => peer.runtime.swarm("feedfeed"), /No swarm "feedfeed" here/);
});

Deno.test("what can't be understood, or is here already, is not added", async () => {
  await using swarm = new SimSwarm(6);
  const peer = await swarm.seed("peer", torrent);
  const add = (source: Uint8Array | string): Promise<unknown> =>
    swarm.simulation.complete(peer.runtime.add({ source }));
  await assert.rejects(add(new Uint8Array(10)), { name: "CommandError" });
  await assert.rejects(add("magnet:?xt=nothing"), { name: "CommandError" });
  await assert.rejects(add(torrent.bytes), /Cannot add "sample": it is here already, as "sample"/);
});

Deno.test("after stop() nothing is added, and stopping again is fine", async () => {
  await using swarm = new SimSwarm(7);
  const peer = await swarm.peer("peer");
  await swarm.stop(peer);
  await swarm.simulation.complete(peer.runtime.stop());
  await assert.rejects(swarm.simulation.complete(peer.runtime.add({ source: torrent.bytes })), /is stopping/);
});

Deno.test("stop() waits for what is being added or removed, and leaves nothing of it", async () => {
  await using swarm = new SimSwarm(12);
  const host = swarm.simulation.host("peer");
  const idle = swarm.simulation.pendingTimers;
  const peer = await swarm.peer("peer", {}, host);
  const other = makeTorrent({ name: "other", length: 300_000, seed: 2 });
  await swarm.add(peer, other);
  const { runtime } = peer;
  const under = [runtime.remove(other.id), runtime.add({ source: torrent.bytes })];
  under.push(runtime.stop());
  await swarm.simulation.complete(Promise.all(under));
  assert.equal(swarm.simulation.pendingTimers, idle);
  const again = await swarm.peer("peer", {}, host);
  assert.deepEqual(again.runtime.snapshot().swarms.map(({ name }) => name), ["sample"]);
});

Deno.test("a plugin that throws wherever it can is named, and all goes on without it", async () => {
  await using swarm = new SimSwarm(8);
  const seed = await swarm.seed("seed", torrent);
  const fails = (): never => {
    throw new Error("I always fail");
  };
  const bad = plugin("bad", (scope) => {
    scope.on(peerConnected, fails);
    scope.on(swarmState, () => Promise.reject(new Error("I always fail")));
    // deno-lint-ignore require-yield
    scope.on(discoverPeers, async function* () {
      await Promise.resolve();
      fails();
    });
    scope.provide(wireExtensions, "ut_bad", { join: fails });
    scope.clock.after(10, fails);
  });
  const leech = await withPlugins(swarm, "leech", bad);
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.match(leech.runtime.snapshot().plugins.find(({ name }) => name === "bad")!.lastError!, /I always fail/);
});

Deno.test("an extension that throws at a message is named, and takes no more part in the session", async () => {
  await using swarm = new SimSwarm(9);
  const chatty = plugin("chatty", (scope) => {
    scope.provide(wireExtensions, "ut_x", {
      join: (peer) => ({
        peerHandshake: () => peer.send(new Uint8Array(3)),
        message() {},
      }),
    });
  });
  const fragile = plugin("fragile", (scope) => {
    scope.provide(wireExtensions, "ut_x", {
      join: () => ({
        message() {
          throw new Error("unheard of");
        },
        closed() {
          throw new Error("not even this");
        },
      }),
    });
  });
  const a = await withPlugins(swarm, "a", chatty);
  const b = await withPlugins(swarm, "b", fragile);
  await swarm.add(a, torrent);
  await swarm.add(b, torrent, { peers: [a.address] });
  await swarm.simulation.run(5_000);
  assert.ok(b.log.some((line) => line.includes("fragile") && line.includes("unheard of")), b.log.join("\n"));
  assert.equal(b.runtime.swarm(torrent.id).connected, 1);
  await swarm.simulation.complete(b.runtime.remove(torrent.id));
});

Deno.test("a dial filter that throws refuses the dial", async () => {
  await using swarm = new SimSwarm(10);
  const seed = await swarm.seed("seed", torrent);
  const strict = plugin("strict", (scope) => {
    scope.on(dialPeer, () => Promise.reject(new Error("no encryption, no peer")));
  });
  const leech = await withPlugins(swarm, "leech", strict);
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.simulation.run(60_000);
  assert.equal(leech.runtime.swarm(torrent.id).downloaded, 0);
  assert.equal(seed.events.filter(({ event }) => event === "peer.connected").length, 0);
});

Deno.test("a plugin may come to provide something while it runs, but not what another provides", async () => {
  await using swarm = new SimSwarm(11);
  const errors: unknown[] = [];
  const late = plugin("late", (scope) => {
    scope.clock.after(100, () => {
      try {
        scope.provide(transports, "tcp", {} as never);
      } catch (error) {
        errors.push(error);
      }
      scope.provide(wireExtensions, "ut_late", { join: () => ({ message() {} }) });
    });
  });
  const peer = await withPlugins(swarm, "peer", late);
  await swarm.simulation.run(1_000);
  assert.equal(errors.length, 1);
  assert.match(String(errors[0]), /tcp/);
  assert.ok(!peer.log.some((line) => line.includes("A timer failed")), peer.log.join("\n"));
});

Deno.test("the snapshot counts what is held, and all of it is given back", async () => {
  await using swarm = new SimSwarm(12);
  const seed = await swarm.seed("seed", torrent);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  await swarm.simulation.run(60_000);
  const { connections, memory, listening, swarms } = leech.runtime.snapshot();
  assert.equal(connections, 0);
  assert.deepEqual(listening, ["0.0.0.0:6881"]);
  assert.equal(swarms.length, 1);
  assert.ok(memory.readBuffers <= 16 * 64 * 1024, `${memory.readBuffers} bytes of read buffers`);
});
