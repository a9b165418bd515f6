// Files that are read while they download, as a player reads them.
import assert from "node:assert/strict";
import type { SwarmFile } from "../../core/api/mod.ts";
import { makeTorrent, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

const KB = 1_000;

/** A leech and a seed that gives `up` bytes a second. */
async function pair(swarm: SimSwarm, torrent: SimTorrent, up: number, request = {}): Promise<SimPeer> {
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: `${up / KB} KB/s` } } });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent, { peers: [seed.address], ...request });
  await swarm.until(() => leech.runtime.swarm(torrent.id).peers.length > 0);
  return leech;
}

async function open(swarm: SimSwarm, peer: SimPeer, { id }: SimTorrent, index = 0): Promise<SwarmFile> {
  return await swarm.simulation.complete(peer.runtime.openFile(id, index));
}

/** Reads `length` bytes from `position`. */
async function read(file: SwarmFile, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  for (let got = 1; done < length && got > 0; done += got) {
    got = await file.read(position + done, bytes.subarray(done));
  }
  return bytes.subarray(0, done);
}

Deno.test("what is read comes first, wherever it is, and the right bytes of it", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 20_000_000, pieceLength: 128 * 1024 });
  const leech = await pair(swarm, torrent, 500 * KB);
  using file = await open(swarm, leech, torrent);
  assert.equal(file.length, 20_000_000);
  for (const position of [10_000_000, 123_456, 19_999_000]) {
    const began = swarm.simulation.now;
    const bytes = await swarm.simulation.complete(read(file, position, 1_000));
    const took = swarm.simulation.now - began;
    assert.deepEqual(bytes, torrent.data.subarray(position, position + 1_000));
    assert.ok(took < 3_000, `what stands at ${position} took ${took} ms`);
  }
  assert.equal(await swarm.simulation.complete(file.read(20_000_000, new Uint8Array(10))), 0, "the end");
  assert.equal((await swarm.simulation.complete(read(file, 19_999_999, 10))).length, 1);
});

Deno.test("a reader never waits long while the file comes faster than it reads", async () => {
  await using swarm = new SimSwarm(2);
  const torrent = makeTorrent({ length: 6_000_000, pieceLength: 128 * 1024 });
  const leech = await pair(swarm, torrent, 500 * KB);
  using file = await open(swarm, leech, torrent);
  const { simulation } = swarm;
  await simulation.complete(read(file, 0, 250 * KB));
  let late = 0;
  const began = simulation.now;
  for (let position = 250 * KB; position < 6_000_000; position += 50 * KB) { // 250 KB/s
    await simulation.run(Math.max(0, began + (position - 250 * KB) / 250 - simulation.now));
    const asked = simulation.now;
    const bytes = await simulation.complete(read(file, position, 50 * KB));
    assert.deepEqual(bytes, torrent.data.subarray(position, position + 50 * KB));
    late = Math.max(late, simulation.now - asked);
  }
  assert.ok(late < 700, `a read took ${late} ms`);
});

Deno.test("a file that is not wanted is, once it is read", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ files: [200_000, 200_000, 200_000], pieceLength: 32 * 1024 });
  const leech = await pair(swarm, torrent, 2_000 * KB, { select: [0] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "seeding");
  using file = await open(swarm, leech, torrent, 2);
  assert.equal(file.path, "f2");
  const bytes = await swarm.simulation.complete(read(file, 100_000, 5_000));
  assert.deepEqual(bytes, torrent.files[2].data.subarray(100_000, 105_000));
  assert.deepEqual(leech.runtime.swarm(torrent.id).files.map(({ priority }) => priority), [4, 0, 4]);
});

Deno.test("a read ends with its signal, with its file, and when the swarm rests", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ length: 5_000_000 });
  const leech = await pair(swarm, torrent, 20 * KB);
  const { simulation } = swarm;
  const waiting = (file: SwarmFile, signal?: AbortSignal): Promise<unknown> =>
    file.read(4_000_000, new Uint8Array(10), signal).then((got) => got, (error) => error.message);
  const file = await open(swarm, leech, torrent);
  const abort = new AbortController();
  const aborted = waiting(file, abort.signal);
  abort.abort(new Error("nobody looks any more"));
  assert.equal(await simulation.complete(aborted), "nobody looks any more");
  const closed = waiting(file);
  file[Symbol.dispose]();
  file[Symbol.dispose]();
  assert.match(await simulation.complete(closed) as string, /Cannot read "sample": it is closed/);
  const again = await open(swarm, leech, torrent);
  const paused = waiting(again);
  await simulation.complete(leech.runtime.update(torrent.id, { paused: true }));
  assert.match(await simulation.complete(paused) as string, /Cannot read "sample": "sample" is paused/);
  await simulation.complete(leech.runtime.update(torrent.id, { paused: false }));
  await swarm.until(() => leech.runtime.swarm(torrent.id).peers.length > 0);
  assert.equal(await simulation.complete(waiting(again)), 10, "it is wanted first by the picker that came after");
  await assert.rejects(simulation.complete(leech.runtime.openFile(torrent.id, 1)), /has no such file/);
});

Deno.test("without readers nothing is fetched in another order than before", async () => {
  const order = async (reads: boolean): Promise<unknown[]> => {
    await using swarm = new SimSwarm(5);
    const torrent = makeTorrent({ length: 3_000_000 });
    const leech = await pair(swarm, torrent, 300 * KB);
    if (reads) (await open(swarm, leech, torrent))[Symbol.dispose]();
    await swarm.complete(leech, torrent);
    return leech.events.filter(({ event }) => event === "piece.verified").map(({ data }) => data.piece);
  };
  assert.deepEqual(await order(true), await order(false));
});
