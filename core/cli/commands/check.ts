/** `weft check`: every mistake in a profile. @module */
import { startOrder } from "../../runtime/mod.ts";
import { type Context, exitCodes } from "../environment.ts";
import type { Program } from "../options.ts";
import { readProfile } from "../../profile/mod.ts";
import { readSwarms } from "../settings.ts";
import { count } from "../text/text.ts";

/** Adds the command. */
export function addCheck(program: Program, context: Context): void {
  program.command("check")
    .summary("check a profile")
    .description(
      "Checks a profile without running it: exits 2 and lists every mistake with its place, if there are any.",
    )
    .argument("<profile>", "YAML file")
    .action(async (profile) => {
      const settings = await readProfile(context, profile);
      const { plugins, swarms } = settings;
      await startOrder(plugins, context.builtins);
      await readSwarms(context, settings);
      context.terminal.out(
        `${profile} is fine: ${count(plugins.length, "plugin")}, ${count(swarms.length, "swarm")}\n`,
      );
      context.exitCode = exitCodes.done;
    });
}
