/**
 * What idle swarms cost with every plugin on that finds peers: memory for each, and the share of a core that they take
 * together. Nothing leaves the machine: the runtime listens on loopback, and its DHT knows nobody.
 *
 * `deno task bench idle [--swarms 10000] [--seconds 60] [--settle 5]`: `--settle` is how many seconds after the last one
 * began it starts to measure. New swarms look for peers more often, so they cost more than later.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { denoHost } from "../../core/host/deno/mod.ts";
import { buildInfo, encodeMetainfo, sha1 } from "../../core/wire/mod.ts";
import { sleep, start } from "./swarm.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    swarms: { type: "string", default: "10000" },
    seconds: { type: "string", default: "60" },
    settle: { type: "string", default: "5" },
  },
});
const count = Number(values.swarms);
const seconds = Number(values.seconds);

/** The plugins that find peers, and what they need. LPD is off: it would announce to the neighbours. */
const plugins = [
  { use: "tcp" },
  { use: "utp" },
  { use: "mse" },
  { use: "tracker_http" },
  { use: "tracker_udp" },
  { use: "pex" },
  { use: "metadata" },
  { use: "dht", with: { bootstrap: [] } },
];

/** A torrent of one small file that is there: its swarm seeds. */
function torrentOf(n: number): { bytes: Uint8Array; name: string; data: Uint8Array } {
  const data = new TextEncoder().encode(`file ${n}`);
  const name = `idle-${n}.txt`;
  const info = buildInfo({ name, pieceLength: 16_384, pieces: sha1(data), length: data.length });
  return { bytes: encodeMetainfo({ info, announce: [] }), name, data };
}

function heap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return Deno.memoryUsage().heapUsed;
}

/** CPU seconds of this process so far (Linux; the clock ticks 100 times a second). */
async function cpu(): Promise<number> {
  const fields = (await Deno.readTextFile("/proc/self/stat")).replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const folder = await Deno.makeTempDir({ prefix: "weft-bench-" });
const host = denoHost();
try {
  const runtime = await start(host, folder, { plugins });
  await sleep(1_000);
  const before = heap();
  const cpuBare = await cpu();
  await sleep(seconds * 250);
  const bare = (await cpu() - cpuBare) / (seconds / 4);
  for (let n = 0; n < count; n++) {
    const { bytes, name, data } = torrentOf(n);
    await Deno.writeFile(`${folder}/data/${name}`, data);
    await runtime.add({ source: bytes, existing: "trust" });
  }
  const seeding = (): number => runtime.snapshot().swarms.filter(({ state }) => state === "seeding").length;
  while (seeding() < count) await sleep(500);
  await sleep(Number(values.settle) * 1_000);
  console.log(`${count} idle swarms: ${((heap() - before) / 1024 / count).toFixed(1)} KiB of heap each`);
  const began = await cpu();
  await sleep(seconds * 1000);
  const share = (await cpu() - began) / seconds;
  console.log(
    `${(share * 100).toFixed(2)} % of a core for all of them over ${seconds} s, ${
      (bare * 100).toFixed(2)
    } % without any`,
  );
  await runtime.stop();
  await host.close();
} finally {
  await Deno.remove(folder, { recursive: true });
}
