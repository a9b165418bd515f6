/** `weft reload`: a running Weft reads its profile again. @module */
import { changesText } from "../text/change_text.ts";
import { connect, profileHelp, stateHelp } from "../connection.ts";
import { type Context, exitCodes } from "../environment.ts";
import type { Program } from "../options.ts";
import { jsonText } from "../text/text.ts";

const details = `
What changed is printed, one change a line: "+ plugin dht", "- swarm debian.iso", "~ limits.down: 10 MB/s to 5 MB/s",
"replace plugin roster: its code". A mistake anywhere leaves what runs as it is: exits 2 with every mistake.

Examples:
  weft reload
  weft reload --profile weft.yaml`;

/** Adds the command. */
export function addReload(program: Program, context: Context): void {
  program.command("reload")
    .summary("make a running Weft read its profile again")
    .description("Makes a running Weft read its profile again, and prints what changed.")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .option("--json", "one JSON object")
    .addHelpText("after", details)
    .action(async (options) => {
      const plan = await (await connect(context, options)).reload();
      context.terminal.out(options.json ? jsonText(plan, 2) + "\n" : changesText(plan.changes));
      context.exitCode = exitCodes.done;
    });
}
