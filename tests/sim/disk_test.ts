import assert from "node:assert/strict";
import fc from "fast-check";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";

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

Deno.test("a file that is cut under a seed is noticed before it is served, and what is lost is fetched again", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 2_000_000, pieceLength: 64 * 1024 });
  const other = await swarm.seed("other", torrent, { profile: { limits: { up: "100 KB/s" } } });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.run(60_000);
  const file = await swarm.simulation.complete(seed.host.disk.open("/data/sample", { write: true }));
  await swarm.simulation.complete(file.truncate(1_300_000));
  await swarm.simulation.complete(file.close());
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address, other.address] });
  await swarm.complete(leech, torrent, 120_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.equal(leech.events.filter(({ event }) => event === "piece.failed").length, 0, "wrong bytes were served");
  assert.ok(seed.log.some((line) => /changed under us: it has 1300000 bytes, at least \d+ are expected/.test(line)));
  assert.ok(seed.log.some((line) => /12 pieces of "sample" are gone .* 19 are right/.test(line)), seed.log.join("\n"));
  const failed = seed.events.filter(({ event, data }) => event === "swarm.state" && data.state === "failed");
  assert.deepEqual(failed, []);
  // What it lost it fetches like anything else.
  await swarm.simulation.complete(seed.runtime.addPeers(torrent.id, [other.address, leech.address]));
  await swarm.until(() => seed.runtime.swarm(torrent.id).state === "seeding", 300_000);
  assert.equal(seed.runtime.swarm(torrent.id).done, 2_000_000);
  assert.ok(await sameFiles(swarm, seed, torrent));
});

Deno.test("a seed whose file is touched goes on: its pieces are hashed again, and its peers stay", async () => {
  await using swarm = new SimSwarm(8);
  const torrent = makeTorrent({ files: [600_000, 800_000] });
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "100 KB/s" } } });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).done > 100_000);
  for (const name of ["f0", "f1"]) {
    const file = await swarm.simulation.complete(seed.host.disk.open(`/data/sample/${name}`, { write: true }));
    await swarm.simulation.complete(file.write(new Uint8Array(0), 0));
  }
  await swarm.until(() => leech.runtime.swarm(torrent.id).done > 1_200_000, 60_000);
  const closed = [...leech.events, ...seed.events].filter(({ event }) => event === "peer.closed");
  assert.deepEqual(closed, []);
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.ok(seed.log.some((line) => /All \d+ pieces of "sample" that were hashed again are right/.test(line)));
  assert.equal(seed.runtime.swarm(torrent.id).state, "seeding");
});

for (
  const [what, change] of Object.entries({
    "touched": async (peer: SimPeer) => {
      const file = await peer.host.disk.open("/data/sample/f0", { write: true });
      await file.write(new Uint8Array(0), 0);
    },
    "left alone": () => Promise.resolve(),
  })
) {
  Deno.test(`a complete swarm whose files are ${what} while nothing runs seeds again after a restart`, async () => {
    await using swarm = new SimSwarm(9);
    const torrent = makeTorrent({ files: [300_000, 200_000] });
    const seed = await swarm.seed("seed", torrent);
    await swarm.stop(seed);
    await swarm.simulation.run(60_000);
    const host = seed.host.restart();
    await swarm.simulation.complete(change({ ...seed, host }));
    const again = await swarm.peer("again", {}, host);
    await swarm.complete(again, torrent, 10_000);
    assert.equal(again.runtime.swarm(torrent.id).done, 500_000);
    assert.equal(again.runtime.swarm(torrent.id).downloaded, 0);
  });
}

for (const running of [true, false]) {
  Deno.test(`a swarm whose files are gone ${running ? "while it seeds" : "at a restart"} stops and waits, also over restarts, until it is told`, async () => {
    await using swarm = new SimSwarm(10);
    const torrent = makeTorrent({ files: [300_000, 200_000] });
    const other = await swarm.seed("other", torrent);
    let seed = await swarm.seed("seed", torrent);
    await swarm.simulation.complete(seed.runtime.addPeers(torrent.id, [other.address]));
    await swarm.simulation.run(60_000);
    const restart = async (): Promise<void> => {
      if (seed.host.alive) await swarm.stop(seed);
      seed = await swarm.peer("seed again", {}, seed.host.restart());
    };
    const isGone = async (): Promise<void> => {
      await swarm.until(() => seed.runtime.swarm(torrent.id).state === "failed");
      await swarm.simulation.run(300_000);
      const { state, error, downloaded } = seed.runtime.swarm(torrent.id);
      assert.equal(state, "failed");
      assert.match(
        error!,
        /its files are gone: "\/data\/sample\/f0" is missing, so are 1 more, 8 pieces in all; bring them/,
      );
      assert.equal(downloaded, 0);
      assert.equal(await swarm.simulation.complete(seed.host.disk.lstat("/data/sample")), undefined);
    };
    if (!running) await swarm.stop(seed);
    await swarm.simulation.complete(seed.host.disk.rename("/data/sample", "/elsewhere"));
    if (running) {
      const leech = await swarm.peer("leech");
      await swarm.add(leech, torrent, { peers: [seed.address] });
      await isGone();
      await swarm.stop(leech);
    }
    await restart();
    await isGone();
    await restart();
    await isGone();
    // Brought back, it goes on by itself.
    await swarm.simulation.complete(seed.host.disk.rename("/elsewhere", "/data/sample"));
    await swarm.complete(seed, torrent, 60_000);
    assert.equal(seed.runtime.swarm(torrent.id).downloaded, 0);
    // Told to check, it fetches what isn't there.
    await swarm.stop(seed);
    await swarm.simulation.complete(seed.host.disk.rename("/data/sample", "/elsewhere"));
    await restart();
    await isGone();
    await swarm.simulation.complete(seed.runtime.recheck(torrent.id));
    await swarm.simulation.complete(seed.runtime.addPeers(torrent.id, [other.address]));
    await swarm.complete(seed, torrent, 60_000);
    assert.ok(await sameFiles(swarm, seed, torrent));
  });
}

for (
  const [what, change] of Object.entries({
    "deleted": (peer: SimPeer) => peer.host.disk.remove("/data/sample/f0"),
    "cut": (peer: SimPeer) =>
      peer.host.disk.open("/data/sample/f0", { write: true }).then((file) => file.truncate(40_000)),
    "cut while it is still written": (peer: SimPeer) =>
      peer.host.disk.open("/data/sample/f3", { write: true }).then((file) => file.truncate(10)),
  })
) {
  Deno.test(`a file that is ${what} while its torrent downloads is fetched again before the torrent is complete`, async () => {
    await using swarm = new SimSwarm(11);
    const torrent = makeTorrent({ files: [200_000, 400_000, 400_000, 1_000_000], pieceLength: 32 * 1024 });
    const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "100 KB/s" } } });
    const leech = await swarm.peer("leech");
    await swarm.add(leech, torrent, { peers: [seed.address], sequential: true });
    await swarm.until(() => leech.runtime.swarm(torrent.id).done > 1_300_000);
    await swarm.simulation.complete(change(leech));
    await swarm.until(() => leech.events.some(({ event }) => event === "swarm.completed"), 120_000);
    assert.equal(leech.runtime.swarm(torrent.id).state, "seeding");
    assert.equal(leech.runtime.swarm(torrent.id).done, 2_000_000);
    assert.ok(await sameFiles(swarm, leech, torrent));
    assert.ok(leech.runtime.swarm(torrent.id).downloaded < 2_900_000);
  });
}

Deno.test("a file that another takes the place of while its torrent downloads is not overwritten", async () => {
  await using swarm = new SimSwarm(13);
  const torrent = makeTorrent({ files: [200_000, 1_800_000], pieceLength: 32 * 1024 });
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "100 KB/s" } } });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address], sequential: true });
  await swarm.until(() => leech.runtime.swarm(torrent.id).done > 1_000_000);
  const mine = new Uint8Array(200_000).fill(7);
  await swarm.simulation.complete((async () => {
    await leech.host.disk.writeFile("/data/mine", mine);
    await leech.host.disk.rename("/data/mine", "/data/sample/f0");
  })());
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "failed", 120_000);
  assert.match(
    leech.runtime.swarm(torrent.id).error!,
    /"\/data\/sample\/f0": it stands there already and isn't this torrent's/,
  );
  assert.ok(!leech.events.some(({ event }) => event === "swarm.completed"));
  assert.deepEqual(await swarm.simulation.complete(leech.host.disk.readFile("/data/sample/f0")), mine);
});

Deno.test("a paused swarm shows after a restart what it had", async () => {
  await using swarm = new SimSwarm(12);
  const torrent = makeTorrent({ files: [300_000, 200_000] });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { paused: true }));
  await swarm.stop(seed);
  const again = await swarm.peer("again", {}, seed.host.restart());
  await swarm.simulation.run(1000);
  const { state, done, wantedDone, piecesDone, files } = again.runtime.swarm(torrent.id);
  assert.deepEqual({ state, done, wantedDone, piecesDone }, {
    state: "paused",
    done: 500_000,
    wantedDone: 500_000,
    piecesDone: 8,
  });
  assert.deepEqual(files.map(({ done }) => done), [300_000, 200_000]);
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
