/** `weft get`: download one torrent. @module */
import { CommandError, formatDuration, formatSize, type SwarmSnapshot } from "../../api/mod.ts";
import { addOrResume, addRequest } from "../add_request.ts";
import { type Context, exitCodes } from "../environment.ts";
import { resolvePath } from "../../config/mod.ts";
import { listenOption, peerOption, type Program, rateOption, repeated } from "../options.ts";
import { headline } from "../text/progress.ts";
import { printable } from "../text/text.ts";
import { runSession, whenComplete, whenFinished } from "../session.ts";
import { oneSwarmSettings } from "../settings.ts";
import { readSource } from "../source.ts";

const details = `
Without --profile all built-in plugins run with their defaults. With it, the profile brings plugins, limits and
egress rules; its own swarms are not started.

Files of this torrent that are there already, whoever put them there, are checked and used. A file that isn't this
torrent's is never overwritten unasked: on a terminal you are asked, elsewhere the command fails, unless --force.

State (what is verified) is kept in DIR/.weft/ID.db, so that the same command resumes; remove that folder when done
with it, or keep state elsewhere with --state.

Examples:
  weft get debian.torrent --out downloads
  weft get debian.torrent --out downloads --select 1,3-5,*.iso --down "2 MB/s"
  weft get "magnet:?xt=urn:btih:…" --out downloads --peer 192.0.2.7:6881 --seed`;

/** Adds the command. */
export function addGet(program: Program, context: Context): void {
  program.command("get")
    .summary("download a torrent")
    .description("Downloads a torrent: exits 0 when everything wanted is there and verified.")
    .argument("<torrent>", ".torrent file or magnet link")
    .requiredOption("--out <dir>", "folder for its files")
    .option("--listen <ip:port>", "where to accept peers (default: [::]:6881, or a free port)", listenOption)
    .option("--peer <host:port>", "a peer to connect to; may be repeated", peerOption)
    .option("--profile <file>", "plugins and settings to use")
    .option("--without <plugin>", "leave this plugin out; may be repeated", repeated)
    .option("--select <files>", "only these: numbers and ranges as `weft show` counts them, or names with *")
    .option("--sequential", "first pieces first")
    .option("--down <rate>", 'download limit, like "2 MB/s"', rateOption)
    .option("--up <rate>", "upload limit", rateOption)
    .option("--recheck", "hash what is there again, and fetch what is missing or differs, however much it is")
    .option("--seed", "go on seeding when complete, up to the profile's ratio or seed_time if it has one")
    .option("--allow-local", "its trackers may be on loopback and private addresses")
    .option("--force", "overwrite files that stand in the way, and cut those that are too long")
    .option("--state <file>", "where to keep state")
    .option("--json", "lines of JSON: every event, progress each second, and how it ended")
    .option("--stall", "say the main thread's worst stall at the end")
    .addHelpText("after", details)
    .action(async (torrent, options) => {
      const read = await readSource(context, torrent);
      const out = resolvePath(context.cwd, options.out);
      const request = addRequest(read, options, out);
      const settings = await oneSwarmSettings(context, options, out, read.key);
      const session = { ...options, about: read.key };
      await runSession(context, settings, session, async ({ runtime, reporter, follow, ask }) => {
        const { id } = await addOrResume(runtime, request, read.key);
        if (options.recheck && runtime.swarm(id).pieces > 0) await runtime.recheck(id);
        const begun = context.host.clock.now();
        let complete: SwarmSnapshot | undefined;
        while (!complete) {
          const met = await follow(() => {
            const swarm = runtime.swarm(id);
            return swarm.obstacles ? swarm : whenComplete(swarm);
          });
          if (!met) return exitCodes.interrupted;
          if (!met.obstacles) complete = met;
          else if (await ask(overwriteQuestion(met.obstacles)) === "y") await runtime.update(id, { force: true });
          else if (await follow(() => true)) throw new CommandError(headline(met)); // not interrupted while it was asked
        }
        const spent = Math.round((context.host.clock.now() - begun) / 100) * 100;
        reporter.note(
          `${complete.name}: complete and verified, ${formatSize(complete.wanted)} in ${formatDuration(spent)}`,
        );
        if (options.seed) await follow(() => whenFinished(runtime.swarm(id)));
        return exitCodes.done;
      });
    });
}

/** Files listed in a question; more would push it off the screen. */
const LISTED_FILES = 10;

function overwriteQuestion(paths: readonly string[]): string {
  const listed = paths.slice(0, LISTED_FILES).map((path) => `  ${printable(path)}\n`);
  if (paths.length > LISTED_FILES) listed.push(`  … and ${paths.length - LISTED_FILES} more\n`);
  return `These files are there already and aren't this torrent's:\n${listed.join("")}Overwrite them? (y or n) `;
}
