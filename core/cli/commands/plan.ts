/** `weft plan`: what a reload would change. @module */
import type { PlanChange, Settings } from "../../api/mod.ts";
import { resolvePath } from "../../config/mod.ts";
import { changesText } from "../text/change_text.ts";
import { planEntries, planSwarms, startOrder } from "../../runtime/mod.ts";
import { findWeft } from "../connection.ts";
import { type Context, exitCodes } from "../environment.ts";
import type { Program } from "../options.ts";
import { readProfile } from "../../profile/mod.ts";
import { readSwarms } from "../settings.ts";
import { jsonText } from "../text/text.ts";

const details = `
The Weft that is asked is the one that runs with the profile's state. Nothing is changed. Mistakes are listed with
their place, as "weft check" does, and exit 2; so do settings that can't change while it runs.

Example:
  weft plan weft.yaml`;

/** Adds the command. */
export function addPlan(program: Program, context: Context): void {
  program.command("plan")
    .summary("show what a reload would change")
    .description("Shows what would change in the running Weft if it read this profile, without changing it.")
    .argument("<profile>", "YAML file")
    .option("--json", "one JSON object")
    .addHelpText("after", details)
    .action(async (profile, options) => {
      const settings = await readProfile(context, profile);
      const { state } = settings.store;
      const client = await findWeft(context, state);
      const changes = client
        ? (await client.plan(resolvePath(context.cwd, profile))).changes
        : await startingChanges(context, settings);
      const running = client !== undefined;
      const text = running
        ? changes.length === 0 ? "nothing would change\n" : changesText(changes)
        : `no Weft runs with this state ("${state}"); "weft run" would start:\n${changesText(changes)}`;
      context.terminal.out(options.json ? jsonText({ running, changes }, 2) + "\n" : text);
      context.exitCode = exitCodes.done;
    });
}

/** What these settings would start where nothing runs. */
async function startingChanges(context: Context, settings: Settings): Promise<readonly PlanChange[]> {
  await startOrder(settings.plugins, context.builtins);
  const swarms = planSwarms([], await readSwarms(context, settings));
  return [...planEntries([], settings.plugins).changes, ...swarms.changes];
}
