/** `weft seed`: upload what is there already. @module */
import { CommandError, type SwarmSnapshot } from "../../api/mod.ts";
import { type Context, exitCodes, usageError } from "../environment.ts";
import { baseName, parentOf, resolvePath } from "../../config/mod.ts";
import { sameName } from "../../store/mod.ts";
import type { Metainfo } from "../../wire/mod.ts";
import { listenOption, peerOption, type Program, rateOption, repeated } from "../options.ts";
import { headline, listeningText } from "../text/progress.ts";
import { runSession, whenComplete, whenFinished } from "../session.ts";
import { oneSwarmSettings } from "../settings.ts";
import { readSource } from "../source.ts";

const details = `
The data is checked first, and never written to: what is missing is an error. State is kept in DIR/.weft/ID.db unless
--state says otherwise. Ctrl-C ends it, with exit code 0, as do the profile's ratio or seed_time.

Examples:
  weft seed debian.torrent --data downloads
  weft seed debian.torrent --data downloads --up "1 MB/s" --listen 0.0.0.0:6900`;

/** Adds the command. */
export function addSeed(program: Program, context: Context): void {
  program.command("seed")
    .summary("seed a torrent whose data is there")
    .description("Seeds a torrent whose data is there, until interrupted.")
    .argument("<torrent>", ".torrent file")
    .requiredOption("--data <dir>", "folder that holds what the torrent names, or that itself")
    .option("--follow-links", "read through symlinks, also those that lead out of the folder")
    .option("--skip-check", "trust the data instead of checking it first")
    .option("--listen <ip:port>", "where to accept peers (default: [::]:6881, or a free port)", listenOption)
    .option("--peer <host:port>", "a peer to connect to; may be repeated", peerOption)
    .option("--profile <file>", "plugins and settings to use")
    .option("--without <plugin>", "leave this plugin out; may be repeated", repeated)
    .option("--up <rate>", "upload limit", rateOption)
    .option("--allow-local", "its trackers may be on loopback and private addresses")
    .option("--state <file>", "where to keep state")
    .option("--json", "lines of JSON: every event, progress each second, and how it ended")
    .option("--stall", "say the main thread's worst stall at the end")
    .addHelpText("after", details)
    .action(async (torrent, options) => {
      const read = await readSource(context, torrent);
      if (read.kind === "magnet") throw usageError("Cannot seed a magnet link: its .torrent file is needed");
      const data = await dataFolder(context, options.data, read.metainfo);
      const settings = await oneSwarmSettings(context, options, data, read.key);
      const session = { ...options, about: read.key };
      await runSession(context, settings, session, async ({ runtime, reporter, follow }) => {
        // What an earlier run knew counts for nothing: the data is checked, or trusted, as it is now.
        if (runtime.snapshot().swarms.some(({ id }) => id === read.key)) await runtime.remove(read.key);
        const { id } = await runtime.add({
          source: read.source,
          path: data,
          origin: "user",
          existing: options.skipCheck ? "trust" : "check",
          readOnly: true,
          ...(options.followLinks && { followLinks: true }),
          ...(options.peer && { peers: options.peer }),
          ...(options.allowLocal && { allowLocal: true }),
          ...(options.up !== undefined && { limits: { up: options.up } }),
        });
        const swarm = (): SwarmSnapshot => refuseIncomplete(runtime.swarm(id));
        const ready = await follow(() => whenComplete(swarm()));
        if (!ready) return exitCodes.interrupted;
        reporter.note(`${ready.name}: seeding, ${listeningText(runtime.snapshot().listening)}`);
        await follow(() => whenFinished(swarm()));
        return exitCodes.done;
      });
    });
}

/** The swarm, unless it lacks something: seeding writes nothing, so it can't be completed here. */
function refuseIncomplete(swarm: SwarmSnapshot): SwarmSnapshot {
  if (swarm.state === "failed" && swarm.piecesDone < swarm.pieces) throw new CommandError(headline(swarm));
  return swarm;
}

/**
 * The folder that the torrent's own stands in. Somebody who names the torrent's folder, or its file, means what is there;
 * unless another of that name stands inside.
 */
async function dataFolder({ host: { disk }, cwd }: Context, data: string, { info }: Metainfo): Promise<string> {
  const path = resolvePath(cwd, data);
  const kind = (await disk.stat(path))?.kind;
  // Else the folder would be made, for the state, wherever a slip of the pen points to.
  if (kind !== "directory" && !(kind === "file" && !info.multi)) throw usageError(`There is no folder "${path}"`);
  const isItself = sameName(baseName(path), info.name) && (kind === "file") !== info.multi;
  return isItself && !await disk.lstat(`${path}/${baseName(path)}`) ? parentOf(path) : path;
}
