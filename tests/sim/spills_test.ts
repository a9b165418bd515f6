import assert from "node:assert/strict";
import { makeTorrent, sameFiles, SimSwarm, simulate } from "../testing/mod.ts";

// Memory is short when many slow peers each send another piece: chunks go to disk before they are whole.

simulate("a swarm of slow seeds goes on to the end though memory holds one piece of many", 2, async (seed) => {
  await using swarm = new SimSwarm(seed);
  const torrent = makeTorrent({ length: 12 * 1024 * 1024, pieceLength: 1024 * 1024 });
  const peers: string[] = [];
  for (let i = 0; i < 10; i++) {
    const { address } = await swarm.seed(`seed ${i}`, torrent, { profile: { limits: { up: "60 KiB/s" } } });
    peers.push(address);
  }
  const leech = await swarm.peer("leech", { profile: { limits: { open_pieces: "1 MiB" } } });
  await swarm.add(leech, torrent, { peers });
  // 20 s at their rate.
  await swarm.complete(leech, torrent, 60_000);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("of several swarms that share too little memory none stands still", async () => {
  await using swarm = new SimSwarm(3);
  const torrents = [1, 2, 3, 4].map((seed) =>
    makeTorrent({ name: `sample ${seed}`, length: 12 * 1024 * 1024, pieceLength: 4 * 1024 * 1024, seed })
  );
  const leech = await swarm.peer("leech", { profile: { limits: { open_pieces: "4 MiB" } } });
  for (const torrent of torrents) {
    const peers: string[] = [];
    for (let i = 0; i < 8; i++) {
      const { address } = await swarm.seed(`${torrent.name} at ${i}`, torrent, {
        profile: { limits: { up: "40 KiB/s" } },
      });
      peers.push(address);
    }
    await swarm.add(leech, torrent, { peers });
  }
  // 38 s at their rate.
  for (const torrent of torrents) await swarm.complete(leech, torrent, 120_000);
  for (const torrent of torrents) assert.ok(await sameFiles(swarm, leech, torrent));
});
