// Sources of blocks that are no peers, as a plugin brings them: beside peers, alone, and where they lie.
import assert from "node:assert/strict";
import { blockSources, definePlugin, object, type Plugin, type SourceSwarm } from "../../core/api/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, type SimPeerOptions, SimSwarm } from "../support/sim_swarm.ts";

const URLS = ["shelf://one/"];

/** How a shelf behaves. */
interface ShelfOptions {
  readonly data: Uint8Array;
  /** Bytes a second. */
  readonly rate?: number;
  /** Bytes asked for at once. */
  readonly most?: number;
  /** What it does before it fetches. */
  readonly begin?: (swarm: SourceSwarm) => void;
  /** Changes what it sends. */
  readonly spoil?: (bytes: Uint8Array, offset: number) => void;
}

/** A plugin that has torrents' data at hand, and the rows that were taken of it, as `offset+length`. */
function shelf({ data, rate = 1e6, most = 256 * 1024, begin, spoil }: ShelfOptions): {
  readonly plugin: Plugin;
  readonly rows: string[];
} {
  const rows: string[] = [];
  const plugin = definePlugin({
    name: "shelf",
    config: object({}),
    provides: ["blocks.source", "blocks.source:shelf"],
    setup(plugin) {
      const pause = (ms: number) => new Promise<void>((resolve) => void plugin.clock.after(ms, resolve));
      plugin.provide(blockSources, "shelf", {
        async fetch(swarm, signal) {
          begin?.(swarm);
          swarm.report({ state: "working" });
          for (;;) {
            const run = swarm.take(most);
            if (!run) {
              await swarm.wanted(signal);
              continue;
            }
            rows.push(`${run.offset}+${run.length}`);
            while (run.done < run.length && run.wanted) {
              const from = run.offset + run.done;
              // Parts that fit neither blocks nor pieces.
              const bytes = data.slice(from, Math.min(run.offset + run.length, from + 10_007));
              spoil?.(bytes, from);
              await pause(bytes.length / rate * 1_000);
              signal.throwIfAborted();
              await run.write(bytes);
            }
            run.release();
          }
        },
      });
    },
  });
  return { plugin, rows };
}

function options(plugin: Plugin, profile: Record<string, unknown> = {}): SimPeerOptions {
  return { profile: { plugins: [{ use: "tcp" }, { use: "shelf" }], ...profile }, plugins: { shelf: plugin } };
}

function sourceOf(peer: SimPeer, id: string) {
  return peer.runtime.swarm(id).sources[0];
}

Deno.test("a source alone brings a whole torrent, in rows of whole pieces, and is let go of at its end", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 1_000_000, webSeeds: URLS });
  const { plugin, rows } = shelf(torrent);
  const leech = await swarm.peer("leech", options(plugin));
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).sources.length > 0);
  await swarm.simulation.run(500);
  const { down, downloaded, requested, ...told } = sourceOf(leech, torrent.id);
  assert.deepEqual(told, {
    url: "shelf://one/",
    kind: "url-list",
    plugin: "shelf",
    state: "working",
    error: undefined,
    retryAt: undefined,
  });
  assert.ok(down > 0 && downloaded > 0 && requested > 0);
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.deepEqual(rows, ["0+262144", "262144+262144", "524288+262144", "786432+213568"]);
  assert.equal(leech.runtime.swarm(torrent.id).wasted, 0);
  assert.deepEqual(leech.runtime.swarm(torrent.id).sources, [], "a seed asks nobody");
});

Deno.test("a source beside a peer: each brings its part, and little is fetched twice", async () => {
  await using swarm = new SimSwarm(2);
  const torrent = makeTorrent({ length: 10_000_000, webSeeds: URLS });
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "500 KB/s" } } });
  const { plugin } = shelf({ ...torrent, rate: 500_000 });
  const leech = await swarm.peer("leech", options(plugin));
  await swarm.add(leech, torrent, { peers: [seed.address] });
  const began = swarm.simulation.now;
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  const seconds = (swarm.simulation.now - began) / 1_000;
  assert.ok(
    seconds < 11, // 10 s if nothing were lost at the beginning and the end
    `both together took ${seconds} s`,
  );
  const { uploaded } = seed.runtime.swarm(torrent.id);
  assert.ok(uploaded > 4_000_000 && uploaded < 6_000_000, `${uploaded} bytes came of the peer`);
  assert.ok(leech.runtime.swarm(torrent.id).wasted < 200_000);
});

Deno.test("what a peer leaves half done, a source finishes", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 1_500_000, pieceLength: 512 * 1024, webSeeds: URLS });
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "100 KB/s" } } });
  let opened = false;
  const { plugin } = shelf({ ...torrent, begin: (source) => opened ||= source.info.length === 1_500_000 });
  const leech = await swarm.peer("leech", { profile: { plugins: [{ use: "tcp" }] }, plugins: { shelf: plugin } });
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.until(() => leech.runtime.swarm(torrent.id).downloaded > 200_000);
  await swarm.stop(seed);
  // A plugin that comes later finds what is wanted as well.
  await swarm.reload(leech, options(plugin));
  assert.ok(opened);
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a source that lies is proven to, file by file, and honest peers bring the rest", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ files: Array(12).fill(128 * 1024), webSeeds: URLS });
  const seed = await swarm.seed("seed", torrent);
  const { plugin } = shelf({ ...torrent, spoil: (bytes) => void bytes.reverse() });
  const leech = await swarm.peer("leech", options(plugin));
  await swarm.add(leech, torrent);
  await swarm.until(() => sourceOf(leech, torrent.id)?.state === "failed");
  assert.match(sourceOf(leech, torrent.id).error!, /sent piece \d+ alone, and it does not match its hash/);
  assert.ok(leech.log.some((line) => /warn weft: Web seed one of "sample" sent piece/.test(line)));
  assert.equal(leech.runtime.swarm(torrent.id).piecesDone, 0);
  await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a source that is wrong about one file brings the others", async () => {
  await using swarm = new SimSwarm(5);
  const torrent = makeTorrent({ files: [256 * 1024, 256 * 1024], webSeeds: URLS });
  const { plugin } = shelf({
    ...torrent,
    most: 64 * 1024,
    spoil: (bytes, offset) => void (offset < 256 * 1024 && bytes.fill(0)),
  });
  const leech = await swarm.peer("leech", options(plugin));
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).piecesDone === 4);
  await swarm.simulation.run(5_000);
  assert.deepEqual(leech.runtime.swarm(torrent.id).files.map(({ done }) => done), [0, 256 * 1024]);
  assert.equal(sourceOf(leech, torrent.id).state, "working");
});

Deno.test("pieces that touch what a source lacks are not asked of it", async () => {
  await using swarm = new SimSwarm(6);
  const torrent = makeTorrent({ length: 640 * 1024, webSeeds: URLS });
  const { plugin, rows } = shelf({ ...torrent, begin: (source) => source.lacks(130_000, 70_000) });
  const leech = await swarm.peer("leech", options(plugin));
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).piecesDone === 7);
  await swarm.simulation.run(5_000);
  assert.deepEqual(rows, ["262144+262144", "524288+131072", "0+65536"], "the longest row first");
});

Deno.test("sources keep to the download limit, to the order of a sequential swarm, and to what is wanted", async () => {
  await using swarm = new SimSwarm(7);
  const torrent = makeTorrent({ files: [640 * 1024, 640 * 1024], webSeeds: URLS });
  const { plugin, rows } = shelf({ ...torrent, rate: 100e6, most: 128 * 1024 });
  const leech = await swarm.peer("leech", options(plugin, { limits: { down: "200 KB/s" } }));
  await swarm.add(leech, torrent, { sequential: true, select: [1] });
  const began = swarm.simulation.now;
  await swarm.until(() => leech.runtime.swarm(torrent.id).wantedDone === 640 * 1024);
  const seconds = (swarm.simulation.now - began) / 1_000;
  assert.ok(seconds > 2.5 && seconds < 4.5, `it took ${seconds} s`);
  assert.deepEqual(rows, Array.from({ length: 5 }, (_, i) => `${(5 + i) * 128 * 1024}+${128 * 1024}`));
});

Deno.test("a paused swarm fetches no more, and goes on where it was", async () => {
  await using swarm = new SimSwarm(8);
  const torrent = makeTorrent({ length: 2_000_000, webSeeds: URLS });
  const { plugin } = shelf(torrent);
  const leech = await swarm.peer("leech", options(plugin));
  await swarm.add(leech, torrent);
  await swarm.until(() => leech.runtime.swarm(torrent.id).downloaded > 500_000);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { paused: true }));
  const { downloaded } = leech.runtime.swarm(torrent.id);
  await swarm.simulation.run(10_000);
  assert.equal(leech.runtime.swarm(torrent.id).downloaded, downloaded);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { paused: false }));
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.ok(leech.runtime.swarm(torrent.id).downloaded < 2_100_000);
});
