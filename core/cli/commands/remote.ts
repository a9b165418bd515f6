/** Commands for a running Weft: status, list, add, recheck, remove. @module */
import {
  formatDuration,
  formatRate,
  formatSize,
  type RuntimeSnapshot,
  type SwarmDetail,
  type SwarmSnapshot,
} from "../../api/mod.ts";
import { addRequest } from "../add_request.ts";
import { connect, profileHelp, stateHelp } from "../connection.ts";
import { type Context, exitCodes } from "../environment.ts";
import { resolvePath } from "../../config/mod.ts";
import { peerOption, type Program, rateOption } from "../options.ts";
import { listeningText, percent, progressLine, shareDone } from "../text/progress.ts";
import { shortEntriesText } from "../text/plugin_text.ts";
import { readSource } from "../source.ts";
import { count, jsonText, printable, table } from "../text/text.ts";

/** Adds the commands. */
export function addRemote(program: Program, context: Context): void {
  const done = (text: string): void => {
    context.terminal.out(text);
    context.exitCode = exitCodes.done;
  };

  program.command("status")
    .summary("what a running Weft does")
    .description(
      "Shows what a running Weft does: its plugins, trackers and rates; with an id, everything about one swarm.",
    )
    .argument("[id]", "a swarm's id, or its beginning")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .option("--json", "one JSON object")
    .action(async (id, options) => {
      const client = await connect(context, options);
      const shown = id === undefined ? await client.snapshot() : await client.swarm(id);
      if (options.json) done(jsonText(shown, 2) + "\n");
      else {done(
          "swarms" in shown
            ? runtimeText(shown, context.host.clock.wall())
            : swarmText(shown, context.host.clock.wall()),
        );}
    });

  program.command("list")
    .summary("list the swarms of a running Weft")
    .description("Lists the swarms of a running Weft.")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .option("--json", "one JSON array")
    .action(async (options) => {
      const { swarms } = await (await connect(context, options)).snapshot();
      done(options.json ? jsonText(swarms, 2) + "\n" : listText(swarms));
    });

  program.command("add")
    .summary("add a torrent to a running Weft")
    .description("Adds a torrent to a running Weft.")
    .argument("<torrent>", ".torrent file or magnet link")
    .option("--out <dir>", "folder for its files (default: the profile's)")
    .option("--peer <host:port>", "a peer to connect to; may be repeated", peerOption)
    .option("--select <files>", "only these: numbers and ranges as `weft show` counts them, or names with *")
    .option("--sequential", "first pieces first")
    .option("--down <rate>", 'download limit, like "2 MB/s"', rateOption)
    .option("--up <rate>", "upload limit", rateOption)
    .option("--allow-local", "its trackers may be on loopback and private addresses")
    .option("--force", "overwrite files that stand in the way, and cut those that are too long")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .action(async (torrent, options) => {
      const path = options.out === undefined ? undefined : resolvePath(context.cwd, options.out);
      const request = addRequest(await readSource(context, torrent), options, path);
      const swarm = await (await connect(context, options)).add(request);
      done(`${swarm.id}  ${progressLine(swarm)}\n`);
    });

  program.command("recheck")
    .summary("have a running Weft hash a swarm's files again")
    .description(
      "Has a running Weft hash a swarm's files again: what is right is kept, what is missing or differs is fetched.",
    )
    .argument("<id>", "the swarm's id, or its beginning")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .action(async (id, options) => {
      const client = await connect(context, options);
      const swarm = await client.swarm(id);
      await client.recheck(swarm.id);
      done(`checking ${swarm.id}  ${printable(swarm.name)}\n`);
    });

  program.command("remove")
    .summary("remove a swarm from a running Weft")
    .description("Removes a swarm from a running Weft. Its files stay, unless --delete-data.")
    .argument("<id>", "the swarm's id, or its beginning")
    .option("--delete-data", "delete its files too")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .action(async (id, options) => {
      const client = await connect(context, options);
      const swarm = await client.swarm(id);
      await client.remove(swarm.id, { deleteData: options.deleteData ?? false });
      done(`removed ${swarm.id}  ${printable(swarm.name)}\n`);
    });
}

function listText(swarms: readonly SwarmSnapshot[]): string {
  if (swarms.length === 0) return "no swarms\n";
  const rows = swarms.map((swarm) => [
    swarm.id.slice(0, 12),
    swarm.state,
    percent(shareDone(swarm)),
    formatSize(swarm.wanted),
    formatRate(swarm.down),
    formatRate(swarm.up),
    String(swarm.connected),
    printable(swarm.name),
  ]);
  return table([["id", "state", " done", " size", " down", " up", " peers", "name"], ...rows]);
}

function runtimeText(snapshot: RuntimeSnapshot, now: number): string {
  const { version, listening, down, up, connections, memory, plugins, swarms } = snapshot;
  const held = Object.values(memory).reduce((sum, bytes) => sum + bytes, 0);
  return `Weft ${version}, ${listeningText(listening)}\n` +
    `down ${formatRate(down)}, up ${formatRate(up)}, ${count(connections, "connection")}, ${
      formatSize(held)
    } in buffers\n\n` +
    `${listText(swarms)}\n${shortEntriesText(plugins, now)}`;
}

/** `now` is wall-clock milliseconds. */
function swarmText(swarm: SwarmDetail, now: number): string {
  // Whole seconds, and two units of them: a next announce is not planned to the millisecond.
  const span = (milliseconds: number): string =>
    formatDuration(Math.round(Math.max(0, milliseconds) / 1000) * 1000, { parts: 2 });
  const trackers = swarm.trackers.map((tracker) => {
    const { url, state, lastAnnounce: last, nextAnnounce: next, seeders, leechers, error, warning } = tracker;
    return [
      printable(url),
      state,
      last === undefined ? "-" : `${span(now - last)} ago`,
      next === undefined ? "-" : `in ${span(next - now)}`,
      String(seeders ?? "-"),
      String(leechers ?? "-"),
      printable(error ?? warning ?? ""),
    ];
  });
  const peers = swarm.peers.map((peer) => [
    peer.address,
    printable(peer.client),
    peer.source,
    peer.transport,
    peer.encryption,
    percent(peer.progress),
    formatRate(peer.down),
    formatRate(peer.up),
  ]);
  const files = swarm.files.map(({ path, length, done, priority }, index) => [
    String(index + 1),
    priority === 0 ? "skipped" : percent(length === 0 ? 1 : done / length),
    formatSize(length),
    printable(path),
  ]);
  return [
    `${swarm.id}  ${progressLine(swarm)}\n`,
    trackers.length > 0 &&
    table([["tracker", "state", " last", " next", " seeds", " leechers", "message"], ...trackers]),
    peers.length > 0 &&
    table([["peer", "client", "source", "transport", "encryption", " has", " down", " up"], ...peers]),
    table([[" #", " done", " size", "file"], ...files]),
  ].filter((part) => part !== false).join("\n");
}
