/**
 * Measures Weft beside other clients: one seeder, one leecher, plain TCP, over a virtual cable between two network
 * namespaces, on tmpfs. libtorrent is the other end of every transfer, and the reference. `libtorrent-rc4` and
 * `weft-rc4` are measured under encryption, `libtorrent-utp`, `webtorrent-utp` and `weft-utp` over uTP.
 *
 * `deno task bench transfer [--role leech|seed] [--clients libtorrent,aria2,weft] [--size "1 GiB"] [--piece-length "1 MiB"] [--runs 3]`
 *
 * @module
 */
import { parseArgs } from "node:util";
import { aria2 } from "../../tests/support/clients/aria2.ts";
import type { Client } from "../../tests/support/clients/client.ts";
import { libtorrent, libtorrentStats, libtorrentWith, python } from "../../tests/support/clients/libtorrent.ts";
import { opentracker } from "../../tests/support/clients/opentracker.ts";
import { transmission } from "../../tests/support/clients/transmission.ts";
import { webtorrent, webtorrentWith } from "../../tests/support/clients/webtorrent.ts";
import { weft, weftEvents, weftWithProfile } from "../../tests/support/clients/weft.ts";
import { Lab, type Published } from "../../tests/support/lab.ts";
import { namespacesMissing, run, type Site } from "../../tests/support/netns.ts";
import { bytes, type Sample, table } from "./report.ts";

/** How long one transfer may take, in milliseconds; a client that hangs must not hold up the others. */
const transferTimeout = 300_000;
/** Encrypted streams, at both ends. */
const libtorrentRc4: Client = {
  ...libtorrentWith({ in_enc_policy: 0, out_enc_policy: 0, allowed_enc_level: 2 }),
  name: "libtorrent-rc4",
};
const weftRc4: Client = {
  ...weftWithProfile("plugins: [{ use: tcp }, { use: tracker_http }, { use: mse, with: { policy: require } }]"),
  name: "weft-rc4",
};
/** uTP at both ends. */
const libtorrentUtp: Client = {
  ...libtorrentWith({
    enable_incoming_utp: true,
    enable_outgoing_utp: true,
    enable_incoming_tcp: false,
    enable_outgoing_tcp: false,
  }),
  name: "libtorrent-utp",
};
const webtorrentUtp: Client = { ...webtorrentWith({ utp: true }), name: "webtorrent-utp" };
const weftUtp: Client = {
  ...weftWithProfile("plugins: [{ use: utp }, { use: tcp }, { use: tracker_http }]"),
  name: "weft-utp",
};
const clients = [
  libtorrent,
  aria2,
  transmission,
  webtorrent,
  weft,
  libtorrentRc4,
  weftRc4,
  libtorrentUtp,
  webtorrentUtp,
  weftUtp,
];

/** libtorrent as it speaks with a client. */
function referenceFor({ name }: Client): Client {
  if (name.endsWith("-rc4")) return libtorrentRc4;
  return name.endsWith("-utp") ? libtorrentUtp : libtorrent;
}

type Role = "leech" | "seed";

/** Moves the published payload once, with `client` in `role` and libtorrent at the other end. */
async function measure(lab: Lab, published: Published, client: Client, role: Role): Promise<Sample> {
  const cost = `${await lab.folder("cost")}/cost.json`;
  const counters = await lab.folder("counters");
  const out = await lab.folder("out");
  const reference = { scratch: counters };
  const other = referenceFor(client);
  const [seeder, leecher] = role === "leech" ? [other, client] : [client, other];
  const seeding = await lab.seed(seeder, published, {
    trusted: true,
    ...(role === "leech" ? reference : { site: measured(lab.left, cost) }),
  });
  const leeching = await lab.leech(leecher, published, {
    out,
    peer: lab.seeder,
    ...(role === "leech" ? { site: measured(lab.right, cost) } : reference),
  });
  await lab.completes(leeching, transferTimeout);
  await seeding.stop();
  await lab.verify(leecher, published, out);
  await Deno.remove(out, { recursive: true });

  const { cpu, rss, wall } = JSON.parse(await Deno.readTextFile(cost)) as { cpu: number; rss: number; wall: number };
  const { bytes, first, last } = await libtorrentStats(counters);
  const stall = weftEvents(role === "leech" ? leeching : seeding).findLast(({ event }) => event === "exit")
    ?.worstStallMs;
  return {
    client: client.name,
    wireRate: bytes / 1e6 / Math.max((last ?? 0) - (first ?? 0), 1e-6),
    cpuPerGiB: cpu / (published.payload.files[0].size / 2 ** 30),
    rss: rss / 2 ** 20,
    wall,
    worstStall: typeof stall === "number" ? stall : undefined,
  };
}

/** A site whose commands are weighed: what they cost is written to `result`. */
function measured(site: Site, result: string): Site {
  const meter = new URL("measure.py", import.meta.url).pathname;
  return { ...site, command: (argv) => site.command([python, meter, result, ...argv]) };
}

/**
 * Mounts a tmpfs, so that no disk is measured. (The one at /dev/shm won't do: Deno lets no program into /dev that has
 * fewer than all permissions.)
 */
async function mountMemory(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "weft-bench-" });
  const { code, stderr } = await run("mount", "-t", "tmpfs", "-o", "size=90%,mode=755", "tmpfs", path);
  if (code !== 0) throw new Error(`Cannot mount a tmpfs: ${stderr.trim()}`);
  const unmount = async (): Promise<void> => {
    await run("umount", path);
    await Deno.remove(path).catch(() => {});
  };
  return { path, [Symbol.asyncDispose]: unmount };
}

/** Everything that stands in the way of a run, in words. */
async function obstacles(chosen: readonly Client[], size: number): Promise<string[]> {
  const missing = await Promise.all([
    namespacesMissing(),
    ...new Set([libtorrent, opentracker, ...chosen].map((client) => client.available())),
  ]);
  const memory = await Deno.readTextFile("/proc/meminfo").catch(() => "");
  const free = 1024 * Number(memory.match(/^MemAvailable: +(\d+) kB/m)?.[1] ?? 0);
  const wanted = 2.5 * size + 2 ** 30; // both copies, and the clients
  if (free < wanted) {
    missing.push(
      `a run takes ${Math.ceil(wanted / 2 ** 20)} MiB of memory, ${Math.floor(free / 2 ** 20)} MiB are free`,
    );
  }
  return missing.filter((reason) => reason !== undefined);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      clients: { type: "string", default: "libtorrent,aria2,weft" },
      "piece-length": { type: "string", default: "1 MiB" },
      role: { type: "string", multiple: true, default: ["leech", "seed"] },
      runs: { type: "string", default: "3" },
      size: { type: "string", default: "1 GiB" },
    },
  });
  const chosen = values.clients.split(",").map((name) => {
    const client = clients.find((client) => client.name === name);
    if (!client) throw new Error(`unknown client "${name}"; there are ${clients.map(({ name }) => name).join(", ")}`);
    return client;
  });
  const roles = values.role.map((name): Role => {
    if (name !== "leech" && name !== "seed") throw new Error(`unknown role "${name}"; there are leech and seed`);
    return name;
  });
  const size = bytes(values.size);
  const problems = await obstacles(chosen, size);
  if (problems.length > 0) {
    console.error(`Cannot measure:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    return 1;
  }
  await using memory = await mountMemory();
  await using lab = await Lab.open(memory.path);
  Deno.addSignalListener("SIGINT", async () => {
    await lab[Symbol.asyncDispose]();
    await memory[Symbol.asyncDispose]();
    Deno.exit(130);
  });
  const payload = { name: "payload.bin", files: [{ path: "", size }], pieceLength: bytes(values["piece-length"]) };
  let published = await lab.publish(payload);
  for (const role of roles) {
    const samples: Sample[] = [];
    for (let run = 1; run <= Number(values.runs); run++) {
      // One run of each in turn, so that what disturbs the machine disturbs all alike.
      for (const client of chosen) {
        published = await lab.republish(published);
        const sample = await measure(lab, published, client, role);
        samples.push(sample);
        console.error(`${role} ${run}/${values.runs} ${client.name}: ${sample.wireRate.toFixed(1)} MB/s`);
      }
    }
    console.log(
      `\n${role}, ${values.size} in pieces of ${values["piece-length"]}, medians of ${values.runs}\n${
        table(samples)
      }\n`,
    );
  }
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main();
  } catch (error) {
    console.error(error instanceof Error ? `${error.message}\n${error.cause ?? ""}` : error);
    Deno.exitCode = 1;
  }
}
