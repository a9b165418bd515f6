import assert from "node:assert/strict";
import { loadProfile } from "../../core/config/mod.ts";
import { denoHost } from "../../core/host/deno/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import type { Runtime } from "../../core/api/mod.ts";
import { builtins } from "../../plugins/mod.ts";
import { leakCheck } from "../support/leak_check.ts";
import { makeTorrent, type SimTorrent } from "../support/sim_swarm.ts";

Deno.test({
  name: "a runtime that stopped holds no descriptor and no thread on the real host",
  // Deno keeps a few of its own threads and ops from their first use; the leak check counts what the system holds.
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "weft-leaks-" });
    try {
      const torrent = makeTorrent({ length: 3_000_000 });
      await Deno.mkdir(`${folder}/0/seed`, { recursive: true });
      await Deno.mkdir(`${folder}/1/seed`, { recursive: true });
      for (const round of [0, 1]) await Deno.writeFile(`${folder}/${round}/seed/${torrent.name}`, torrent.data);
      await transfer(`${folder}/0`, torrent);
      const leaks = await leakCheck();
      await transfer(`${folder}/1`, torrent);
      await leaks.verify();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Two runtimes, one transfer, and both stopped. */
async function transfer(folder: string, torrent: SimTorrent): Promise<void> {
  const host = denoHost();
  const start = async (name: string): Promise<Runtime> => {
    const settings = await loadProfile({
      value: {
        listen: "127.0.0.1:0",
        store: { path: `${folder}/${name}`, state: `${folder}/${name}/state.db` },
        plugins: [{ use: "tcp" }, { use: "tracker_http" }],
      },
      file: "profile.yaml",
      baseDir: folder,
      resolvePlugin: async ({ use }) => ({ plugin: (await builtins[use]()).default, version: "1", files: [] }),
    });
    await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    return await startRuntime({ host, settings, version: "0.0.0" });
  };
  const seed = await start("seed");
  const leech = await start("leech");
  const seeding = [seed, leech].map(untilSeeding);
  await seed.add({ source: torrent.bytes, existing: "check" });
  await seeding[0];
  await leech.add({ source: torrent.bytes, peers: [...seed.snapshot().listening] });
  await seeding[1];
  assert.equal(leech.swarm(torrent.id).wasted, 0);
  await Promise.all([leech.stop(), seed.stop()]);
  await host.close();
  assert.deepEqual(await Deno.readFile(`${folder}/leech/${torrent.name}`), torrent.data);
}

function untilSeeding(runtime: Runtime): Promise<void> {
  return new Promise((resolve) =>
    void runtime.subscribe(({ event, data }) => {
      if (event === "swarm.state" && data.state === "seeding") resolve();
    })
  );
}
