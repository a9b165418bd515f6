import assert from "node:assert/strict";
import fc from "fast-check";
import type { MemoryHost } from "../../core/host/memory/mod.ts";
import { encodeExtendedHandshake } from "../../core/wire/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";
import { ScriptedPeer } from "../support/scripted_peer.ts";

const BLOCK = 16 * 1024;

const up = (rate: string): { profile: Record<string, unknown> } => ({ profile: { limits: { up: rate } } });

Deno.test("two that dial each other at once keep one connection, the same on both sides", async () => {
  for (let seed = 0; seed < 8; seed++) {
    await using swarm = new SimSwarm(seed);
    const torrent = makeTorrent({ length: 3_000_000, seed });
    const a = await swarm.peer("a");
    const b = await swarm.peer("b");
    await swarm.add(a, torrent, { peers: [b.address] });
    await swarm.add(b, torrent, { peers: [a.address] });
    await swarm.simulation.run(30_000);
    const [ofA, ofB] = [a, b].map(({ runtime }) => runtime.swarm(torrent.id).peers);
    assert.deepEqual([ofA.length, ofB.length], [1, 1]);
    assert.notEqual(ofA[0].incoming, ofB[0].incoming);
  }
});

Deno.test("one that is reached by IPv4 and by IPv6, also as a mapped address, is one peer", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 1_000_000 });
  const dual = { listen: "[::]:6881" };
  const a = await swarm.peer("a", { profile: dual }, swarm.simulation.host("a", "30.0.0.1", "2001:db9::1"));
  const b = await swarm.peer("b", { profile: dual }, swarm.simulation.host("b", "30.0.0.2", "2001:db9::2"));
  await swarm.add(a, torrent);
  await swarm.add(b, torrent, { peers: ["30.0.0.1:6881", "[2001:db9::1]:6881", "[::ffff:30.0.0.1]:6881"] });
  await swarm.simulation.run(60_000);
  assert.deepEqual([a, b].map(({ runtime }) => runtime.swarm(torrent.id).connected), [1, 1]);
  assert.ok(!a.runtime.swarm(torrent.id).peers[0].address.includes("ffff"));
});

Deno.test("one that dials itself notices, and doesn't try again", async () => {
  await using swarm = new SimSwarm(2);
  const torrent = makeTorrent({ length: 100_000 });
  const peer = await swarm.peer("peer");
  await swarm.add(peer, torrent, { peers: [peer.address] });
  await swarm.simulation.run(3_600_000);
  assert.equal(peer.runtime.swarm(torrent.id).connected, 0);
  const came = peer.log.filter((line) => line.includes("Refused")).length;
  assert.ok(came <= 2, `it came back ${came} times`);
});

Deno.test("thirty leechers complete from one seed, who doesn't send it all alone", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 1_500_000, pieceLength: 32 * 1024 });
  const seed = await swarm.seed("seed", torrent, up("300 KB/s"));
  const leeches: SimPeer[] = [];
  for (let i = 0; i < 30; i++) leeches.push(await swarm.peer(`leech ${i}`, up("300 KB/s")));
  for (const [i, leech] of leeches.entries()) {
    const others = [1, 2, 3, 5, 8].map((step) => leeches[(i + step) % 30].address);
    await swarm.add(leech, torrent, { peers: [seed.address, ...others] });
  }
  for (const leech of leeches) await swarm.complete(leech, torrent);
  for (const leech of leeches) assert.ok(await sameFiles(swarm, leech, torrent));
  const uploaded = seed.runtime.swarm(torrent.id).uploaded;
  assert.ok(uploaded < 10 * 1_500_000, `the seed sent ${uploaded} bytes`);
});

Deno.test("a busy swarm beside fifty slow ones starves none of them", async () => {
  await using swarm = new SimSwarm(4);
  const profile = { limits: { up: "500 KB/s", connections: 120, unchoked: 60 } };
  const seed = await swarm.peer("seed", { profile });
  const busy = makeTorrent({ name: "busy", length: 6_000_000, seed: 99 });
  const slow = Array.from({ length: 50 }, (_, i) => makeTorrent({ name: `slow${i}`, length: 100_000, seed: i + 1 }));
  for (const torrent of [busy, ...slow]) {
    for (const { path, data } of torrent.files) {
      await swarm.simulation.complete(seed.host.disk.makeDirectory("/data"));
      await swarm.simulation.complete(seed.host.disk.writeFile(`/data/${path}`, data));
    }
    await swarm.add(seed, torrent, { existing: "check" });
  }
  await swarm.simulation.run(1_000);
  const crowd: SimPeer[] = [];
  for (let i = 0; i < 20; i++) crowd.push(await swarm.peer(`crowd ${i}`));
  for (const leech of crowd) await swarm.add(leech, busy, { peers: [seed.address] });
  await swarm.simulation.run(5_000);
  const quiet = await swarm.peer("quiet", { profile: { limits: { accepts_per_address: 100 } } });
  for (const torrent of slow) await swarm.add(quiet, torrent, { peers: [seed.address] });
  const done = (): number => slow.filter(({ id }) => quiet.runtime.swarm(id).state === "seeding").length;
  await swarm.until(() => done() === 50, 120_000);
  assert.ok(crowd.some((leech) => leech.runtime.swarm(busy.id).state === "downloading"), "the crowd was done already");
});

/** A scripted peer that seeds honestly through `answer`. */
async function scripted(
  swarm: SimSwarm,
  name: string,
  to: SimPeer,
  id: string,
): Promise<{ peer: ScriptedPeer; host: MemoryHost }> {
  const host = swarm.simulation.host(name);
  const peer = await swarm.simulation.complete(ScriptedPeer.join(host, to.address, id, { peerId: `-${name}` }));
  peer.say((writer) => (writer.haveAll(), writer.unchoke()));
  return { peer, host };
}

Deno.test("a peer that stops answering is snubbed, and others bring what it was asked for", async () => {
  await using swarm = new SimSwarm(5);
  const torrent = makeTorrent({ length: 1_000_000 });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent);
  const { peer } = await scripted(swarm, "mute", leech, torrent.id);
  await swarm.simulation.run(1_000);
  assert.ok(peer.requests.length > 0);
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a peer that disappears in the middle of a block leaves it to others", async () => {
  await using swarm = new SimSwarm(6);
  const torrent = makeTorrent({ length: 300_000 });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent);
  const { peer } = await scripted(swarm, "gone", leech, torrent.id);
  await swarm.simulation.run(1_000);
  const [piece, begin, length] = peer.requests[0];
  peer.say((writer) => {
    writer.blockHeader(piece, begin, length);
    writer.reserve(length / 2).set(torrent.data.subarray(piece * 65536 + begin, piece * 65536 + begin + length / 2));
  });
  await swarm.simulation.run(100);
  peer.close();
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("the endgame wastes little", async () => {
  await using swarm = new SimSwarm(7);
  swarm.simulation.network.latency = 20;
  const torrent = makeTorrent({ length: 4_000_000, pieceLength: 128 * 1024 });
  const seeds: SimPeer[] = [];
  for (const [i, rate] of ["300 KB/s", "200 KB/s", "100 KB/s", "20 KB/s"].entries()) {
    seeds.push(await swarm.seed(`seed ${i}`, torrent, up(rate)));
  }
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: seeds.map(({ address }) => address) });
  await swarm.complete(leech, torrent);
  const { wasted } = leech.runtime.swarm(torrent.id);
  assert.ok(wasted <= 4_000_000 * 0.05, `${wasted} bytes were wasted`);
});

Deno.test("a choked peer gets the pieces that it is allowed, and no others", async () => {
  await using swarm = new SimSwarm(8);
  const torrent = makeTorrent({ length: 2_000_000 });
  const seed = await swarm.seed("seed", torrent);
  const host = swarm.simulation.host("choked");
  const peer = await swarm.simulation.complete(ScriptedPeer.join(host, seed.address, torrent.id));
  await swarm.simulation.run(1_000);
  const allowed = peer.heard.filter(({ name }) => name === "allowedFast").map(({ values }) => values[0] as number);
  assert.equal(allowed.length, 10);
  const other = [...Array(30).keys()].find((piece) => !allowed.includes(piece))!;
  peer.say((writer) => (writer.request(allowed[0], 0, BLOCK), writer.request(other, 0, BLOCK)));
  await swarm.simulation.run(1_000);
  assert.equal(peer.payload, BLOCK);
  assert.deepEqual(peer.heard.filter(({ name }) => name === "reject").map(({ values }) => values[0]), [other]);
});

Deno.test("what is selected may change while it downloads, and nothing that was dropped is fetched on", async () => {
  await using swarm = new SimSwarm(9);
  const torrent = makeTorrent({ files: [800_000, 800_000, 800_000], pieceLength: 64 * 1024 });
  const seed = await swarm.seed("seed", torrent, up("300 KB/s"));
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).done > 400_000);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { select: [1] }));
  await swarm.complete(leech, torrent, 60_000);
  const { wanted, wantedDone, done } = leech.runtime.swarm(torrent.id);
  assert.deepEqual([wanted, wantedDone], [800_000, 800_000]);
  assert.ok(done < 2_200_000);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { priorities: { 0: 7, 2: 1 } }));
  await swarm.complete(leech, torrent, 60_000);
  await swarm.until(() => leech.runtime.swarm(torrent.id).done === 2_400_000, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  for (const [file, priority] of [[0, 9], [0, -1], [0, NaN], [3, 4]]) {
    const change = leech.runtime.update(torrent.id, { priorities: { [file]: priority } });
    await assert.rejects(swarm.simulation.complete(change), /Cannot set priority/);
  }
});

Deno.test("pausing and resuming at once, and again, ends as was said last", async () => {
  await using swarm = new SimSwarm(10);
  const torrent = makeTorrent({ length: 1_000_000 });
  const seed = await swarm.seed("seed", torrent, up("200 KB/s"));
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).done > 100_000);
  const changes = [true, false, true, false].map((paused) => leech.runtime.update(torrent.id, { paused }));
  await swarm.simulation.complete(Promise.all(changes));
  await swarm.complete(leech, torrent, 120_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a paused swarm says what it has, and takes no peers", async () => {
  await using swarm = new SimSwarm(11);
  const torrent = makeTorrent({ length: 500_000 });
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { paused: true }));
  const { done, piecesDone, state } = seed.runtime.swarm(torrent.id);
  assert.deepEqual({ done, piecesDone, state }, { done: 500_000, piecesDone: 8, state: "paused" });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.simulation.run(10_000);
  assert.equal(leech.runtime.swarm(torrent.id).connected, 0);
});

Deno.test("seeding stops after its time, and a jump of the wall clock neither shortens it nor drops a peer", async () => {
  await using swarm = new SimSwarm(12);
  const torrent = makeTorrent({ length: 2_000_000 });
  const seed = await swarm.seed("seed", torrent, up("100 KB/s"));
  await swarm.simulation.complete(seed.runtime.update(torrent.id, { limits: { seedTime: 120_000 } }));
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.simulation.run(5_000);
  seed.host.jumpWall(10 * 365 * 86_400_000);
  leech.host.jumpWall(-86_400_000);
  await swarm.simulation.run(5_000);
  assert.equal(seed.runtime.swarm(torrent.id).connected, 1);
  await swarm.complete(leech, torrent);
  assert.equal(leech.events.filter(({ event }) => event === "peer.connected").length, 1);
  await swarm.until(() => seed.runtime.swarm(torrent.id).state === "finished", 120_000);
});

Deno.test("two adds of the same torrent at once bring one swarm", async () => {
  await using swarm = new SimSwarm(13);
  const torrent = makeTorrent({ length: 100_000 });
  const peer = await swarm.peer("peer");
  const results = await swarm.simulation.complete(
    Promise.allSettled([1, 2].map(() => peer.runtime.add({ source: torrent.bytes }))),
  );
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(peer.runtime.snapshot().swarms.length, 1);
});

Deno.test("what is selected later is asked of those who have it, also while the rest still comes", async () => {
  await using swarm = new SimSwarm(14);
  const torrent = makeTorrent({ files: [640_000, 640_000], pieceLength: 64 * 1024 });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { select: [0] });
  const host = swarm.simulation.host("half");
  const half = await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, torrent.id));
  half.say((writer) => {
    for (let piece = 12; piece < 20; piece++) writer.have(piece);
    writer.unchoke();
  });
  await swarm.simulation.run(5_000);
  assert.equal(half.count("interested"), 0);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { select: [0, 1] }));
  await swarm.simulation.run(5_000);
  assert.equal(half.count("interested"), 1);
  assert.ok(half.requests.length > 0);
});

Deno.test("idle connections are given up when another swarm has none", async () => {
  await using swarm = new SimSwarm(15);
  const [idle, needy] = [1, 2].map((seed) => makeTorrent({ name: `t${seed}`, length: 500_000, seed }));
  const seed = await swarm.peer("seed", { profile: { limits: { connections: 4 } } });
  for (const torrent of [idle, needy]) await swarm.add(seed, torrent);
  const guests: ScriptedPeer[] = [];
  for (let i = 0; i < 4; i++) {
    const host = swarm.simulation.host(`guest ${i}`);
    guests.push(await swarm.simulation.complete(ScriptedPeer.join(host, seed.address, idle.id, { peerId: `-${i}` })));
  }
  await swarm.simulation.run(10_000);
  assert.ok(guests.every(({ closed }) => !closed));
  const source = await swarm.seed("source", needy);
  await swarm.simulation.complete(seed.runtime.addPeers(needy.id, [source.address]));
  await swarm.complete(seed, needy, 200_000);
  assert.ok(guests.filter(({ closed }) => closed).length <= 2, "more were closed than were needed");
});

Deno.test("whatever is commanded, in whatever haste, the last word counts and the download completes", async () => {
  const torrent = makeTorrent({ files: [300_000, 300_000, 100_000], pieceLength: 32 * 1024 });
  const command = fc.record({
    kind: fc.constantFrom("pause", "resume", "recheck", "select", "sequential", "limit", "announce"),
    which: fc.nat(6),
    wait: fc.constantFrom(0, 0, 0, 1, 30, 400),
  });
  await fc.assert(
    fc.asyncProperty(fc.nat(1e6), fc.array(command, { maxLength: 15 }), async (seedOf, commands) => {
      await using swarm = new SimSwarm(seedOf);
      const seed = await swarm.seed("seed", torrent, up("400 KB/s"));
      const leech = await swarm.peer("leech");
      leech.host.disk.latency = 1;
      await swarm.add(leech, torrent, { peers: [seed.address] });
      const { runtime } = leech;
      const results: Promise<unknown>[] = [];
      for (const { kind, which, wait } of commands) {
        if (kind === "pause" || kind === "resume") {
          results.push(runtime.update(torrent.id, { paused: kind === "pause" }));
        } else if (kind === "recheck") results.push(runtime.recheck(torrent.id));
        else if (kind === "sequential") results.push(runtime.update(torrent.id, { sequential: which > 3 }));
        else if (kind === "limit") results.push(runtime.update(torrent.id, { limits: { down: 50_000 * (1 + which) } }));
        else if (kind === "announce") results.push(runtime.announce(torrent.id));
        else results.push(runtime.update(torrent.id, { priorities: { 0: which, 1: 6 - which, 2: 4 } }));
        if (wait > 0) await swarm.simulation.run(wait);
      }
      await swarm.simulation.complete(Promise.all(results));
      await swarm.simulation.complete(runtime.update(torrent.id, { paused: true }));
      await swarm.simulation.run(2_000);
      assert.equal(runtime.swarm(torrent.id).state, "paused");
      assert.equal(runtime.swarm(torrent.id).connected, 0);
      await swarm.simulation.complete(runtime.update(torrent.id, { paused: false, select: [0, 1, 2] }));
      await swarm.until(() => runtime.swarm(torrent.id).done === 700_000, 300_000);
      assert.ok(await sameFiles(swarm, leech, torrent));
      await swarm.simulation.run(1_000);
      assert.equal(runtime.swarm(torrent.id).state, "seeding");
    }),
    {
      numRuns: 60,
      // Once ended downloading: what a command began outlived the next.
      examples: [[0, [
        { kind: "pause", which: 0, wait: 0 },
        { kind: "recheck", which: 0, wait: 0 },
        { kind: "resume", which: 0, wait: 1 },
        { kind: "pause", which: 0, wait: 0 },
      ]]],
    },
  );
});

Deno.test("a seed lets a partial seed go that says it downloads no more, and keeps one that doesn't (BEP 21)", async () => {
  await using swarm = new SimSwarm(31);
  const torrent = makeTorrent({ length: 300_000 });
  const seed = await swarm.seed("seed", torrent);
  const join = (name: string): Promise<ScriptedPeer> =>
    swarm.simulation.complete(
      ScriptedPeer.join(swarm.simulation.host(name), seed.address, torrent.id, { peerId: `-${name}` }),
    );
  const done = await join("done");
  const busy = await join("busy");
  done.say((writer) => writer.extended(0, encodeExtendedHandshake({ m: new Map(), uploadOnly: true })));
  busy.say((writer) => writer.extended(0, encodeExtendedHandshake({ m: new Map(), uploadOnly: false })));
  await swarm.simulation.run(5_000);
  assert.deepEqual([done.closed, busy.closed].map(Boolean), [true, false]);
});
