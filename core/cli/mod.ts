/**
 * The command line. `main` gets the world from outside and returns an exit code; it never ends the process.
 *
 * @module
 */
import { CommanderError } from "@commander-js/extra-typings";
import { ConfigError } from "../api/mod.ts";
import { type Context, type Environment, exitCodes } from "./environment.ts";
import { errorLines } from "./text/problems.ts";
import { buildProgram } from "./program.ts";

export type { Environment, StartRuntime } from "./environment.ts";

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
  for (const line of errorLines(error)) terminal.error(`${line}\n`);
  if (debug && error instanceof Error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) terminal.error(`${at.stack}\n`);
  }
}
