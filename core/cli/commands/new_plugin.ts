/** `weft new plugin`: a plugin to begin with. @module */
import { CommandError, quote } from "../../api/mod.ts";
import { resolvePath } from "../../config/mod.ts";
import { type Context, exitCodes, usageError, type WeftSources } from "../environment.ts";
import type { Program } from "../options.ts";
import { table } from "../text/text.ts";

/** The plugin that new ones begin as; its tests run with Weft's own. */
const TEMPLATE = "core/cli/commands/new/roster";
/** Where a binary puts the code that stands behind the name `weft`, inside the plugin's folder. */
const COPY = ".weft";
/** A name is a file's name too, on any system, and stands in every line of the plugin's log. */
const NAME = /^[a-z][a-z0-9_-]{0,39}$/;

/** Adds the command. */
export function addNew(program: Program, context: Context): void {
  program.command("new")
    .summary("begin a plugin")
    .description("Writes the beginning of what you write yourself.")
    .command("plugin")
    .summary("a source of peers, with its configuration and its test")
    .description(
      "Writes a plugin that works, a source of peers: its code, its test, and a deno.json that tells editors, " +
        '`deno check` and `deno test` what "weft" is. Prints the lines for a profile.',
    )
    .argument("<name>", "what profiles call it, such as roster")
    .option("--dir <folder>", "where to write it (default: ./NAME)")
    .action(async (name, options) => {
      await newPlugin(context, name, options.dir ?? `./${name}`);
      context.exitCode = exitCodes.done;
    });
}

async function newPlugin(context: Context, name: string, dir: string): Promise<void> {
  const { host: { disk }, terminal, cwd, sources } = context;
  if (!NAME.test(name)) {
    throw usageError(`${quote(name)} is no name for a plugin: write small letters, digits, - and _, up to 40`);
  }
  if (Object.hasOwn(context.builtins, name)) throw usageError(`"${name}" is a built-in plugin; choose another name`);
  if (!sources) throw new CommandError("Cannot write a plugin: Weft's own code is not at hand");
  const folder = resolvePath(cwd, dir);
  const files = new Map<string, string>();
  for (const ending of [".ts", "_test.ts"]) {
    files.set(`${name}${ending}`, (await sources.read(`${TEMPLATE}${ending}`)).replaceAll("roster", name));
  }
  files.set("deno.json", projectFile(sources));
  for (const file of files.keys()) {
    if (await disk.lstat(`${folder}/${file}`)) {
      throw usageError(`"${folder}/${file}" exists; choose another folder with --dir`);
    }
  }
  if (sources.root === undefined) {
    for (const path of await sources.list()) files.set(`${COPY}/${path}`, await sources.read(path));
  }
  await writeAll(context, folder, files);
  const path = dir.replace(/[\\/]+$/, "").replace(/^(?![\\/.]|[A-Za-z]:)/, "./");
  terminal.out(`${
    table([
      ["wrote", `${path}/${name}.ts`, "the plugin"],
      ["", `${path}/${name}_test.ts`, `its test: cd ${path} && deno test`],
      ["", `${path}/deno.json`, 'what "weft" is, for editors, deno check and deno test'],
    ])
  }
In a profile beside ${path} it is:

plugins:
  - use: ${path}/${name}.ts
    with: { url: "https://peers.example/list", every: 10m }
`);
}

async function writeAll({ host: { disk } }: Context, folder: string, files: ReadonlyMap<string, string>) {
  const made = new Set<string>();
  for (const [file, text] of files) {
    const parent = resolvePath(`${folder}/${file}`, "..");
    if (!made.has(parent)) await disk.makeDirectory(parent);
    made.add(parent);
    await disk.writeFile(`${folder}/${file}`, new TextEncoder().encode(text));
  }
}

/** The plugin's `deno.json`: it maps Weft's names, and for Weft's own files the packages that they import. */
function projectFile({ root, imports }: WeftSources): string {
  const base = root ?? `./${COPY}/`;
  const all = Object.entries(imports).map(([name, target]) => [name, target.replace(/^\.\//, base)] as const);
  const own = all.filter(([name]) => name === "weft" || name.startsWith("weft/"));
  const project = {
    imports: Object.fromEntries(own),
    scopes: { [base]: Object.fromEntries(all) },
    unstable: ["net"],
    lock: false,
    ...(root === undefined && { exclude: [COPY] }),
    fmt: { lineWidth: 120 },
  };
  return `${JSON.stringify(project, null, 2)}\n`;
}
