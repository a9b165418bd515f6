/**
 * What a plugin that hangs in the sandbox costs others: a transfer limited to 20 MB/s runs while a plugin in a worker,
 * and then one in a process, falls into an endless loop. Prints how long each lived on, and the slowest second.
 *
 * `deno task bench sandbox`
 *
 * @module
 */
import assert from "node:assert/strict";
import { denoHost } from "../../core/host/deno/mod.ts";
import { seedPayload, settings, sleep, start } from "./swarm.ts";

const RATE = 20_000_000;
const SIZE = 800_000_000;
// issue: gone in 5 s, and never below 95 %.
const GONE_WITHIN = 5_000;
const LEAST_SHARE = 0.95;

const LOOP = `import { definePlugin, object, swarmState } from "weft";
export default definePlugin({
  name: "loop",
  config: object({}),
  setup(plugin) {
    plugin.clock.after(500, () => { plugin.log.warn("loops now"); for (;;); });
    plugin.on(swarmState, () => {});
  },
});
`;

const folder = await Deno.makeTempDir({ prefix: "weft-bench-" });
const { torrent, peers, stop } = await seedPayload(folder, SIZE, 2);
const host = denoHost();
try {
  await Deno.writeTextFile(`${folder}/loop.ts`, LOOP);
  const runtime = await start(host, folder, { limits: { down: "20 MB/s" } });
  const events: { readonly at: number; readonly text: string }[] = [];
  using _events = runtime.subscribe(({ event, data }) => {
    if (event === "log") events.push({ at: performance.now(), text: `${data.source}: ${data.message}` });
  });
  const { id } = await runtime.add({ source: torrent, peers });
  await sleep(5_000); // the rate is steady by then
  for (const isolate of ["worker", "process"] as const) {
    events.length = 0;
    const plugins = [{ use: "tcp" }, { use: `${folder}/loop.ts`, as: "loop", isolate }];
    await runtime.reload(await settings(host, folder, { limits: { down: "20 MB/s" }, plugins }));
    let slowest = Infinity;
    const began = performance.now();
    let [last, at] = [runtime.swarm(id).downloaded, began];
    while (performance.now() - began < 8_000) {
      await sleep(1_000);
      const { downloaded } = runtime.swarm(id);
      const now = performance.now();
      slowest = Math.min(slowest, (downloaded - last) / ((now - at) / 1000));
      [last, at] = [downloaded, now];
    }
    await runtime.reload(await settings(host, folder, { limits: { down: "20 MB/s" }, plugins: [{ use: "tcp" }] }));
    const loops = events.find(({ text }) => text.includes("loops now"));
    const gone = events.find(({ at, text }) => loops && at > loops.at && text.startsWith("loop: "));
    assert.ok(loops && gone, `the plugin did not loop, or its end was not told: ${JSON.stringify(events)}`);
    const lived = gone.at - loops.at;
    const share = slowest / RATE;
    console.log(
      `${isolate}: gone after ${(lived / 1000).toFixed(1)} s (${gone.text}); slowest second ${
        (slowest / 1e6).toFixed(2)
      } MB/s, ${(share * 100).toFixed(1)} % of the limit`,
    );
    assert.ok(lived < GONE_WITHIN, "it lived too long");
    assert.ok(share >= LEAST_SHARE, "the transfer slowed down");
  }
  await runtime.stop();
} finally {
  await stop();
  await host.close();
  await Deno.remove(folder, { recursive: true });
}
