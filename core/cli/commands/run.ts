/** `weft run`: a profile, until interrupted. @module */
import { type Context, exitCodes } from "../environment.ts";
import type { Program } from "../options.ts";
import { listeningText } from "../text/progress.ts";
import { runSession } from "../session.ts";
import { readProfile } from "../../profile/mod.ts";

const details = `
While it runs, "weft status", "list", "add", "remove", "reload", "plan" and "plugins" talk to it through the socket
beside its state; name the state with --state, or the profile with --profile. Ctrl-C ends it, with exit code 0.

Edits of the profile and of the plugin files that it names take effect at once, as they do on SIGHUP and "weft reload".
Only what changed is touched, and a mistake anywhere leaves what runs as it is.

Example:
  weft run weft.yaml`;

/** Adds the command. */
export function addRun(program: Program, context: Context): void {
  program.command("run")
    .summary("run a profile")
    .description("Runs a profile until interrupted.")
    .argument("<profile>", "YAML file")
    .option("--no-watch", "don't reload when the profile or a plugin file changes; SIGHUP still does")
    .option("--json", "lines of JSON: every event, progress each second, and how it ended")
    .option("--stall", "say the main thread's worst stall at the end")
    .addHelpText("after", details)
    .action(async (profile, options) => {
      const settings = await readProfile(context, profile);
      const { watch, ...report } = options;
      await runSession(context, settings, { ...report, profile, watch }, async ({ runtime, reporter, follow }) => {
        reporter.note(`${listeningText(runtime.snapshot().listening)}, state in ${settings.store.state}`);
        await follow(() => undefined);
        return exitCodes.done;
      });
    });
}
