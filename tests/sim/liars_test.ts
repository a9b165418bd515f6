import assert from "node:assert/strict";
import type { Disk } from "../../core/api/mod.ts";
import { parseMetainfo, ProtocolError } from "../../core/wire/mod.ts";
import { liars, mutations } from "../support/liars.ts";
import { makeTorrent, sameFiles, SimSwarm } from "../support/sim_swarm.ts";

const originals = ["single", "multi", "pads", "private", "hybrid", "transmission", "v2"].map((name) =>
  Deno.readFileSync(new URL(`../fixtures/torrents/${name}.torrent`, import.meta.url))
);

/** Whether it can be read; anything but a clear refusal fails the test. */
function isRead(lie: string, bytes: Uint8Array): boolean {
  try {
    parseMetainfo(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `${lie}: ${error}`);
    assert.ok(error.message.length < 1000, `${lie}: an error of ${error.message.length} characters`);
    return false;
  }
}

/** Every file and folder below `folder`. */
async function everything(disk: Disk, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await disk.list(folder)) {
    const path = `${folder === "/" ? "" : folder}/${name}`;
    found.push(path);
    if ((await disk.lstat(path))?.kind === "directory") found.push(...await everything(disk, path));
  }
  return found;
}

Deno.test("a torrent that lies is refused with a clear error, or read", () => {
  let read = 0;
  let refused = 0;
  for (const [lie, bytes] of liars()) isRead(lie, bytes) ? read++ : refused++;
  assert.ok(read > 150 && refused > 100, `${read} read, ${refused} refused`);
});

Deno.test("a torrent that was damaged at random is refused with a clear error, or read", () => {
  let left = 3_000;
  for (const bytes of mutations(originals, 1)) {
    isRead(`mutation ${left}`, bytes);
    if (--left === 0) break;
  }
});

Deno.test("lying torrents that can be read do no harm: all stays in the save folder, and an honest one completes", async () => {
  await using swarm = new SimSwarm(1);
  const honest = makeTorrent({ length: 500_000 });
  const seed = await swarm.seed("seed", honest);
  const leech = await swarm.peer("leech", { profile: { egress: { allow: ["loopback"] } } });
  const { runtime, host: { disk } } = leech;
  const before = await swarm.simulation.complete(everything(disk, "/"));
  const ids: string[] = [];
  for (const [lie, bytes] of liars()) {
    if (bytes.length > 500_000 || !isRead(lie, bytes)) continue;
    const adding = runtime.add({ source: bytes, allowLocal: true }).catch(() => undefined);
    const added = await swarm.simulation.complete(adding);
    if (added) ids.push(added.id);
  }
  assert.ok(ids.length > 40, `${ids.length} were added`);
  await swarm.add(leech, honest, { peers: [seed.address] });
  await swarm.complete(leech, honest);
  assert.ok(await sameFiles(swarm, leech, honest));
  for (const id of ids) {
    assert.notEqual(runtime.swarm(id).state, "checking");
    await swarm.simulation.complete(runtime.remove(id, { deleteData: true }));
  }
  const outside = (await swarm.simulation.complete(everything(disk, "/")))
    .filter((path) => !before.includes(path) && !path.startsWith("/data"));
  assert.deepEqual(outside, []);
  const left = (await swarm.simulation.complete(everything(disk, "/data"))).filter((path) => !path.includes(".weft"));
  assert.deepEqual(left, ["/data/sample"]);
});
