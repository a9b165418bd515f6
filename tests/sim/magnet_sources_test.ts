// A magnet that is found by one source alone, be it whichever: its link names nobody but a tracker or a peer.
import assert from "node:assert/strict";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../testing/mod.ts";

const MINUTE = 60_000;
const torrent = makeTorrent({ name: "magnet", length: 300_000, pieceLength: 16 * 1024 });

/** How a leech may come to know a seed. */
interface Source {
  /** What both run besides tcp and metadata. */
  readonly plugins: (meeting: SimPeer) => readonly Record<string, unknown>[];
  /** What the magnet link says besides the info-hash. */
  readonly link?: (meeting: SimPeer, seed: SimPeer) => string;
}

/** The meeting is a Weft that both may ask: a tracker and a DHT node, and not a peer of theirs. */
const meeting = {
  plugins: [{ use: "tracker_server", with: { listen: "0.0.0.0:6969" } }, { use: "dht", with: { bootstrap: [] } }],
};
const tracker = (scheme: string) => ({ host: { ip } }: SimPeer): string =>
  `&tr=${encodeURIComponent(`${scheme}://${ip}:6969/announce`)}`;

const sources: Readonly<Record<string, Source>> = {
  "a peer that the link names": { plugins: () => [], link: (_, { address }) => `&x.pe=${address}` },
  "a tracker over HTTP": { plugins: () => [{ use: "tracker_http" }], link: tracker("http") },
  "a tracker over UDP": { plugins: () => [{ use: "tracker_udp" }], link: tracker("udp") },
  "the DHT": { plugins: ({ address }) => [{ use: "dht", with: { bootstrap: [address] } }] },
  "the local network": { plugins: () => [{ use: "lpd" }] },
};

for (const [name, { plugins, link }] of Object.entries(sources)) {
  Deno.test(`a magnet is found by ${name} alone`, async () => {
    await using swarm = new SimSwarm(1);
    const place = await swarm.peer("meeting", { profile: meeting });
    const profile = { plugins: [{ use: "tcp" }, { use: "metadata" }, ...plugins(place)] };
    const seed = await swarm.seed("seed", torrent, { profile });
    const source = `magnet:?xt=urn:btih:${torrent.id}${link?.(place, seed) ?? ""}`;
    // The seed has the .torrent, which names no tracker: whoever fetches it tells the tracker.
    await swarm.simulation.complete(seed.runtime.update(torrent.id, { trackers: trackersOf(source) }));
    const leech = await swarm.peer("leech", { profile });
    await swarm.simulation.complete(leech.runtime.add({ source }));
    await swarm.complete(leech, torrent, 20 * MINUTE);
    assert.ok(await sameFiles(swarm, leech, torrent));
  });
}

Deno.test("without a source a magnet waits, and nobody is found", async () => {
  await using swarm = new SimSwarm(1);
  const profile = { plugins: [{ use: "tcp" }, { use: "metadata" }] };
  await swarm.seed("seed", torrent, { profile });
  const leech = await swarm.peer("leech", { profile });
  await swarm.simulation.complete(leech.runtime.add({ source: `magnet:?xt=urn:btih:${torrent.id}` }));
  await swarm.simulation.run(20 * MINUTE);
  const { state, peers } = leech.runtime.swarm(torrent.id);
  assert.deepEqual([state, peers], ["metadata", []]);
});

function trackersOf(magnet: string): string[] {
  return new URL(magnet).searchParams.getAll("tr");
}
