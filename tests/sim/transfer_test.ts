import assert from "node:assert/strict";
import { makeTorrent, sameFiles, SimSwarm } from "../support/sim_swarm.ts";

Deno.test("a leecher fetches everything from a seed that the user named, and becomes a seed", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 2_000_000 });
  const seed = await swarm.seed("seed", torrent);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  const { downloaded, wasted } = leech.runtime.swarm(torrent.id);
  assert.deepEqual({ downloaded, wasted }, { downloaded: 2_000_000, wasted: 0 });
  assert.ok(leech.events.some(({ event }) => event === "swarm.completed"));
});

Deno.test("leechers that know one another spread pieces among themselves", async () => {
  await using swarm = new SimSwarm(2);
  const torrent = makeTorrent({ length: 3_000_000, pieceLength: 32 * 1024 });
  const seed = await swarm.seed("seed", torrent, { profile: profile({ limits: { up: "400 KB/s" } }) });
  const leeches = [];
  for (const name of ["a", "b", "c"]) leeches.push(await swarm.peer(name));
  for (const leech of leeches) {
    await swarm.add(leech, torrent, {
      peers: [seed.address, ...leeches.filter((l) => l !== leech).map((l) => l.address)],
    });
  }
  for (const leech of leeches) await swarm.complete(leech, torrent);
  for (const leech of leeches) assert.ok(await sameFiles(swarm, leech, torrent));
  const uploaded = seed.runtime.swarm(torrent.id).uploaded;
  assert.ok(uploaded < 2 * 3_000_000, `the seed alone sent ${uploaded} bytes`);
});

Deno.test("several files, with one skipped: the others come whole, and the skipped one is not there", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ files: [100_000, 0, 300_001, 70_000], pieceLength: 32 * 1024 });
  const seed = await swarm.seed("seed", torrent);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address], select: [0, 1, 3] });
  await swarm.complete(leech, torrent);
  const { files, wanted, wantedDone } = leech.runtime.swarm(torrent.id);
  assert.equal(wanted, 170_000);
  assert.equal(wantedDone, 170_000);
  assert.deepEqual(files.map(({ priority }) => priority), [4, 4, 0, 4]);
  assert.equal(await swarm.simulation.complete(leech.host.disk.stat("/data/sample/f2")), undefined);
  // Wanting it later fetches it.
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { select: [0, 1, 2, 3] }));
  await swarm.until(() => leech.runtime.swarm(torrent.id).wantedDone === 470_001);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a sequential download has its pieces in order", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ length: 1_500_000, pieceLength: 16 * 1024 });
  const seed = await swarm.seed("seed", torrent, { profile: profile({ limits: { up: "300 KB/s" } }) });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address], sequential: true });
  await swarm.complete(leech, torrent);
  const order = leech.events.filter(({ event }) => event === "piece.verified").map(({ data }) => data.piece as number);
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
});

Deno.test("after kill -9 a download goes on where it was, without a check", async () => {
  await using swarm = new SimSwarm(5);
  const torrent = makeTorrent({ length: 4_000_000, pieceLength: 32 * 1024 });
  const seed = await swarm.seed("seed", torrent, { profile: profile({ limits: { up: "500 KB/s" } }) });
  const first = await swarm.peer("leech");
  await swarm.add(first, torrent, { peers: [seed.address] });
  await swarm.until(() => first.runtime.swarm(torrent.id).done > 2_000_000);
  const claimed = first.events.filter(({ event }) => event === "piece.verified").length;
  const host = first.host.restart();
  swarm.peers.splice(swarm.peers.indexOf(first), 1);
  const second = await swarm.peer("leech", {}, host);
  await swarm.until(() => second.runtime.swarm(torrent.id).state === "downloading");
  assert.ok(second.runtime.swarm(torrent.id).piecesDone >= claimed, "a piece that was announced is lost");
  await swarm.complete(second, torrent);
  assert.ok(await sameFiles(swarm, second, torrent));
  assert.ok(second.runtime.swarm(torrent.id).downloaded < 4_000_000);
});

Deno.test("limits are kept, globally and per swarm", async () => {
  await using swarm = new SimSwarm(6);
  const torrent = makeTorrent({ length: 2_000_000 });
  const seed = await swarm.seed("seed", torrent);
  for (
    const [name, options, add] of [
      ["global", { profile: profile({ limits: { down: "100 KB/s" } }) }, {}],
      ["swarm", {}, { limits: { down: 100_000 } }],
    ] as const
  ) {
    const leech = await swarm.peer(name, options);
    const start = swarm.simulation.now;
    await swarm.add(leech, torrent, { peers: [seed.address], ...add });
    await swarm.complete(leech, torrent);
    const seconds = (swarm.simulation.now - start) / 1000;
    assert.ok(seconds > 19 && seconds < 25, `${name}: 2 MB at 100 KB/s took ${seconds} s`);
  }
});

Deno.test("seeding stops at the ratio, and the swarm is finished", async () => {
  await using swarm = new SimSwarm(7);
  const torrent = makeTorrent({ length: 500_000 });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { limits: { ratio: 1 } }));
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  await swarm.until(() => seed.runtime.swarm(torrent.id).state === "finished");
  assert.equal(seed.runtime.swarm(torrent.id).connected, 0);
});

Deno.test("a runtime that stopped leaves no timer behind", async () => {
  await using swarm = new SimSwarm(8);
  const torrent = makeTorrent({ length: 500_000 });
  const before = swarm.simulation.pendingTimers;
  const seed = await swarm.seed("seed", torrent);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  await swarm.stop(leech);
  await swarm.stop(seed);
  // What was on its way when they stopped arrives nowhere.
  await swarm.simulation.run(1_000);
  assert.equal(swarm.simulation.pendingTimers, before);
});

Deno.test("a paused swarm drops its peers, and goes on when it is resumed", async () => {
  await using swarm = new SimSwarm(9);
  const torrent = makeTorrent({ length: 2_000_000 });
  const seed = await swarm.seed("seed", torrent, { profile: profile({ limits: { up: "400 KB/s" } }) });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).done > 500_000);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { paused: true }));
  const { done, connected, state } = leech.runtime.swarm(torrent.id);
  assert.deepEqual({ connected, state }, { connected: 0, state: "paused" });
  await swarm.simulation.run(60_000);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { paused: false }));
  await swarm.complete(leech, torrent);
  assert.ok(leech.runtime.swarm(torrent.id).downloaded <= 2_000_000 + 200_000, `${done} bytes were there already`);
});

function profile(more: Record<string, unknown>): Record<string, unknown> {
  return { plugins: [{ use: "tcp" }, { use: "tracker_http" }], ...more };
}
