import assert from "node:assert/strict";
import {
  definePlugin,
  discoverPeers,
  object,
  parsePeerAddress,
  type Plugin,
  resolveMetadata,
  wireExtensions,
} from "../../core/api/mod.ts";
import { parseMetainfo } from "../../core/wire/mod.ts";
import { ScriptedPeer } from "../support/scripted_peer.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

/** Brings the metadata after two seconds, as a plugin that fetches it from peers would. */
function metadata(torrent: SimTorrent, bytes = parseMetainfo(torrent.bytes).info.raw): Plugin {
  return definePlugin({
    name: "metadata",
    config: object({}),
    setup(scope) {
      scope.on(resolveMetadata, () => new Promise((resolve) => void scope.clock.after(2_000, () => resolve(bytes))));
    },
  }) as Plugin;
}

async function withMetadata(swarm: SimSwarm, plugin: Plugin, ...more: readonly Plugin[]): Promise<SimPeer> {
  const own = [plugin, ...more];
  return await swarm.peer("leech", {
    profile: { plugins: [{ use: "tcp" }, ...own.map(({ name }) => ({ use: name }))] },
    plugins: Object.fromEntries(own.map((each) => [each.name, each])),
  });
}

const magnet = ({ id }: SimTorrent): string => `magnet:?xt=urn:btih:${id.slice(0, 40)}`;

Deno.test("a magnet's peers connect before its metadata is there, and are counted once when it is", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 640_000 });
  const leech = await withMetadata(swarm, metadata(torrent));
  await swarm.add(leech, torrent, { source: magnet(torrent) });
  const join = async (name: string): Promise<ScriptedPeer> => {
    const host = swarm.simulation.host(name);
    return await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, torrent.id, { peerId: `-${name}` }));
  };
  const [all, some, none, wrong] = [await join("all"), await join("some"), await join("none"), await join("wrong")];
  all.say((writer) => writer.haveAll());
  some.say((writer) => (writer.have(3), writer.have(9)));
  wrong.say((writer) => (writer.have(4), writer.have(10)));
  await swarm.simulation.run(1_000);
  assert.equal(leech.runtime.swarm(torrent.id).state, "metadata");
  // BEP 6: something must be said of what one has.
  assert.equal(none.count("haveNone"), 1);
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "downloading");
  await swarm.simulation.run(1_000);
  assert.ok(wrong.closed, "a piece beyond the last was taken");
  assert.deepEqual(leech.runtime.swarm(torrent.id).availability, [1, 1, 1, 2, 1, 1, 1, 1, 1, 2]);
  all.close();
  some.close();
  await swarm.simulation.run(1_000);
  assert.deepEqual(leech.runtime.swarm(torrent.id).availability, new Array(10).fill(0));
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
  await swarm.simulation.run(1_000);
  assert.equal(none.count("have"), 10);
});

Deno.test("metadata with another hash than the magnet's is refused, and said so", async () => {
  await using swarm = new SimSwarm(2);
  const torrent = makeTorrent({ length: 100_000 });
  const other = makeTorrent({ length: 100_000, seed: 2 });
  const leech = await withMetadata(swarm, metadata(torrent, parseMetainfo(other.bytes).info.raw));
  await swarm.add(leech, torrent, { source: magnet(torrent) });
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "failed");
  assert.match(leech.runtime.swarm(torrent.id).error!, /its hash is not the magnet's/);
});

Deno.test("a magnet survives a restart with its metadata", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 100_000 });
  const leech = await withMetadata(swarm, metadata(torrent));
  await swarm.add(leech, torrent, { source: magnet(torrent) });
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "downloading");
  await swarm.stop(leech);
  const again = await swarm.peer("leech", {}, leech.host);
  await swarm.until(() => again.runtime.swarm(torrent.id).state === "downloading");
  assert.equal(again.runtime.swarm(torrent.id).length, 100_000);
});

Deno.test("once a magnet turns out private, no plugin is asked for peers, and ut_pex is withdrawn", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ length: 640_000, private: true });
  let rounds = 0;
  const source = definePlugin({
    name: "source",
    config: object({}),
    setup(scope) {
      scope.on(discoverPeers, async function* () {
        rounds++;
        await Promise.resolve();
        yield { address: parsePeerAddress("20.9.9.9:1") };
        return { again: 5_000 };
      });
      scope.provide(wireExtensions, "ut_pex", { publicOnly: true, join: () => ({ message() {} }) });
    },
  }) as Plugin;
  const leech = await withMetadata(swarm, metadata(torrent), source);
  await swarm.add(leech, torrent, { source: magnet(torrent) });
  const host = swarm.simulation.host("peer");
  const peer = await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, torrent.id));
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "downloading");
  const before = rounds;
  await swarm.simulation.run(600_000);
  assert.deepEqual([before, rounds], [1, 1]);
  const handshakes = peer.heard.filter(({ name, values }) => name === "extended" && values[0] === 0)
    .map(({ values }) => new TextDecoder("latin1").decode(values[1] as Uint8Array));
  assert.match(handshakes[0], /6:ut_pexi1e/);
  assert.match(handshakes[1], /6:ut_pexi0e/);
});

Deno.test("a selection of which nothing is there is an error once the files are known, until other ones are wanted", async () => {
  await using swarm = new SimSwarm(9);
  const torrent = makeTorrent({ files: [100_000, 100_000, 100_000] });
  const seed = await swarm.seed("seed", torrent);
  const leech = await withMetadata(swarm, metadata(torrent));
  const { simulation } = swarm;
  await assert.rejects(
    swarm.add(leech, torrent, { select: [0, 98] }),
    /^CommandError: Cannot add "sample": there is no file 99: the torrent has 3 files$/,
  );
  await swarm.add(leech, torrent, { source: magnet(torrent), select: [98], peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "failed");
  const { error, downloaded } = leech.runtime.swarm(torrent.id);
  assert.equal(error, 'Cannot select files of "sample": there is no file 99: the torrent has 3 files');
  assert.equal(downloaded, 0);
  assert.ok(!leech.events.some(({ event }) => event === "swarm.completed"));
  await assert.rejects(simulation.complete(leech.runtime.update(torrent.id, { select: [3] })), /there is no file 4/);
  await simulation.complete(leech.runtime.update(torrent.id, { select: [1] }));
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "seeding");
  assert.equal(leech.runtime.swarm(torrent.id).wantedDone, 100_000);
});

Deno.test("of a selection that is partly there, that part is fetched, and the rest is told", async () => {
  await using swarm = new SimSwarm(10);
  const torrent = makeTorrent({ files: [100_000, 100_000] });
  const seed = await swarm.seed("seed", torrent);
  const leech = await withMetadata(swarm, metadata(torrent));
  await swarm.add(leech, torrent, { source: `${magnet(torrent)}&so=1,7`, peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).state === "seeding");
  assert.equal(leech.runtime.swarm(torrent.id).wantedDone, 100_000);
  assert.ok(leech.log.some((line) => /there is no file 8: the torrent has 2 files/.test(line)));
});
