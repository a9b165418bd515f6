/**
 * Runs measuring scripts one after another, each in a process of its own.
 *
 * @module
 */

/** A set of scripts that measure. */
export interface Scripts {
  /** What one of them is called in messages: "benchmark". */
  readonly kind: string;
  /** The folder that holds them. */
  readonly folder: URL;
  /** Each by its name, in the order in which all are run, with its file. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Runs all, or the one whose name stands first in `args`, with the rest as its options. Ends the process: with 2 where
 * there is no such script, with 1 where one failed.
 */
export async function runScripts(scripts: Scripts, [name, ...args]: readonly string[]): Promise<void> {
  const { kind, files } = scripts;
  if (name !== undefined && !Object.hasOwn(files, name)) {
    console.error(`No ${kind} "${name}"; there are ${Object.keys(files).join(", ")}`);
    Deno.exit(2);
  }
  const failed: string[] = [];
  for (const each of name === undefined ? Object.keys(files) : [name]) {
    if (name === undefined) console.log(`\n# ${each}`);
    if (!await run(new URL(files[each], scripts.folder), args)) failed.push(each);
  }
  if (failed.length === 0) return;
  if (name === undefined) console.error(`\nFailed: ${failed.join(", ")}`);
  Deno.exit(1);
}

/** Runs one. Returns whether it went well. */
async function run(script: URL, args: readonly string[]): Promise<boolean> {
  const options = ["run", "--allow-all", "--v8-flags=--expose-gc", script.pathname, ...args];
  const { success } = await new Deno.Command(Deno.execPath(), { args: options, stdin: "null" }).spawn().status;
  return success;
}
