/** Errors as lines for people. @module */
import { ConfigError, errorText } from "../../api/mod.ts";
import { printable } from "./text.ts";

/** The lines that tell an error on a terminal, without line ends; a mistake in a profile begins with its place. */
export function errorLines(error: unknown): string[] {
  return problemLines(error instanceof ConfigError ? error.problems : [errorText(error)]);
}

/** The lines that tell problems: those with a place begin with it, as editors read it; others say who speaks. */
export function problemLines(problems: readonly string[]): string[] {
  return problems.flatMap((problem) => problem.split("\n"))
    // They may quote names from outside.
    .map(printable)
    .map((line) => /^.+?:\d+:\d+: /.test(line) ? line : `weft: ${line}`);
}
