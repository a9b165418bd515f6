/** `weft plugins`: the built-ins. @module */
import { type Context, exitCodes } from "./environment.ts";
import type { Program } from "./options.ts";
import { table } from "./text.ts";

/** Adds the command. */
export function addPlugins(program: Program, context: Context): void {
  program.command("plugins")
    .summary("list the built-in plugins")
    .description("Lists the built-in plugins with what each needs of others.")
    .option("--json", "one JSON array")
    .action(async (options) => {
      const plugins = await Promise.all(
        Object.values(context.builtins).map(async (load) => {
          const { name, summary = "", needs = [], provides = [], config } = (await load()).default;
          return { name, summary, needs, provides, config: config.expects };
        }),
      );
      context.terminal.out(
        options.json ? JSON.stringify(plugins, null, 2) + "\n" : table([
          ["plugin", "what it does", "needs"],
          ...plugins.map(({ name, summary, needs }) => [name, summary, needs.join(", ")]),
        ]),
      );
      context.exitCode = exitCodes.done;
    });
}
