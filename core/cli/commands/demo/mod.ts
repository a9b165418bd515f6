/** `weft demo`: a small swarm on loopback, from sample to verified copies. @module */
import {
  CommandError,
  formatDuration,
  formatRate,
  formatSize,
  type Runtime,
  type SwarmSnapshot,
} from "../../../api/mod.ts";
import { toHex } from "../../../wire/mod.ts";
import { type Context, exitCodes } from "../../environment.ts";
import { collectFiles } from "../../files.ts";
import { hashFiles } from "../../hash_files.ts";
import type { Program } from "../../options.ts";
import { percent, shareDone } from "../../text/progress.ts";
import { loadProfile } from "../../../config/mod.ts";
import { pluginResolver } from "../../../profile/mod.ts";
import { REDRAW_INTERVAL, StatusLine } from "../../text/status_line.ts";
import { buildTorrent } from "../../torrent.ts";
import { sameFiles, writeSample } from "./sample.ts";

const IP = "127.0.0.1";
const LEECHERS = 3;
/** Piece length in bytes: small enough that leechers soon have something for each other. */
const PIECE_LENGTH = 256 * 1024;
/** The seed's upload limit in bytes per second: less than the leechers could take, so that they share among themselves. */
const SEED_RATE = 24 * 1024 * 1024;
/** How often peers announce: as often as the tracker lets them, since a demo is short. */
const TRACKER_INTERVAL = "30s";
/** Milliseconds until the demo gives up: something is wrong with this machine's loopback then. */
const TIME_LIMIT = 60_000;

/** Adds the command. */
export function addDemo(program: Program, context: Context): void {
  program.command("demo")
    .summary("show a small real swarm on this machine")
    .description(
      "Shows a small real swarm on this machine, without network and without files of yours: makes a sample, publishes " +
        "it through a tracker of its own, and has several runtimes fetch it from each other over loopback.",
    )
    .action(async () => {
      const folder = `${context.temporary}/weft-demo-${toHex(context.host.random.bytes(6))}`;
      const { disk } = context.host;
      await disk.makeDirectory(folder);
      const interruption = new AbortController();
      using _signal = context.terminal.onSignal("SIGINT", () => {
        if (interruption.signal.aborted) context.abandon();
        interruption.abort();
      });
      try {
        context.exitCode = await demo(context, folder, interruption.signal);
      } finally {
        await disk.remove(folder, { recursive: true });
      }
    });
}

async function demo(context: Context, folder: string, interrupted: AbortSignal): Promise<number> {
  const { host, terminal, version } = context;
  const { disk, clock, random } = host;
  const begun = clock.now();
  const say = (text: string): void => terminal.out(`${text}\n`);

  const sample = `${folder}/seed/sample`;
  await writeSample(disk, random, sample);
  const { files } = await collectFiles(disk, sample);
  const length = files.reduce((sum, file) => sum + file.length, 0);
  say(`1. Made a sample: ${files.length} files, ${formatSize(length)} of random bytes`);

  await using cleanup = new AsyncDisposableStack();
  const start = async (name: string, profile: Record<string, unknown>): Promise<Runtime> => {
    const own = `${folder}/${name}`;
    await disk.makeDirectory(own);
    const runtime = await context.start({
      host,
      settings: await loadProfile({
        value: { ...profile, store: { path: own, state: `${own}/weft.db` } },
        file: "profile of the demo",
        baseDir: own,
        resolvePlugin: pluginResolver(context),
      }),
      builtins: context.builtins,
      version,
      log: ({ level, source, message }) => {
        if (context.debug || level === "error") terminal.error(`${name}: ${source}: ${message}\n`);
      },
    });
    cleanup.defer(() => runtime.stop());
    return runtime;
  };

  const tracker = `${IP}:${await freePort(context)}`;
  await start("tracker", {
    plugins: [{ use: "tracker_server", with: { listen: tracker, interval: TRACKER_INTERVAL } }],
  });
  const torrent = buildTorrent({
    name: "sample",
    files,
    multi: true,
    pieceLength: PIECE_LENGTH,
    pieces: await hashFiles(disk, files, PIECE_LENGTH, () => {}),
    trackers: [`http://${tracker}/announce`],
    webSeeds: [],
    private: false,
    createdBy: `Weft ${version}`,
    creationDate: Math.floor(clock.wall() / 1000),
  });
  say(
    `2. Published it: a torrent of ${Math.ceil(length / PIECE_LENGTH)} pieces, and a tracker at ${tracker}`,
  );

  // Only what a swarm on one machine takes: the demo reaches out to nobody.
  const peer = {
    listen: `${IP}:0`,
    egress: { allow: ["loopback"] },
    plugins: [{ use: "tcp" }, { use: "tracker_http" }],
  };
  const seed = await start("seed", peer);
  await seed.add({ source: torrent, existing: "check", allowLocal: true, limits: { up: SEED_RATE } });
  const leechers: Runtime[] = [];
  for (let i = 1; i <= LEECHERS; i++) {
    const leecher = await start(`leecher-${i}`, peer);
    await leecher.add({ source: torrent, allowLocal: true });
    leechers.push(leecher);
  }
  say(`3. Started ${1 + LEECHERS} runtimes; they find each other through the tracker`);

  const outcome = await watch(context, [seed, ...leechers], interrupted);
  if (outcome === "interrupted") return exitCodes.interrupted;
  const swarms = leechers.map(only);
  for (const [i, swarm] of swarms.entries()) {
    const copy = `${folder}/leecher-${i + 1}/sample`;
    if (!await sameFiles(disk, files, copy)) throw new CommandError(`The copy of leecher ${i + 1} differs`);
    say(
      `   leecher ${i + 1}: ${formatSize(swarm.downloaded)} down, ${
        formatSize(swarm.uploaded)
      } up; bytes compared, identical`,
    );
  }
  const fromSeed = only(seed).uploaded;
  const fetched = swarms.reduce((sum, { downloaded }) => sum + downloaded, 0);
  say(
    `4. ${percent(1 - fromSeed / fetched)} of what was fetched came from other leechers, ${
      formatSize(fromSeed)
    } from the seed`,
  );
  say(`Done in ${formatDuration(Math.round((clock.now() - begun) / 100) * 100)}`);
  return exitCodes.done;
}

/** A port that nobody has: the torrent names the tracker's, so it is chosen before the tracker starts. */
async function freePort({ host: { net } }: Context): Promise<number> {
  const listener = await net.listen({ ip: IP, port: 0 });
  listener.close();
  return listener.address.port;
}

/** Shows progress until every runtime has everything. */
async function watch(
  { host: { clock }, terminal }: Context,
  runtimes: readonly Runtime[],
  interrupted: AbortSignal,
): Promise<"complete" | "interrupted"> {
  const begun = clock.now();
  const status = new StatusLine(terminal, clock);
  try {
    while (true) {
      const swarms = runtimes.map(only);
      const failed = swarms.find(({ state }) => state === "failed");
      if (failed) throw new CommandError(failed.error ?? "A swarm failed");
      status.show(progressText(swarms));
      if (swarms.every(({ state }) => state === "seeding" || state === "finished")) return "complete";
      if (interrupted.aborted) return "interrupted";
      if (clock.now() - begun > TIME_LIMIT) {
        throw new CommandError(`Not complete after ${formatDuration(TIME_LIMIT)}: ${progressText(swarms)}`);
      }
      await new Promise<void>((resolve) => clock.after(REDRAW_INTERVAL, resolve));
    }
  } finally {
    status.clear();
  }
}

function progressText([seed, ...leechers]: readonly SwarmSnapshot[]): string {
  const down = leechers.reduce((sum, swarm) => sum + swarm.down, 0);
  const shares = leechers.map((swarm) => percent(shareDone(swarm))).join(" ");
  return `leechers have ${shares}, fetch ${formatRate(down)}, ${formatRate(seed.up)} of it from the seed`;
}

function only(runtime: Runtime): SwarmSnapshot {
  return runtime.snapshot().swarms[0];
}
