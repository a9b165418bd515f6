/** `weft run`: a profile, until interrupted. @module */
import { type Context, exitCodes } from "./environment.ts";
import type { Program } from "./options.ts";
import { listeningText } from "./progress.ts";
import { runSession } from "./session.ts";
import { readProfile } from "./settings.ts";

const details = `
While it runs, "weft status", "list", "add" and "remove" talk to it through the socket beside its state; name the
state with --state, or the profile with --profile. Ctrl-C ends it, with exit code 0.

Example:
  weft run weft.yaml`;

/** Adds the command. */
export function addRun(program: Program, context: Context): void {
  program.command("run")
    .summary("run a profile")
    .description("Runs a profile until interrupted.")
    .argument("<profile>", "YAML file")
    .option("--json", "lines of JSON: every event, progress each second, and how it ended")
    .option("--stall", "say the main thread's worst stall at the end")
    .addHelpText("after", details)
    .action(async (profile, options) => {
      const settings = await readProfile(context, profile);
      await runSession(context, settings, options, async ({ runtime, reporter, follow }) => {
        reporter.note(`${listeningText(runtime.snapshot().listening)}, state in ${settings.store.state}`);
        await follow(() => undefined);
        return exitCodes.done;
      });
    });
}
