// Trackers over HTTP and UDP in one announce list (BEP 12), as whole runtimes ask them.
import assert from "node:assert/strict";
import { decodeUdpTrackerRequest, encode, encodePeers4, encodeUdpTrackerReply } from "../../core/wire/mod.ts";
import {
  definePlugin,
  object,
  parsePeerAddress,
  type Plugin,
  swarmAdded,
  type TrackerStatus,
} from "../../core/api/mod.ts";
import type { MemoryHost } from "../../core/host/memory/mod.ts";
import { makeTorrent, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

const INTERVAL = 120; // seconds
const MINUTE = 60_000;

/** Where a simulated tracker is, what it was told, and whether it works. */
interface SimTracker {
  readonly url: string;
  readonly host: MemoryHost;
  /** `event left`, a line each announce. */
  readonly events: string[];
  working: boolean;
}

/** A UDP tracker at port 6969 that names these peers. */
async function udpTracker(
  swarm: SimSwarm,
  name: string,
  peers: () => readonly string[],
  ...ips: string[]
): Promise<SimTracker> {
  const host = swarm.simulation.host(name, ...ips);
  const socket = await swarm.simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 6969 }));
  const tracker = { url: `udp://${host.ip}:6969/announce`, host, events: [] as string[], working: true };
  const answer = async (): Promise<void> => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2_048));
      if (!tracker.working) continue;
      const request = decodeUdpTrackerRequest(bytes);
      const { transactionId, action } = request;
      if (action === "announce") tracker.events.push(`${request.event ?? ""} ${request.left}`.trim());
      const list = peers().map(parsePeerAddress);
      const reply = action === "connect"
        ? { action, transactionId, connectionId: 7n } as const
        : { action: "announce", transactionId, interval: INTERVAL, leechers: 2, seeders: 1, peers: list } as const;
      await socket.send(encodeUdpTrackerReply(reply, 4), from);
    }
  };
  void answer().catch(() => {});
  return tracker;
}

/** An HTTP tracker that names these peers. */
async function httpTracker(
  swarm: SimSwarm,
  name: string,
  peers: () => readonly string[],
  ...ips: string[]
): Promise<SimTracker> {
  const host = swarm.simulation.host(name, ...ips);
  const tracker = { url: `http://${host.ip}/announce`, host, events: [] as string[], working: true };
  await swarm.simulation.complete(host.net.serve({ ip: "0.0.0.0", port: 80 }, ({ url }) => {
    if (!tracker.working) return new Response("down", { status: 503 });
    const { searchParams: query } = new URL(url);
    tracker.events.push(`${query.get("event") ?? ""} ${query.get("left")}`.trim());
    const compact = encodePeers4(peers().map(parsePeerAddress));
    return new Response(new Uint8Array(encode({ interval: INTERVAL, complete: 3, incomplete: 4, peers: compact })));
  }));
  return tracker;
}

const profile = { plugins: ["tcp", "tracker_http", "tracker_udp"].map((use) => ({ use })) };

function tracked(...tiers: readonly (readonly SimTracker[])[]): SimTorrent {
  return makeTorrent({ length: 200_000, trackers: tiers.map((tier) => tier.map(({ url }) => url)) });
}

function statusOf(peer: SimPeer, torrent: SimTorrent, { url }: SimTracker): TrackerStatus {
  return peer.runtime.swarm(torrent.id).trackers.find((status) => status.url === url)!;
}

Deno.test("a UDP tracker brings the peers, is told of start, completion and stop, and its status is shown", async () => {
  await using swarm = new SimSwarm(1);
  let peers: string[] = [];
  const tracker = await udpTracker(swarm, "tracker", () => peers);
  const torrent = tracked([tracker]);
  const seed = await swarm.seed("seed", torrent, { profile });
  peers = [seed.address];
  await swarm.until(() => tracker.events.length > 0);
  const leech = await swarm.peer("leech", { profile });
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).peers.length > 0);
  assert.equal(leech.runtime.swarm(torrent.id).peers[0].source, `tracker:${tracker.host.ip}:6969`);
  await swarm.complete(leech, torrent);
  await swarm.simulation.run(1_000);
  const { lastAnnounce, nextAnnounce, ...status } = statusOf(leech, torrent, tracker);
  assert.deepEqual(status, { url: tracker.url, tier: 0, state: "working", seeders: 1, leechers: 2, peers: 1 });
  const wait = (nextAnnounce! - lastAnnounce!) / 1_000;
  assert.ok(Math.abs(wait - INTERVAL) < 1, `${wait} s from one announce to the next`);
  await swarm.stop(leech);
  assert.deepEqual(tracker.events, ["started 0", "started 200000", "completed 0", "stopped 0"]);
});

Deno.test("of a tier with UDP and HTTP trackers one is asked, and when it falls silent another within half a minute", async () => {
  for (const seed of [1, 2, 3, 4]) { // the order within a tier is shuffled
    await using swarm = new SimSwarm(seed);
    const trackers = [await udpTracker(swarm, "udp", () => []), await httpTracker(swarm, "http", () => [])];
    const torrent = tracked(trackers);
    const leech = await swarm.peer("leech", { profile });
    await swarm.add(leech, torrent);
    await swarm.simulation.run(MINUTE);
    const asked = trackers.filter(({ events }) => events.length > 0);
    assert.equal(asked.length, 1, "the other one is not needed");
    const [first] = asked;
    const second = trackers.find((tracker) => tracker !== first)!;
    first.working = false;
    const due = statusOf(leech, torrent, first).nextAnnounce! - swarm.simulation.clock.wall();
    await swarm.simulation.run(due + 31_000);
    assert.deepEqual(second.events, ["started 200000"]);
    assert.equal(statusOf(leech, torrent, first).state, "failed");
    assert.match(statusOf(leech, torrent, first).error!, /did not answer within 30 s|HTTP status 503/);
    assert.equal(statusOf(leech, torrent, second).state, "working");
    assert.equal(leech.runtime.swarm(torrent.id).trackers[0].url, second.url, "what works stands first in its tier");
  }
});

Deno.test("every tier announces, UDP and HTTP alike, and a dead one holds up no other", async () => {
  await using swarm = new SimSwarm(5);
  const dead = await udpTracker(swarm, "dead", () => []);
  dead.working = false;
  const [udp, http] = [await udpTracker(swarm, "udp", () => []), await httpTracker(swarm, "http", () => [])];
  const torrent = tracked([dead], [udp], [http]);
  const leech = await swarm.peer("leech", { profile });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(1_000);
  assert.deepEqual([udp.events, http.events], [["started 200000"], ["started 200000"]]);
  assert.equal(statusOf(leech, torrent, dead).state, "announcing");
  await swarm.simulation.run(30_000);
  const { state, error } = statusOf(leech, torrent, dead);
  const address = `${dead.host.ip}:6969`;
  assert.deepEqual([state, error], ["failed", `Tracker "${address}" did not answer within 30 s`]);
  assert.deepEqual(["seeders", "leechers"].map((key) => statusOf(leech, torrent, http)[key as "seeders"]), [3, 4]);
});

Deno.test("a UDP tracker is reached although a third of all datagrams is lost", async () => {
  await using swarm = new SimSwarm(6);
  const tracker = await udpTracker(swarm, "tracker", () => []);
  const torrent = tracked([tracker]);
  const { network, random } = swarm.simulation;
  network.link = ({ kind }) => kind === "datagram" && random.below(3) === 0 ? undefined : 20;
  const leech = await swarm.peer("leech", { profile });
  await swarm.add(leech, torrent);
  await swarm.until(() => statusOf(leech, torrent, tracker).state === "working", 5 * MINUTE);
});

Deno.test("a UDP tracker on a private address is asked only if the user allows it, and may name its neighbours then", async () => {
  await using swarm = new SimSwarm(7);
  const { simulation } = swarm;
  simulation.network.names.set("tracker.lan", ["10.0.0.9"]);
  const host = simulation.host("tracker", "10.0.0.9");
  const asked: string[] = [];
  const socket = await simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 6969 }));
  const answer = async (): Promise<void> => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2_048));
      const { action, transactionId } = decodeUdpTrackerRequest(bytes);
      asked.push(action);
      const peers = ["10.0.0.77:6881", "127.0.0.1:22"].map(parsePeerAddress);
      const reply = action === "connect"
        ? { action, transactionId, connectionId: 7n } as const
        : { action: "announce", transactionId, interval: INTERVAL, leechers: 0, seeders: 0, peers } as const;
      await socket.send(encodeUdpTrackerReply(reply, 4), from);
    }
  };
  void answer().catch(() => {});
  const torrent = makeTorrent({ length: 200_000, trackers: [["udp://tracker.lan:6969/announce"]] });
  const leech = await swarm.peer("leech", { profile });
  await swarm.add(leech, torrent);
  await simulation.run(1_000);
  const [refused] = leech.runtime.swarm(torrent.id).trackers;
  assert.match(
    refused.error!,
    /10\.0\.0\.9:6969: it is not allowed here; list "private" or "10\.0\.0\.9" under egress\.allow/,
  );
  assert.deepEqual(asked, []);
  await simulation.complete(leech.runtime.update(torrent.id, { allowLocal: true }));
  await simulation.run(MINUTE);
  assert.deepEqual(asked, ["connect", "announce"]);
  assert.equal(leech.runtime.swarm(torrent.id).candidates, 1, "its neighbour, and not our loopback");
});

Deno.test("a hundred swarms share a connection id of their UDP tracker", async () => {
  await using swarm = new SimSwarm(8);
  let connects = 0;
  const host = swarm.simulation.host("tracker");
  const socket = await swarm.simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 6969 }));
  const swarms = new Set<string>();
  void (async () => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2_048));
      const request = decodeUdpTrackerRequest(bytes);
      const { transactionId } = request;
      if (request.action === "connect") connects++;
      if (request.action === "announce") swarms.add(String(request.infoHash));
      const reply = request.action === "connect"
        ? { action: "connect", transactionId, connectionId: 7n } as const
        : { action: "announce", transactionId, interval: INTERVAL, leechers: 0, seeders: 0, peers: [] } as const;
      await socket.send(encodeUdpTrackerReply(reply, 4), from);
    }
  })().catch(() => {});
  const leech = await swarm.peer("leech", { profile });
  const trackers = [[`udp://${host.ip}:6969`]];
  const sources = Array.from({ length: 100 }, (_, seed) => makeTorrent({ length: 100, seed, trackers }).bytes);
  await swarm.simulation.complete(Promise.all(sources.map((source) => leech.runtime.add({ source }))));
  await swarm.until(() => swarms.size === 100, 10_000);
  assert.equal(connects, 1);
});

Deno.test("trackers on the local network are asked for the swarm that may, not for others, nor by other plugins", async () => {
  await using swarm = new SimSwarm(1);
  const trackers = [
    await udpTracker(swarm, "udp", () => [], "10.0.0.5"),
    await httpTracker(swarm, "http", () => [], "10.0.0.6"),
  ];
  const urls = trackers.map(({ url }) => [url]);
  const [allowed, refused] = [1, 2].map((seed) => makeTorrent({ length: 200_000, seed, trackers: urls }));
  const met: string[] = [];
  /** Asks the HTTP tracker by itself; its own `egress` opens the UDP tracker's host, to it alone. */
  const other: Plugin = definePlugin({
    name: "other",
    config: object({}),
    egress: () => ["10.0.0.5"],
    setup(plugin) {
      plugin.on(swarmAdded, async () => {
        met.push(await plugin.net.fetch(trackers[1].url).then(() => "fetched", (error) => error.message));
      });
    },
  });
  const leech = await swarm.peer("leech", {
    profile: { plugins: [...profile.plugins, { use: "other" }] },
    plugins: { other },
  });
  await swarm.add(leech, allowed, { allowLocal: true });
  await swarm.add(leech, refused);
  await swarm.simulation.run(5_000);
  for (const tracker of trackers) {
    assert.equal(statusOf(leech, allowed, tracker).state, "working", tracker.url);
    assert.match(statusOf(leech, refused, tracker).error!, /not allowed here; list .* under egress.allow/);
    assert.deepEqual(tracker.events, ["started 200000"]);
  }
  assert.equal(met.length, 2);
  for (const text of met) assert.match(text, /Cannot connect to 10\.0\.0\.6:80: a private address is not allowed/);
});
