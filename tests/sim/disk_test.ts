import assert from "node:assert/strict";
import fc from "fast-check";
import { makeTorrent, sameFiles, SimSwarm } from "../support/sim_swarm.ts";

Deno.test("when the disk is full the swarm fails visibly, and goes on when there is room", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 2_000_000, pieceLength: 64 * 1024 });
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "400 KB/s" } } });
  const leech = await swarm.peer("leech");
  leech.host.disk.capacity = 1_000_000;
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "failed");
  assert.match(leech.runtime.swarm(torrent.id).error!, /no space left on device; free some space/);
  assert.equal(leech.runtime.swarm(torrent.id).connected, 0);
  await swarm.simulation.run(120_000);
  assert.equal(leech.runtime.swarm(torrent.id).state, "failed");
  leech.host.disk.capacity = Infinity;
  await swarm.complete(leech, torrent, 400_000);
  assert.equal(leech.runtime.swarm(torrent.id).error, undefined);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

for (const fault of ["io", "readOnly", "tooManyFiles"] as const) {
  Deno.test(`a disk that says ${fault} for a while costs nothing but time`, async () => {
    await using swarm = new SimSwarm(2);
    const torrent = makeTorrent({ length: 2_000_000, pieceLength: 64 * 1024 });
    const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "400 KB/s" } } });
    const leech = await swarm.peer("leech");
    await swarm.add(leech, torrent, { peers: [seed.address] });
    await swarm.until(() => leech.runtime.swarm(torrent.id).done > 500_000);
    const faults = leech.host.disk.fault("write", () => fault);
    await swarm.until(() => leech.runtime.swarm(torrent.id).state === "failed");
    assert.ok(leech.runtime.swarm(torrent.id).error!.includes(fault));
    faults[Symbol.dispose]();
    await swarm.complete(leech, torrent, 120_000);
    assert.ok(await sameFiles(swarm, leech, torrent));
  });
}

Deno.test("a file that is cut under a seed is noticed before it is served, and fetched again", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 2_000_000, pieceLength: 64 * 1024 });
  const other = await swarm.seed("other", torrent, { profile: { limits: { up: "100 KB/s" } } });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.run(60_000);
  const file = await swarm.simulation.complete(seed.host.disk.open("/data/sample", { write: true }));
  await swarm.simulation.complete(file.truncate(300_000));
  await swarm.simulation.complete(file.close());
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address, other.address] });
  await swarm.complete(leech, torrent, 120_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.equal(leech.events.filter(({ event }) => event === "piece.failed").length, 0, "wrong bytes were served");
  const failed = seed.events.filter(({ event, data }) => event === "swarm.state" && data.state === "failed");
  assert.ok(failed.length > 0, "the seed didn't notice");
  // What it lost it fetches like anything else.
  await swarm.simulation.complete(seed.runtime.addPeers(torrent.id, [other.address, leech.address]));
  await swarm.complete(seed, torrent, 300_000);
  await swarm.until(() => seed.runtime.swarm(torrent.id).done === 2_000_000, 300_000);
  assert.ok(await sameFiles(swarm, seed, torrent));
});

Deno.test("a file that is replaced under a seed is not served as if it were the old one", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ length: 1_000_000 });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.run(60_000);
  await swarm.simulation.complete(seed.host.disk.writeFile("/data/sample", new Uint8Array(1_000_000)));
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.simulation.run(60_000);
  const { downloaded } = leech.runtime.swarm(torrent.id);
  assert.equal(downloaded, 0);
  assert.ok(!leech.log.some((line) => line.includes("Banned")), leech.log.join("\n"));
});

Deno.test("removing a swarm leaves its files, unless they are to go too", async () => {
  for (const deleteData of [false, true]) {
    await using swarm = new SimSwarm(5);
    const torrent = makeTorrent({ files: [100_000, 50_000], name: "album" });
    const seed = await swarm.seed("seed", torrent);
    await swarm.simulation.complete(seed.host.disk.writeFile("/data/album/notes.txt", new Uint8Array(3)));
    await swarm.simulation.complete(seed.runtime.remove(torrent.id, { deleteData }));
    assert.throws(() => seed.runtime.swarm(torrent.id), /No swarm/);
    const left = await swarm.simulation.complete(seed.host.disk.list("/data/album"));
    assert.deepEqual([...left].sort(), deleteData ? ["notes.txt"] : ["f0", "f1", "notes.txt"]);
    // It may come back.
    await swarm.add(seed, torrent, { existing: "check" });
    const state = deleteData ? "downloading" : "seeding";
    await swarm.until(() => seed.runtime.swarm(torrent.id).state === state);
  }
});

Deno.test("a recheck finds what is wrong, fetches it, and goes on seeding", async () => {
  await using swarm = new SimSwarm(6);
  const torrent = makeTorrent({ length: 1_000_000 });
  const other = await swarm.seed("other", torrent);
  const seed = await swarm.seed("seed", torrent);
  const file = await swarm.simulation.complete(seed.host.disk.open("/data/sample", { write: true }));
  await swarm.simulation.complete(file.write(new Uint8Array(100), 500_000));
  await swarm.simulation.complete(seed.runtime.recheck(torrent.id));
  await swarm.until(() => seed.runtime.swarm(torrent.id).state === "downloading");
  assert.equal(seed.runtime.swarm(torrent.id).piecesDone, 15);
  await swarm.simulation.complete(seed.runtime.addPeers(torrent.id, [other.address]));
  await swarm.complete(seed, torrent);
  assert.ok(await sameFiles(swarm, seed, torrent));
});

Deno.test("a paused swarm that is checked is paused again", async () => {
  await using swarm = new SimSwarm(7);
  const torrent = makeTorrent({ length: 500_000 });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { paused: true }));
  seed.events.length = 0;
  await swarm.simulation.complete(seed.runtime.recheck(torrent.id));
  await swarm.simulation.run(1_000);
  const states = seed.events.filter(({ event }) => event === "swarm.state").map(({ data }) => data.state);
  assert.deepEqual([...new Set(states)], ["checking", "paused"]);
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { paused: false }));
  await swarm.complete(seed, torrent);
});

Deno.test("killed at any instant, again and again: nothing acknowledged is lost, nothing is claimed that isn't there", async () => {
  const pieceLength = 32 * 1024;
  const torrent = makeTorrent({ files: [400_000, 1, 250_000, 50_000], pieceLength });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1e6),
      fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (seedOf, lives, skip) => {
        await using swarm = new SimSwarm(seedOf);
        const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "700 KB/s" } } });
        let leech = await swarm.peer("leech");
        leech.host.disk.latency = 1;
        await swarm.add(leech, torrent, { peers: [seed.address], select: skip ? [0, 2] : undefined });
        const acknowledged = new Set<number>();
        for (const life of lives) {
          await swarm.simulation.run(life);
          for (const { event, data } of leech.events) {
            if (event === "piece.verified") acknowledged.add(data.piece as number);
          }
          const host = leech.host.restart();
          swarm.peers.splice(swarm.peers.indexOf(leech), 1);
          leech = await swarm.peer("leech", {}, host);
          await swarm.until(() => !["checking", "paused"].includes(leech.runtime.swarm(torrent.id).state), 60_000);
          const { bitfield } = leech.runtime.swarm(torrent.id);
          const has = (piece: number): boolean => (parseInt(bitfield[piece >> 2], 16) & 8 >> (piece & 3)) !== 0;
          for (const piece of acknowledged) assert.ok(has(piece), `piece ${piece} was acknowledged and is lost`);
        }
        await swarm.complete(leech, torrent, 120_000);
        if (skip) return;
        assert.ok(await sameFiles(swarm, leech, torrent));
        const { downloaded, wasted } = leech.runtime.swarm(torrent.id);
        assert.ok(downloaded <= 2 * 700_001 + wasted, `${downloaded} bytes were fetched`);
      },
    ),
    { numRuns: 25 },
  );
});
