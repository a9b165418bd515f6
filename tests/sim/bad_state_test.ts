import assert from "node:assert/strict";
import type { Statement } from "../../core/api/mod.ts";
import { makeTorrent, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 1_000_000 });

/** A peer that had the torrent, after somebody changed its state file behind its back. */
async function restarted(swarm: SimSwarm, ...statements: Statement[]): Promise<SimPeer> {
  const seed = await swarm.seed("seed", torrent);
  await swarm.stop(seed);
  const { host } = seed;
  await swarm.simulation.complete((async () => {
    const db = await host.db.open("/state/weft.db");
    await db.run(statements);
    await db.close();
  })());
  const peer = await swarm.peer("seed", {}, host);
  await swarm.simulation.run(10);
  return peer;
}

Deno.test("a saved swarm under another's name is left out, with a line in the log", async () => {
  await using swarm = new SimSwarm(1);
  const peer = await restarted(
    swarm,
    { sql: "INSERT INTO swarm SELECT ?, source, options, 0, 0, 0, 0, 0 FROM swarm", values: ["f".repeat(40)] },
  );
  assert.equal(peer.runtime.snapshot().swarms.length, 1);
  assert.ok(peer.log.some((line) => /Cannot resume swarm f{40}: what is saved is/.test(line)), peer.log.join("\n"));
});

Deno.test("a saved source that can't be read is left out, and all else goes on", async () => {
  await using swarm = new SimSwarm(2);
  const peer = await restarted(swarm, { sql: "UPDATE swarm SET source = x'00ff'" });
  assert.equal(peer.runtime.snapshot().swarms.length, 0);
  assert.ok(peer.log.some((line) => line.includes("Cannot resume swarm")), peer.log.join("\n"));
  await swarm.add(peer, torrent, { existing: "check" });
  await swarm.complete(peer, torrent);
});

Deno.test("saved pieces without their files' stamps are not believed, but hashed again", async () => {
  await using swarm = new SimSwarm(3);
  const peer = await restarted(swarm, { sql: "DELETE FROM file" });
  assert.ok(peer.log.some((line) => line.includes("All 16 pieces")), peer.log.join("\n"));
  await swarm.complete(peer, torrent);
});

Deno.test("saved stamps of files that aren't there, and of sizes that aren't so, are not believed either", async () => {
  await using swarm = new SimSwarm(4);
  const peer = await restarted(
    swarm,
    { sql: "UPDATE file SET size = size + 1" },
    { sql: "INSERT INTO file SELECT key, 1000000, home, size, modified, writing FROM file" },
    { sql: "INSERT INTO file SELECT key, -1, 'part', size, modified, writing FROM file WHERE file = 0" },
  );
  assert.ok(peer.log.some((line) => line.includes("All 16 pieces")), peer.log.join("\n"));
  await swarm.complete(peer, torrent);
});
