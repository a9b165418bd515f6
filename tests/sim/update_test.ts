import assert from "node:assert/strict";
import { encode } from "../../core/wire/bencode.ts";
import { makeTorrent, sameFiles, SimSwarm } from "../support/sim_swarm.ts";

Deno.test("what becomes wanted while a swarm opens its files is fetched with the rest", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ files: [100_000, 0, 300_001], pieceLength: 32 * 1024 });
  const seed = await swarm.seed("seed", torrent);
  const leech = await swarm.peer("leech");
  const { runtime } = leech;
  await swarm.simulation.complete(
    runtime.add({ source: torrent.bytes, peers: [seed.address], select: [0] })
      .then(() => runtime.update(torrent.id, { select: [0, 1, 2] })),
  );
  assert.equal(runtime.swarm(torrent.id).wanted, 400_001);
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a tracker on loopback is asked as soon as the user allows it, and one that is added at once", async () => {
  await using swarm = new SimSwarm(2);
  const leech = await swarm.peer("leech");
  const asked: string[] = [];
  await swarm.simulation.complete(leech.host.net.serve({ ip: "127.0.0.1", port: 7000 }, ({ url }) => {
    asked.push(new URL(url).pathname);
    return new Response(encode({ interval: 1800, peers: new Uint8Array() }) as Uint8Array<ArrayBuffer>);
  }));
  const torrent = makeTorrent({ length: 1_000, trackers: [["http://127.0.0.1:7000/first"]] });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(5_000);
  assert.match(leech.runtime.swarm(torrent.id).trackers[0].error!, /loopback is not allowed/);
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { allowLocal: true }));
  await swarm.until(() => asked.includes("/first"), 20_000);
  const trackers = ["http://127.0.0.1:7000/second"];
  await swarm.simulation.complete(leech.runtime.update(torrent.id, { trackers }));
  await swarm.until(() => asked.includes("/second"), 1_000);

  // Both outlive the process.
  await swarm.stop(leech);
  asked.length = 0;
  const again = await swarm.peer("leech", {}, leech.host);
  await swarm.until(() => asked.length === 2, 5_000);
  await swarm.simulation.complete(again.runtime.update(torrent.id, { allowLocal: false }));
  asked.length = 0;
  await swarm.simulation.run(4_000_000);
  assert.deepEqual(asked, []);
});
