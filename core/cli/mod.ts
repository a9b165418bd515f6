/**
 * The command line. `main` gets the world from outside and returns an exit code; it never ends the process.
 *
 * @module
 */
import { CommanderError } from "@commander-js/extra-typings";
import { ConfigError } from "../api/mod.ts";
import { type Context, type Environment, exitCodes } from "./environment.ts";
import { buildProgram } from "./program.ts";
import { printable } from "./text.ts";

export type { Builtins, Environment, StartRuntime } from "./environment.ts";
export { pluginResolver } from "./resolve_plugin.ts";

/**
 * Runs one command and returns its exit code: 0 done, 1 failed, 2 a mistake in the command or the profile,
 * 130 interrupted. Never rejects: errors are written to the terminal, without stack traces unless `--debug`.
 */
export async function main(args: readonly string[], environment: Environment): Promise<number> {
  const abandoned = Promise.withResolvers<number>();
  const context: Context = {
    ...environment,
    exitCode: exitCodes.failed,
    debug: false,
    abandon: () => abandoned.resolve(exitCodes.interrupted),
  };
  return await Promise.race([run(args, context), abandoned.promise]);
}

async function run(args: readonly string[], context: Context): Promise<number> {
  const program = buildProgram(context);
  try {
    if (args.length === 0) {
      program.outputHelp();
      return exitCodes.usage;
    }
    await program.parseAsync(args, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    report(error, context);
    return error instanceof ConfigError ? exitCodes.usage : exitCodes.failed;
  }
}

function report(error: unknown, { terminal, debug }: Context): void {
  const problems = error instanceof ConfigError
    ? error.problems
    : [error instanceof Error ? error.message : `${error}`];
  // They may quote names from outside.
  const lines = problems.flatMap((problem) => problem.split("\n")).map(printable);
  // A profile's mistakes begin with their place, as editors read it; others say who speaks.
  for (const line of lines) terminal.error(/^.+?:\d+:\d+: /.test(line) ? `${line}\n` : `weft: ${line}\n`);
  if (debug && error instanceof Error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) terminal.error(`${at.stack}\n`);
  }
}
