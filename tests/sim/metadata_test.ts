import assert from "node:assert/strict";
import {
  definePlugin,
  object,
  parseMetainfo,
  type Plugin,
  type PublicSwarm,
  swarmAdded,
  wireExtensions,
} from "../../core/api/mod.ts";
import { encodeMetadataMessage } from "../../plugins/metadata/codec.ts";
import { trySeed } from "../../plugins/metadata/test_seeds.ts";
import { makeTorrent, runSeeds, sameFiles, type SimPeer, SimSwarm, type SimTorrent } from "../testing/mod.ts";

// Five pieces of metadata.
const torrent = makeTorrent({ name: "magnet", length: 4_000 * 16 * 1024, pieceLength: 16 * 1024 });
const small = makeTorrent({ name: "small", files: [40_000, 50_000], seed: 2 });
const plugins = [{ use: "tcp" }, { use: "metadata" }, { use: "tracker_http" }];

const magnet = ({ id, name }: SimTorrent, more = ""): string => `magnet:?xt=urn:btih:${id}&dn=${name}${more}`;

async function leech(swarm: SimSwarm, source: string, peers: readonly string[]): Promise<SimPeer> {
  const peer = await swarm.peer("leech", { profile: { plugins } });
  await swarm.simulation.complete(peer.runtime.add({ source, peers }));
  return peer;
}

Deno.test("a magnet becomes a swarm on the connection that brought its metadata, and is served to others", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", small, { profile: { plugins } });
  const first = await leech(swarm, magnet(small, `&x.pe=${seed.address}`), []);
  await swarm.complete(first, small, 20_000);
  assert.ok(await sameFiles(swarm, first, small));
  assert.equal(first.events.filter(({ event }) => event === "peer.connected").length, 1);
  // Whoever learned it serves it.
  const second = await swarm.peer("second", { profile: { plugins } });
  await swarm.simulation.complete(second.runtime.add({ source: magnet(small), peers: [first.address] }));
  await swarm.complete(second, small, 20_000);
});

Deno.test("metadata is kept: a restart needs no second fetch", async () => {
  await using swarm = new SimSwarm(2);
  const seed = await swarm.seed("seed", small, { profile: { plugins, limits: { up: "5 kB/s" } } });
  const peer = await leech(swarm, magnet(small), [seed.address]);
  await swarm.until(() => peer.runtime.swarm(small.id).state === "downloading");
  await swarm.stop(peer);
  await swarm.stop(seed);
  const again = await swarm.peer("leech", { profile: { plugins } }, peer.host);
  await swarm.simulation.run(1_000);
  assert.equal(again.runtime.swarm(small.id).state, "downloading");
  assert.equal(again.runtime.swarm(small.id).length, 90_000);
});

Deno.test("a magnet's selection counts once its files are known (BEP 53)", async () => {
  await using swarm = new SimSwarm(3);
  const seed = await swarm.seed("seed", small, { profile: { plugins } });
  const peer = await leech(swarm, magnet(small, "&so=1"), [seed.address]);
  await swarm.until(() => peer.runtime.swarm(small.id).state === "seeding");
  assert.deepEqual(peer.runtime.swarm(small.id).files.map(({ priority }) => priority), [0, 4]);
});

Deno.test("a private torrent's magnet is private from the moment that it shows", async () => {
  await using swarm = new SimSwarm(4);
  const secret = makeTorrent({ name: "secret", length: 3_000_000, private: true, seed: 4 });
  const heard: PublicSwarm[][] = [];
  const watcher = definePlugin({
    name: "watcher",
    config: object({}),
    setup(plugin) {
      const look = (): void => {
        heard.push([...plugin.swarms]);
        plugin.clock.after(1_000, look);
      };
      look();
      plugin.on(swarmAdded, () => {});
    },
  }) as Plugin;
  const seed = await swarm.seed("seed", secret, { profile: { plugins, limits: { up: "100 kB/s" } } });
  const peer = await swarm.peer("leech", {
    profile: { plugins: [...plugins, { use: "pex" }, { use: "watcher" }] },
    plugins: { watcher },
  });
  await swarm.simulation.complete(peer.runtime.add({ source: magnet(secret), peers: [seed.address] }));
  await swarm.until(() => peer.runtime.swarm(secret.id).state === "downloading");
  heard.length = 0;
  await swarm.complete(peer, secret);
  assert.ok(heard.length > 5 && heard.every((swarms) => swarms.length === 0));
  assert.equal(peer.runtime.swarm(secret.id).private, true);
});

/** A plugin that offers metadata and lies in one way. */
function liar(lie: "bytes" | "size" | "reject" | "silence" | "unasked"): Plugin {
  const { info } = parseMetainfo(torrent.bytes);
  return definePlugin({
    name: "liar",
    config: object({}),
    setup(plugin) {
      plugin.provide(wireExtensions, "ut_metadata", {
        bringsMetadata: true,
        join: (peer) => ({
          message(payload) {
            const piece = Number(/piecei(\d+)e/.exec(new TextDecoder("latin1").decode(payload))![1]);
            if (lie === "silence") return;
            if (lie === "reject") return peer.send(encodeMetadataMessage({ type: "reject", piece }));
            const totalSize = lie === "size" ? info.raw.length + 1 : info.raw.length;
            const bytes = info.raw.slice(piece * 16_384, (piece + 1) * 16_384);
            bytes[0] ^= 1;
            for (let i = 0; i < (lie === "unasked" ? 50 : 1); i++) {
              peer.send(encodeMetadataMessage({ type: "data", piece: piece + i, totalSize, bytes }));
            }
          },
        }),
      });
    },
  }) as Plugin;
}

for (const lie of ["bytes", "size", "reject", "silence", "unasked"] as const) {
  Deno.test(`among three peers who lie by ${lie}, an honest one completes the metadata`, async () => {
    await using swarm = new SimSwarm(5);
    const addresses: string[] = [];
    for (let i = 0; i < 3; i++) {
      const seed = await swarm.seed(`liar${i}`, torrent, {
        plugins: { liar: liar(lie) },
        profile: { plugins: [{ use: "tcp" }, { use: "liar" }] },
      });
      addresses.push(seed.address);
    }
    const honest = await swarm.seed("honest", torrent, { profile: { plugins } });
    const peer = await leech(swarm, magnet(torrent), [...addresses, honest.address]);
    await swarm.until(() => peer.runtime.swarm(torrent.id).state === "downloading", 120_000);
    assert.equal(peer.runtime.swarm(torrent.id).length, torrent.data.length);
  });
}

Deno.test("in 100 crowds of peers who lie, vanish and fall silent, metadata comes or is taken back, and nothing is left", async () => {
  const outcomes = new Map<string, number>();
  const tried = async (seed: number): Promise<void> => {
    const { peers, whole } = await trySeed(seed);
    const outcome = `${peers}, ${whole ? "whole" : "taken back"}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };
  // `deno task seeds metadata` takes 100,000.
  await runSeeds(100, tried, (seed) => `deno task seeds metadata --seed ${seed}`);
  const kinds = ["doubtful, taken back", "doubtful, whole", "steadfast, taken back", "steadfast, whole"];
  assert.deepEqual([...outcomes.keys()].sort(), kinds);
});
