import assert from "node:assert/strict";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../testing/mod.ts";

const first = makeTorrent({ name: "first", length: 300_000, seed: 1 });
const second = makeTorrent({ name: "second", length: 300_000, seed: 2, pieceLength: 16 * 1024 });
const files = makeTorrent({ name: "files", files: [100_000, 100_000], seed: 3 });

/** A runtime on a host where the torrents lie, with these entries of `swarms`. */
async function runs(swarm: SimSwarm, swarms: readonly unknown[]): Promise<SimPeer> {
  const host = swarm.simulation.host("me");
  await swarm.simulation.complete((async () => {
    for (const { name, bytes } of [first, second, files]) await host.disk.writeFile(`/${name}.torrent`, bytes);
  })());
  return await swarm.peer("me", { profile: { swarms } }, host);
}

const changes = async (swarm: SimSwarm, peer: SimPeer, swarms: readonly unknown[]): Promise<string[]> => {
  const plan = await swarm.reload(peer, { profile: { swarms } });
  return plan.changes.map(({ action, what, why }) => `${action} ${what}${why ? `: ${why}` : ""}`);
};

Deno.test("a reload adds and removes the profile's swarms, and neither the user's nor any data", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", first);
  const me = await runs(swarm, [{ add: "./first.torrent", peers: [seed.address] }]);
  await swarm.complete(me, first);
  await swarm.add(me, files);
  assert.deepEqual(await changes(swarm, me, [{ add: "./second.torrent" }]), [
    "remove swarm first: its files stay",
    "add swarm second",
  ]);
  const names = (): string[] => me.runtime.snapshot().swarms.map(({ name }) => name).sort();
  assert.deepEqual(names(), ["files", "second"]);
  assert.ok(await sameFiles(swarm, me, first));
  assert.deepEqual(await changes(swarm, me, [{ add: "./second.torrent" }]), []);
  // What the profile brings and the user had already stays the user's.
  assert.deepEqual(await changes(swarm, me, [{ add: "./second.torrent" }, { add: "./files.torrent" }]), []);
  assert.deepEqual(await changes(swarm, me, []), ["remove swarm second: its files stay"]);
  assert.deepEqual(names(), ["files"]);
});

Deno.test("what the profile says otherwise of a swarm is changed, and what the user changed besides stays", async () => {
  await using swarm = new SimSwarm(2);
  const entry = { add: "./files.torrent", select: [0], limits: { down: "10 kB/s" } };
  const me = await runs(swarm, [entry]);
  await swarm.simulation.complete(me.runtime.update(files.id, { sequential: true }));
  const { down: _, ...limits } = entry.limits;
  assert.deepEqual(await changes(swarm, me, [{ ...entry, select: [1], paused: true, limits }]), [
    "change swarm files: select, paused, down",
  ]);
  const { state, sequential, files: listed } = me.runtime.swarm(files.id);
  assert.deepEqual({ state, sequential }, { state: "paused", sequential: true });
  assert.deepEqual(listed.map(({ priority }) => priority), [0, 4]);
  assert.deepEqual(await changes(swarm, me, [{ add: "./files.torrent" }]), ["change swarm files: select, paused"]);
  assert.deepEqual(me.runtime.swarm(files.id).files.map(({ priority }) => priority), [4, 4]);
  assert.equal(me.runtime.swarm(files.id).state, "downloading");
});

Deno.test("a swarm is not moved under its files, and the refusal says what to do", async () => {
  await using swarm = new SimSwarm(3);
  const me = await runs(swarm, [{ add: "./first.torrent" }]);
  await assert.rejects(
    changes(swarm, me, [{ add: "./first.torrent", path: "/elsewhere" }]),
    /^ConfigError: profile.yaml:1:1: cannot move "first" to "\/elsewhere" while it is here; remove the entry/,
  );
  assert.equal(me.runtime.swarm(first.id).path, "/data");
});

Deno.test("an edit while nothing ran counts at the next start, unless a torrent can't be read", async () => {
  await using swarm = new SimSwarm(4);
  const me = await runs(swarm, [{ add: "./first.torrent" }, { add: "./second.torrent", limits: { down: "1 kB/s" } }]);
  await swarm.add(me, files);
  await swarm.stop(me);
  const start = async (swarms: readonly unknown[]): Promise<SimPeer> =>
    await swarm.peer("me", { profile: { swarms } }, me.host);
  const names = (peer: SimPeer): string[] => peer.runtime.snapshot().swarms.map(({ name }) => name).sort();
  const broken = await start([{ add: "./missing.torrent" }]);
  assert.deepEqual(names(broken), ["files", "first", "second"]);
  assert.match(broken.log.join("\n"), /error weft: profile.yaml:1:1: cannot add "\/missing.torrent"/);
  await swarm.stop(broken);
  const edited = await start([{ add: "./second.torrent", paused: true }]);
  assert.deepEqual(names(edited), ["files", "second"]);
  assert.equal(edited.runtime.swarm(second.id).state, "paused");
});
