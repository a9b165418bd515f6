// Swarms whose torrents name the same files, in one runtime.
import assert from "node:assert/strict";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

const first = makeTorrent({ name: "Show", files: [200_000, 50_000], seed: 1 });
const second = makeTorrent({ name: "Show", files: [200_000, 30_000], seed: 2 });
// The same files as the first's, in other pieces.
const cross = makeTorrent({ name: "Show", files: [200_000, 50_000], seed: 1, pieceLength: 16 * 1024 });

function stateOf(peer: SimPeer, { id }: SimTorrent): string {
  const { state, error } = peer.runtime.swarm(id);
  return error ? `${state}: ${error}` : state;
}

async function failed(swarm: SimSwarm, peer: SimPeer, torrent: SimTorrent): Promise<void> {
  await swarm.until(() => peer.runtime.swarm(torrent.id).state === "failed", 20_000);
}

Deno.test("a swarm that would overwrite another's files is refused, before it downloads and while both do", async () => {
  for (const complete of [true, false]) {
    await using swarm = new SimSwarm(1);
    const one = await swarm.seed("one", first, { profile: { limits: { up: "40 KB/s" } } });
    const two = await swarm.seed("two", second);
    const leech = await swarm.peer("leech");
    await swarm.add(leech, first, { peers: [one.address] });
    if (complete) await swarm.complete(leech, first);
    else await swarm.until(() => leech.runtime.swarm(first.id).done > 70_000);
    await swarm.add(leech, second, { peers: [two.address] });
    await failed(swarm, leech, second);
    assert.match(stateOf(leech, second), /Cannot write "\/data\/Show\/f0": another torrent here has it too/);
    assert.equal(leech.runtime.swarm(second.id).downloaded, 0);
    await swarm.complete(leech, first);
    assert.ok(await sameFiles(swarm, leech, first));
    // Nor does it take them along.
    await swarm.simulation.complete(leech.runtime.remove(second.id, { deleteData: true }));
    assert.ok(await sameFiles(swarm, leech, first));
  }
});

Deno.test("with force a swarm overwrites what stands in its way, but nothing of an older swarm", async () => {
  await using swarm = new SimSwarm(2);
  const seed = await swarm.seed("seed", second);
  const leech = await swarm.peer("leech");
  const { disk } = leech.host;
  await swarm.simulation.complete(disk.makeDirectory("/data/Show"));
  await swarm.simulation.complete(disk.writeFile("/data/Show/f0", new Uint8Array(300_000).fill(1)));
  await swarm.add(leech, second, { peers: [seed.address] });
  await failed(swarm, leech, second);
  assert.match(stateOf(leech, second), /it stands there already and isn't this torrent's/);
  assert.deepEqual(leech.runtime.swarm(second.id).obstacles, ["/data/Show/f0"]);
  await swarm.simulation.complete(leech.runtime.update(second.id, { force: true }));
  await swarm.complete(leech, second);
  assert.ok(await sameFiles(swarm, leech, second));
  await swarm.add(leech, first, { force: true });
  await failed(swarm, leech, first);
  assert.match(stateOf(leech, first), /another torrent here has it too/);
  assert.ok(await sameFiles(swarm, leech, second));
});

Deno.test("torrents of the same content share their files, and the last that is removed deletes them", async () => {
  for (const restart of [false, true]) {
    await using swarm = new SimSwarm(3);
    let seed = await swarm.seed("seed", first);
    await swarm.add(seed, cross);
    await swarm.complete(seed, cross);
    assert.equal(seed.runtime.swarm(cross.id).downloaded, 0);
    if (restart) {
      // The records know it, also of a swarm that rests.
      await swarm.simulation.complete(seed.runtime.update(cross.id, { paused: true }));
      const host = seed.host.restart();
      await swarm.stop(seed).catch(() => {});
      seed = await swarm.peer("seed", {}, host);
    }
    await swarm.simulation.complete(seed.runtime.remove(first.id, { deleteData: true }));
    assert.ok(await sameFiles(swarm, seed, cross));
    await swarm.simulation.complete(seed.runtime.remove(cross.id, { deleteData: true }));
    assert.deepEqual(await swarm.simulation.complete(seed.host.disk.list("/data")), []);
  }
});

Deno.test("a torrent of the same content waits for the older one to be complete", async () => {
  await using swarm = new SimSwarm(4);
  const seed = await swarm.seed("seed", first, { profile: { limits: { up: "40 KB/s" } } });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, first, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(first.id).done > 70_000);
  await swarm.add(leech, cross);
  await failed(swarm, leech, cross);
  assert.match(stateOf(leech, cross), /complete that one and check this one again/);
  await swarm.complete(leech, first);
  await swarm.simulation.complete(leech.runtime.recheck(cross.id));
  await swarm.complete(leech, cross);
  assert.equal(leech.runtime.swarm(cross.id).downloaded, 0);
});
