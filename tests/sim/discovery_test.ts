import assert from "node:assert/strict";
import {
  admitPeers,
  definePlugin,
  discoverPeers,
  duration,
  object,
  parsePeerAddress,
  type Plugin,
  url,
} from "../../core/api/mod.ts";
import { encode } from "../../core/wire/bencode.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 500_000 });

/** The example of a discovery plugin, as the README has it. */
const roster = definePlugin({
  name: "roster",
  config: object({ url: url({ schemes: ["http:"] }), every: duration({ default: "5m", min: "30s" }) }),
  setup(plugin) {
    plugin.on(discoverPeers, async function* ({ id }, signal) {
      const query = new URL(plugin.config.url);
      query.searchParams.set("info_hash", id.hex);
      const answer = await plugin.net.fetch(query, { signal });
      for (const text of await answer.json() as string[]) yield { address: parsePeerAddress(text) };
      return { again: plugin.config.every };
    });
  },
}) as Plugin;

/** A plugin that yields what it is given, and counts its rounds. */
function naming(what: () => readonly unknown[], again?: number): { plugin: Plugin; rounds(): number } {
  let rounds = 0;
  const plugin = definePlugin({
    name: "naming",
    config: object({}),
    setup(scope) {
      scope.on(discoverPeers, async function* () {
        rounds++;
        await Promise.resolve();
        for (const each of what()) yield each as { address: ReturnType<typeof parsePeerAddress> };
        return { again };
      });
    },
  }) as Plugin;
  return { plugin, rounds: () => rounds };
}

/** A plugin that filters candidates. */
function filter(answer: (addresses: readonly string[]) => unknown): Plugin {
  return definePlugin({
    name: "filter",
    config: object({}),
    setup(scope) {
      scope.on(admitPeers, ({ addresses }) => answer(addresses.map(({ key }) => key)) as boolean[]);
    },
  }) as Plugin;
}

function plugins(...names: readonly (string | Record<string, unknown>)[]): Record<string, unknown> {
  return { plugins: ["tcp", ...names].map((name) => typeof name === "string" ? { use: name } : name) };
}

const named = (peer: SimPeer): { address: ReturnType<typeof parsePeerAddress> } => ({
  address: parsePeerAddress(peer.address),
});

Deno.test("a discovery plugin that asks a web server brings the peers of a download", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent);
  const server = swarm.simulation.host("roster");
  const asked: string[] = [];
  await swarm.simulation.complete(server.net.serve({ ip: "0.0.0.0", port: 80 }, (request) => {
    asked.push(new URL(request.url).searchParams.get("info_hash")!);
    return Response.json([seed.address]);
  }));
  const leech = await swarm.peer("leech", {
    profile: plugins({ use: "roster", as: "roster-eu", with: { url: `http://${server.ip}/list`, every: "10m" } }),
    plugins: { roster },
  });
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).peers.length > 0);
  assert.equal(leech.runtime.swarm(torrent.id).peers[0].source, "roster-eu");
  await swarm.complete(leech, torrent);
  assert.deepEqual(asked, [torrent.id.slice(0, 40)]);
  await swarm.simulation.run(3_600_000);
  assert.ok(asked.length >= 2 && asked.length <= 7, `it was asked ${asked.length} times in an hour`);
});

Deno.test("a plugin that yields nonsense, never ends, or throws is named, and the others bring peers", async () => {
  await using swarm = new SimSwarm(2);
  const seed = await swarm.seed("seed", torrent);
  const nonsense = naming(() => [undefined, {}, { address: "1.2.3.4:5" }, { address: { ip: "x", key: "x", port: 1 } }]);
  const good = naming(() => [named(seed)]);
  const stuck = definePlugin({
    name: "stuck",
    config: object({}),
    setup(scope) {
      scope.on(discoverPeers, async function* () {
        await new Promise(() => {});
        yield named(seed);
      });
    },
  }) as Plugin;
  const broken = naming(() => {
    throw new Error("no such luck");
  });
  const leech = await swarm.peer("leech", {
    profile: plugins("nonsense", "stuck", "broken", "good"),
    plugins: { nonsense: nonsense.plugin, stuck, broken: broken.plugin, good: good.plugin },
  });
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(leech.log.some((line) => line.includes('"nonsense" failed in peers.discover')), leech.log.join("\n"));
  await swarm.simulation.run(61_000);
  for (const name of ["broken", "stuck"]) assert.ok(leech.log.some((line) => line.includes(name)), name);
});

Deno.test("a source that never wants to be asked again, or at once, is asked neither never nor always", async () => {
  await using swarm = new SimSwarm(3);
  const eager = naming(() => [], 0);
  const lazy = naming(() => [], Infinity);
  const a = await swarm.peer("a", { profile: plugins("eager"), plugins: { eager: eager.plugin } });
  const b = await swarm.peer("b", { profile: plugins("lazy"), plugins: { lazy: lazy.plugin } });
  for (const peer of [a, b]) await swarm.add(peer, torrent);
  await swarm.simulation.run(600_000);
  assert.ok(eager.rounds() <= 121, `${eager.rounds()} rounds in ten minutes`);
  assert.equal(lazy.rounds(), 1);
  await swarm.simulation.run(24 * 3_600_000);
  assert.equal(lazy.rounds(), 2);
});

Deno.test("rounds that bring nothing come less and less often", async () => {
  await using swarm = new SimSwarm(4);
  const none = naming(() => []);
  const peer = await swarm.peer("peer", { profile: plugins("none"), plugins: { none: none.plugin } });
  await swarm.add(peer, torrent);
  await swarm.simulation.run(3_600_000);
  assert.ok(none.rounds() >= 5 && none.rounds() <= 10, `${none.rounds()} rounds in an hour`);
});

Deno.test("a filter decides who may be dialed", async () => {
  await using swarm = new SimSwarm(5);
  const good = await swarm.seed("good", torrent);
  const bad = await swarm.seed("bad", torrent);
  const source = naming(() => [named(bad), named(good)]);
  const leech = await swarm.peer("leech", {
    profile: plugins("filter", "source"),
    plugins: { filter: filter((keys) => keys.map((key) => key !== bad.address)), source: source.plugin },
  });
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent);
  assert.equal(bad.runtime.swarm(torrent.id).uploaded, 0);
});

for (
  const [what, answer] of [
    ["throws", () => {
      throw new Error("lost my list");
    }],
    ["never answers", () => new Promise(() => {})],
    ["answers false", () => false],
    ["answers null", () => null],
    ["answers too little", () => []],
  ] as const
) {
  Deno.test(`a filter that ${what} lets nobody in, and who the user names all the same`, async () => {
    await using swarm = new SimSwarm(6);
    const seed = await swarm.seed("seed", torrent);
    const source = naming(() => [named(seed)]);
    const leech = await swarm.peer("leech", {
      profile: plugins("filter", "source"),
      plugins: { filter: filter(answer), source: source.plugin },
    });
    await swarm.add(leech, torrent);
    await swarm.simulation.run(60_000);
    assert.equal(leech.runtime.swarm(torrent.id).candidates, 0);
    await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
    await swarm.complete(leech, torrent, 60_000);
  });
}

Deno.test("a filter also decides who may come in", async () => {
  await using swarm = new SimSwarm(22);
  const torrent = makeTorrent({ length: 300_000 });
  const asked: string[][] = [];
  const seed = await swarm.seed("seed", torrent, {
    profile: plugins("filter"),
    plugins: { filter: filter((keys) => (asked.push([...keys]), keys.map((key) => key.startsWith(friend.host.ip)))) },
  });
  const stranger = await swarm.peer("stranger");
  const friend = await swarm.peer("friend");
  await swarm.add(stranger, torrent, { peers: [seed.address] });
  await swarm.simulation.run(30_000);
  assert.equal(stranger.runtime.swarm(torrent.id).done, 0);
  assert.ok(asked.length > 0 && asked.every(([key]) => key.startsWith(stranger.host.ip)));
  await swarm.add(friend, torrent, { peers: [seed.address] });
  await swarm.complete(friend, torrent, 60_000);
});

/** A tracker that answers with these peers, and notes the announces. */
async function tracker(
  swarm: SimSwarm,
  name: string,
  peers: () => readonly string[],
): Promise<{ url: string; events: string[]; announces: URLSearchParams[] }> {
  const host = swarm.simulation.host(name);
  const events: string[] = [];
  const announces: URLSearchParams[] = [];
  await swarm.simulation.complete(host.net.serve({ ip: "0.0.0.0", port: 80 }, (request) => {
    // Binary parameters don't survive, which here nobody needs.
    const { pathname, searchParams: query } = new URL(request.url);
    if (pathname !== "/announce") return new Response("no scrape here", { status: 404 });
    announces.push(query);
    events.push(`${query.get("event") ?? ""} ${query.get("left")}`.trim());
    const compact = peers().map((text) => {
      const [ip, port] = text.split(":");
      return [...ip.split(".").map(Number), Number(port) >> 8, Number(port) & 255];
    }).flat();
    return new Response(encode({ interval: 1800, peers: Uint8Array.from(compact) }) as Uint8Array<ArrayBuffer>);
  }));
  return { url: `http://${host.ip}/announce`, events, announces };
}

function tracked(tiers: readonly (readonly string[])[], options: { private?: boolean } = {}): SimTorrent {
  return makeTorrent({ length: 500_000, trackers: tiers, ...options });
}

Deno.test("a tracker brings the peers, and is told of start, completion and stop", async () => {
  await using swarm = new SimSwarm(7);
  let peers: string[] = [];
  const { url, events, announces } = await tracker(swarm, "tracker", () => peers);
  const torrent = tracked([[url]]);
  const seed = await swarm.seed("seed", torrent);
  peers = [seed.address];
  await swarm.until(() => events.length > 0);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent);
  await swarm.simulation.run(1_000);
  await swarm.stop(leech);
  assert.deepEqual(events, ["started 0", "started 500000", "completed 0", "stopped 0"]);
  await swarm.stop(seed);
  assert.equal(events.at(-1), "stopped 0");
  // By the port it knows who leaves.
  assert.deepEqual([...new Set(announces.map((query) => query.get("port")))], ["6881"]);
});

Deno.test("when a tracker of a tier is dead, the next is asked", async () => {
  await using swarm = new SimSwarm(8);
  const seedTorrent = tracked([]);
  const seed = await swarm.seed("seed", seedTorrent);
  const { url, events } = await tracker(swarm, "tracker", () => [seed.address]);
  const dead = swarm.simulation.host("dead");
  const torrent = tracked([[`http://${dead.ip}/announce`], [`http://${dead.ip}/a`, `http://${dead.ip}/b`, url]]);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent);
  assert.equal(events[0], "started 500000");
  await swarm.simulation.run(1_000);
  const states = Object.fromEntries(leech.runtime.swarm(torrent.id).trackers.map(({ url, state }) => [url, state]));
  assert.equal(states[url], "working");
});

Deno.test("a selection that is complete is no completed download to the tracker", async () => {
  await using swarm = new SimSwarm(9);
  let peers: string[] = [];
  const { url, events } = await tracker(swarm, "tracker", () => peers);
  const torrent = makeTorrent({ files: [200_000, 300_000], trackers: [[url]] });
  peers = [(await swarm.seed("seed", torrent)).address];
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { select: [0] });
  await swarm.complete(leech, torrent);
  await swarm.simulation.run(5_000);
  assert.ok(!events.some((event) => event.startsWith("completed")), events.join(", "));
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { select: [0, 1] }));
  await swarm.until(() => events.includes("completed 0"), 120_000);
});

Deno.test("of a private torrent no plugin hears, and only its trackers and the user name peers", async () => {
  await using swarm = new SimSwarm(10);
  let peers: string[] = [];
  const { url } = await tracker(swarm, "tracker", () => peers);
  const torrent = tracked([[url]], { private: true });
  const stranger = await swarm.seed("stranger", torrent, { profile: plugins() });
  const seed = await swarm.seed("seed", torrent);
  const source = naming(() => [named(stranger)]);
  let seen: unknown[] = [];
  const spy = definePlugin({
    name: "spy",
    config: object({}),
    setup(scope) {
      const look = (): void => {
        seen = [...seen, ...scope.swarms, ...scope.swarms.get(torrent.id.slice(0, 40)) ? ["found"] : []];
        if (scope.swarms.size > 0) seen.push("counted");
        scope.clock.after(100, look);
      };
      look();
    },
  }) as Plugin;
  const leech = await swarm.peer("leech", {
    profile: plugins("tracker_http", "source", "spy"),
    plugins: { source: source.plugin, spy },
  });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(60_000);
  assert.equal(leech.runtime.swarm(torrent.id).candidates, 0);
  peers = [seed.address];
  await swarm.simulation.complete(leech.runtime.announce(torrent.id));
  await swarm.complete(leech, torrent);
  assert.deepEqual([source.rounds(), seen], [0, []]);
  assert.equal(stranger.runtime.swarm(torrent.id).uploaded, 0);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a public tracker that names loopback and private peers gets none of them dialed", async () => {
  await using swarm = new SimSwarm(11);
  const { url } = await tracker(swarm, "tracker", () => ["127.0.0.1:22", "10.0.0.5:80", "169.254.169.254:80"]);
  const torrent = tracked([[url]]);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent);
  await swarm.simulation.run(10_000);
  const { trackers: [{ state }], candidates } = leech.runtime.swarm(torrent.id);
  assert.deepEqual({ state, candidates }, { state: "working", candidates: 0 });
});

Deno.test("a magnet without a plugin for metadata says what to do, and rests", async () => {
  await using swarm = new SimSwarm(12);
  const { url, events } = await tracker(swarm, "tracker", () => []);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, {
    source: `magnet:?xt=urn:btih:${torrent.id.slice(0, 40)}&tr=${encodeURIComponent(url)}`,
  });
  await swarm.simulation.run(10_000);
  const { state, error } = leech.runtime.swarm(torrent.id);
  assert.equal(state, "failed");
  assert.match(error!, /no plugin provides it; add the \.torrent file instead/);
  await swarm.simulation.run(7_200_000);
  assert.ok(events.length <= 2, events.join(", "));
});
