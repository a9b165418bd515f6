/** `weft get`: download one torrent. @module */
import { formatDuration, formatSize } from "../../api/mod.ts";
import { addOrResume, addRequest } from "../add_request.ts";
import { type Context, exitCodes } from "../environment.ts";
import { resolvePath } from "../../config/mod.ts";
import { listenOption, peerOption, type Program, rateOption, repeated } from "../options.ts";
import { runSession, whenComplete, whenFinished } from "../session.ts";
import { oneSwarmSettings } from "../settings.ts";
import { readSource } from "../source.ts";

const details = `
Without --profile all built-in plugins run with their defaults. With it, the profile brings plugins, limits and
egress rules; its own swarms are not started.

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
    .option("--seed", "go on seeding when complete, up to the profile's ratio or seed_time if it has one")
    .option("--allow-local", "its trackers may be on loopback and private addresses")
    .option("--state <file>", "where to keep state")
    .option("--json", "lines of JSON: every event, progress each second, and how it ended")
    .option("--stall", "say the main thread's worst stall at the end")
    .addHelpText("after", details)
    .action(async (torrent, options) => {
      const read = await readSource(context, torrent);
      const out = resolvePath(context.cwd, options.out);
      const request = addRequest(read, options, out);
      const settings = await oneSwarmSettings(context, options, out, read.key);
      await runSession(context, settings, options, async ({ runtime, reporter, follow }) => {
        const { id } = await addOrResume(runtime, request, read.key);
        const begun = context.host.clock.now();
        const complete = await follow(() => whenComplete(runtime.swarm(id)));
        if (!complete) return exitCodes.interrupted;
        const spent = Math.round((context.host.clock.now() - begun) / 100) * 100;
        reporter.note(
          `${complete.name}: complete and verified, ${formatSize(complete.wanted)} in ${formatDuration(spent)}`,
        );
        if (options.seed) await follow(() => whenFinished(runtime.swarm(id)));
        return exitCodes.done;
      });
    });
}
