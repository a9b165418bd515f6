import assert from "node:assert/strict";
import {
  admitPeers,
  definePlugin,
  dialPeer,
  discoverPeers,
  object,
  parsePeerAddress,
  peerConnected,
  type Plugin,
  resolveMetadata,
  swarmState,
  trackerClients,
  transports,
  wireExtensions,
} from "../../core/api/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 300_000, trackers: [["bad://tracker/announce"], ["worse://tracker/announce"]] });
const nonsense = [undefined, null, 7, NaN, "192.0.2.1:6881", [], {}, { address: null }, () => {}] as never[];
const forever = new Promise<never>(() => {});

function plugin(name: string, setup: Plugin["setup"]): Plugin {
  return definePlugin({ name, config: object({}), setup }) as Plugin;
}

/** A download with this plugin beside tcp: it must complete, whatever the plugin does. */
async function completesBeside(bad: Plugin): Promise<SimPeer> {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent);
  const leech = await swarm.peer("leech", {
    profile: { plugins: [{ use: bad.name }, { use: "tcp" }] },
    plugins: { [bad.name]: bad },
  });
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent, 120_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  await swarm.simulation.run(300_000);
  return leech;
}

Deno.test("a source that yields nonsense is passed over", async () => {
  const leech = await completesBeside(plugin("bad", (scope) => {
    scope.on(discoverPeers, async function* () {
      for (const value of nonsense) yield await Promise.resolve(value);
      for (const port of [NaN, 0, -1, 1e9, "6881", Infinity]) yield { address: { ip: "192.0.2.1", port } as never };
      yield { address: parsePeerAddress("192.0.2.1:1"), namedBy: {} as never };
      return { again: NaN };
    });
    scope.on(discoverPeers, () => nonsense as never);
    scope.on(discoverPeers, () => 7 as never);
  }));
  assert.ok(leech.log.some((line) => /"bad" failed in peers.discover: it yielded what is no peer/.test(line)));
});

Deno.test("a source that yields without end is cut off, and named", async () => {
  const leech = await completesBeside(plugin("endless", (scope) => {
    scope.on(discoverPeers, async function* () {
      for (let i = 0;; i++) yield { address: parsePeerAddress(`198.51.100.1:${1 + i % 65535}`) };
    });
  }));
  assert.ok(leech.log.some((line) => line.includes("endless") && line.includes("more than 10000 values")));
});

Deno.test("a source that never answers is given up, and named", async () => {
  const leech = await completesBeside(plugin("stuck", (scope) => {
    // deno-lint-ignore require-yield
    scope.on(discoverPeers, async function* () {
      await forever;
    });
  }));
  assert.match(leech.log.join("\n"), /stuck.*no answer within 60000 ms/);
});

Deno.test("a transport that hangs, throws or opens nonsense leaves the dial to the next one", async () => {
  for (
    const [lie, dial] of [
      ["hangs", () => forever],
      ["throws", () => {
        throw new Error("no");
      }],
      ["opens nothing", () => Promise.resolve(undefined as never)],
      ["opens what is no stream", () => Promise.resolve({ close() {} } as never)],
      ["answers what is no promise", () => 7 as never],
    ] as const
  ) {
    await completesBeside(plugin(lie.replaceAll(" ", "-"), (scope) => {
      scope.provide(transports, "bad", {
        dial,
        listen: (at) => Promise.resolve({ address: parsePeerAddress(`${at.ip}:1`), close() {} }),
      });
    }));
  }
});

Deno.test("tracker clients that answer nonsense or never fail their trackers alone", async () => {
  const answers = [undefined, null, 7, {}, { peers: "many" }, {
    peers: nonsense,
    interval: NaN,
    warning: {},
  }] as never[];
  const leech = await completesBeside(plugin("bad", (scope) => {
    let next = 0;
    scope.provide(trackerClients, "bad", {
      announce: () => Promise.resolve(answers[next++ % answers.length]),
      scrape: () => Promise.resolve(7 as never),
    });
    scope.provide(trackerClients, "worse", { announce: () => next % 2 ? forever : 7 as never });
  }));
  assert.ok(
    leech.runtime.swarm(torrent.id).trackers.every(({ error, warning }) =>
      typeof (error ?? warning ?? "") === "string"
    ),
  );
});

Deno.test("extensions and listeners that are nonsense are named, and take no part", async () => {
  for (const value of nonsense) {
    await completesBeside(plugin("bad", (scope) => {
      scope.provide(wireExtensions, "ut_bad", { join: () => value });
      scope.provide(wireExtensions, "ut_worse", value);
      scope.on(peerConnected, () => forever as never);
      if (typeof value === "function") scope.on(swarmState, value);
      else assert.throws(() => scope.on(swarmState, value), /A handler for swarm\.state must be a function/);
    }));
  }
});

Deno.test("what throws things that are no errors is told all the same", async () => {
  const leech = await completesBeside(plugin("odd", (scope) => {
    const thrown = [Object.create(null), Symbol("x"), undefined, { toString: () => forever }];
    let next = 0;
    scope.on(swarmState, () => {
      throw thrown[next++ % thrown.length];
    });
    scope.clock.after(10, () => {
      throw Object.create(null);
    });
  }));
  assert.ok(leech.log.some((line) => line.includes("odd")), leech.log.join("\n"));
});

Deno.test("a filter that answers nonsense or never lets nobody in, but whom the user named", async () => {
  for (const answer of [null, 7, "yes", {}, [1, "true"]] as never[]) {
    await completesBeside(plugin("filter", (scope) => void scope.on(admitPeers, () => answer)));
  }
  await completesBeside(plugin("filter", (scope) => void scope.on(admitPeers, () => forever)));
});

Deno.test("a wrap of dials that answers nonsense or never refuses the dial, and stops nothing", async () => {
  for (const answer of [undefined, 7, {}, { stream: {} }, forever] as never[]) {
    await using swarm = new SimSwarm(2);
    const seed = await swarm.seed("seed", torrent);
    const wrap = plugin("wrap", (scope) => void scope.on(dialPeer, () => answer));
    const leech = await swarm.peer("leech", {
      profile: { plugins: [{ use: "tcp" }, { use: "wrap" }] },
      plugins: { wrap },
    });
    await swarm.add(leech, torrent, { peers: [seed.address] });
    await swarm.simulation.run(120_000);
    assert.equal(leech.runtime.swarm(torrent.id).downloaded, 0);
    assert.equal(leech.runtime.swarm(torrent.id).state, "downloading");
  }
});

Deno.test("metadata that is nonsense fails its swarm with a clear error", async () => {
  for (const raw of [7, "x", {}, new Uint8Array(), new Uint8Array(9)] as never[]) {
    await using swarm = new SimSwarm(3);
    const bad = plugin("bad", (scope) => void scope.on(resolveMetadata, () => raw));
    const peer = await swarm.peer("peer", { profile: { plugins: [{ use: "bad" }, { use: "tcp" }] }, plugins: { bad } });
    const adding = peer.runtime.add({ source: `magnet:?xt=urn:btih:${"a".repeat(40)}` });
    const { id } = await swarm.simulation.complete(adding);
    await swarm.simulation.run(10_000);
    const { state, error } = peer.runtime.swarm(id);
    assert.ok(state === "failed" && /metadata/.test(error ?? ""), `${state}: ${error}`);
  }
});
