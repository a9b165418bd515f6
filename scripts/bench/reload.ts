/**
 * What reloads cost: a transfer with 10 peers across 50 reloads beside the same transfer without them, and what 1,000
 * reloads leave behind.
 *
 * `deno task bench reload [--size "1 GiB"] [--runs 3] [--rate "100 MB/s"] [--reloads 1000]`
 *
 * @module
 */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { CommandError, type Host, parseSize } from "../../core/api/mod.ts";
import { StallProbe } from "../../core/cli/stall_probe.ts";
import { type DenoHost, denoHost } from "../../core/host/deno/mod.ts";
import { held } from "../../tests/support/leak_check.ts";
import { seedPayload, settings, sleep, start } from "./swarm.ts";

const PEERS = 10;
const RELOADS = 50;
// Goals: the throughput across reloads, of that without; the longest time without a byte (ms).
const LEAST_SHARE = 0.95;
const LONGEST_PAUSE = 20;

/** A plugin that acquires one of everything; `WORD` makes each version of it another code. */
const PLUGIN = `import { definePlugin, discoverPeers, object, optional, pieceVerified, string } from "weft";
import { word } from "./word.ts";
export default definePlugin({
  name: "one-of-each",
  config: object({ note: optional(string()) }),
  async setup(plugin) {
    plugin.carry("word", 1, () => word);
    const socket = await plugin.net.datagrams({ ip: "127.0.0.1", port: 0 });
    const server = await plugin.net.serve({ ip: "127.0.0.1", port: 0 }, () => new Response(word));
    plugin.on(discoverPeers, async function* () { yield* []; return { again: 5_000 }; });
    plugin.on(pieceVerified, () => {});
    const tick = () => void plugin.clock.after(20, tick);
    tick();
    socket.receive(new Uint8Array(100)).catch(() => {});
  },
});
`;

/** A host whose timers are counted. */
function counting(host: DenoHost): Host & { timers(): number } {
  let timers = 0;
  const { clock } = host;
  return {
    ...host,
    timers: () => timers,
    clock: {
      now: () => clock.now(),
      wall: () => clock.wall(),
      turn: () => clock.turn(),
      after(milliseconds, run) {
        timers++;
        let pending = true;
        const end = (): void => {
          if (pending) timers--;
          pending = false;
        };
        const timer = clock.after(milliseconds, () => {
          end();
          run();
        });
        return {
          cancel: () => {
            end();
            timer.cancel();
          },
        };
      },
    },
  };
}

interface Transfer {
  readonly seconds: number;
  readonly worstStall: number;
  /** The longest time without a byte from any peer, between the first and the last one, in milliseconds. */
  readonly longestPause: number;
  readonly disconnects: number;
  readonly failed: number;
}

async function transfer(
  folder: string,
  torrent: Uint8Array,
  peers: readonly string[],
  reloads: number,
  rate: string,
): Promise<Transfer> {
  const host = denoHost();
  const busy = { use: `${folder}/plugin.ts`, as: "busy" };
  const runtime = await start(host, folder, { limits: { down: rate } });
  const counts = { "peer.closed": 0, "piece.failed": 0 };
  let completed = false;
  using _events = runtime.subscribe(({ event }) => {
    if (event === "swarm.completed") completed = true;
    if (!completed && event in counts) counts[event as keyof typeof counts]++;
  });
  const { id, length } = await runtime.add({ source: torrent, peers });
  while (runtime.swarm(id).connected < PEERS) await sleep(1);
  const probe = new StallProbe(host.clock);
  probe.begin();
  const began = performance.now();
  let [last, at, longestPause] = [0, began, 0];
  const watch = setInterval(() => {
    const { downloaded } = runtime.swarm(id);
    if (downloaded === last || completed) return;
    const now = performance.now();
    if (last > 0) longestPause = Math.max(longestPause, now - at);
    [last, at] = [downloaded, now];
  }, 1);
  let next = 1;
  while (!completed) {
    if (next <= reloads && last >= length * next / (reloads + 1)) {
      // The transport starts anew each time; the plugin comes, changes and goes; limits move.
      const plugins = [{ use: "tcp" }, ...next % 3 ? [{ ...busy, with: { note: `${next}` } }] : [], {
        use: "tracker_http",
      }];
      const profile = { plugins, limits: { peers: 60 + next, down: rate, up: next % 2 ? "10 GB/s" : "unlimited" } };
      await runtime.reload(await settings(host, folder, profile, { tcp: `${next}`, tracker_http: `${next}` }));
      next++;
    }
    await sleep(1);
  }
  clearInterval(watch);
  const seconds = (performance.now() - began) / 1000;
  assert.equal(next, reloads + 1, "the transfer ended before its reloads");
  assert.equal(runtime.snapshot().generation, reloads + 1);
  await runtime.stop();
  await host.close();
  await Deno.remove(`${folder}/data`, { recursive: true });
  await Deno.remove(`${folder}/state.db`);
  return {
    seconds,
    worstStall: probe.stop(),
    longestPause: Math.round(longestPause * 10) / 10,
    disconnects: counts["peer.closed"],
    failed: counts["piece.failed"],
  };
}

/** Moves the payload with and without reloads, in turn. */
async function compareTransfers(folder: string, size: number, runs: number, rate: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/plugin.ts`, PLUGIN);
  await Deno.writeTextFile(`${folder}/word.ts`, 'export const word = "steady";\n');
  const { torrent, peers, stop } = await seedPayload(folder, size, PEERS);
  try {
    const without: Transfer[] = [];
    const across: Transfer[] = [];
    await transfer(folder, torrent, peers, 0, rate); // compiles what both need
    for (let run = 0; run < runs; run++) {
      without.push(await transfer(folder, torrent, peers, 0, rate));
      across.push(await transfer(folder, torrent, peers, RELOADS, rate));
    }
    for (const [name, all] of [["without reloads", without], [`across ${RELOADS} reloads`, across]] as const) {
      for (const each of all) {
        console.log(
          `${name}: ${(size / 1e6 / each.seconds).toFixed(0)} MB/s, longest pause ${each.longestPause} ms, ` +
            `worst stall ${each.worstStall} ms, ${each.disconnects} disconnects, ${each.failed} failed pieces`,
        );
      }
    }
    const median = (all: readonly Transfer[]): number =>
      all.map(({ seconds }) => seconds).sort((a, b) => a - b)[all.length >> 1];
    const share = median(without) / median(across);
    console.log(`throughput across reloads: ${(100 * share).toFixed(1)} % of that without`);
    assert.ok(
      across.every(({ disconnects, failed }) => disconnects === 0 && failed === 0),
      "a reload cost a peer or a piece",
    );
    assert.ok(share >= LEAST_SHARE, "reloads cost too much throughput");
    const longest = Math.max(...across.map(({ longestPause }) => longestPause));
    if (longest > LONGEST_PAUSE) console.log(`the longest pause misses its goal of ${LONGEST_PAUSE} ms`);
  } finally {
    await stop();
  }
}

/** Reloads again and again, each time with other code, and counts what is left. */
async function countLeaks(folder: string, reloads: number): Promise<void> {
  const real = denoHost();
  const host = counting(real);
  await Deno.writeTextFile(`${folder}/plugin.ts`, PLUGIN);
  const word = (n: number): Promise<void> => Deno.writeTextFile(`${folder}/word.ts`, `export const word = "${n}";\n`);
  await word(0);
  const plugins = [{ use: "tcp" }, { use: `${folder}/plugin.ts`, as: "busy" }, { use: "tracker_http" }];
  const runtime = await start(host, folder, { plugins });
  const reload = async (n: number): Promise<void> => {
    await word(n);
    const limits = { peers: 60 + n % 7 };
    await runtime.reload(await settings(host, folder, { plugins, limits }, { tcp: `${n}`, tracker_http: `${n}` }));
  };
  for (let n = 1; n <= 50; n++) await reload(n); // everything is compiled, and every pool has its size
  const measure = async (): Promise<{ timers: number; heap: number; descriptors: string; workers: number }> => {
    // Timers come and go: the fewest of a while are those that stay.
    let timers = Infinity;
    for (let i = 0; i < 200; i++) {
      await sleep(1);
      timers = Math.min(timers, host.timers());
    }
    (globalThis as { gc?: () => void }).gc?.();
    const { descriptors, workers } = await held();
    const listed = [...descriptors].map(([kind, count]) => `${count} ${kind}`).sort().join(", ");
    return { timers, heap: Deno.memoryUsage().heapUsed, descriptors: listed, workers };
  };
  const before = await measure();
  const began = performance.now();
  for (let n = 51; n <= 50 + reloads; n++) await reload(n);
  const seconds = (performance.now() - began) / 1000;
  const after = await measure();
  console.log(`${reloads} reloads in ${seconds.toFixed(1)} s, ${(1000 * seconds / reloads).toFixed(1)} ms each`);
  for (const key of ["timers", "workers", "descriptors"] as const) {
    console.log(`${key}: ${before[key]} before, ${after[key]} after`);
    assert.equal(after[key], before[key], `${key} are left`);
  }
  const grown = (after.heap - before.heap) / 1024 / reloads;
  console.log(`heap: ${grown.toFixed(1)} KiB more for each reload`);
  assert.ok(grown < 100, "the heap grew by 100 KiB or more for each reload");
  assert.equal(runtime.snapshot().plugins.length, 3, "retired plugins are left");
  await runtime.stop();
  await real.close();
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      size: { type: "string", default: "1 GiB" },
      runs: { type: "string", default: "3" },
      // Below what the machine can do: at full speed, eleven runtimes on a few cores make every figure noise.
      rate: { type: "string", default: "100 MB/s" },
      reloads: { type: "string", default: "1000" },
    },
  });
  const size = parseSize(values.size);
  if (size === undefined) throw new CommandError(`Cannot read --size "${values.size}": write it like "1 GiB"`);
  // In memory where there is such a disk: what a slow one does to a transfer is not measured.
  const memory = await Deno.stat("/dev/shm").then(() => "/dev/shm", () => undefined);
  const folder = await Deno.makeTempDir({ dir: memory, prefix: "weft-bench-" });
  try {
    await countLeaks(await Deno.makeTempDir({ dir: folder }), Number(values.reloads));
    if (Number(values.runs) > 0) {
      await compareTransfers(await Deno.makeTempDir({ dir: folder }), size, Number(values.runs), values.rate);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
