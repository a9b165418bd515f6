/**
 * Compiles Weft to one binary; `deno task compile --help` says how.
 *
 * @module
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { ConfigError, formatSize } from "../core/api/mod.ts";
import { resolvePath } from "../core/config/mod.ts";
import { entryModule, fileUrl, type ProfilePart, readProfilePart } from "./compile_profile.ts";

const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
/** What npm:yaml looks at. */
const ENV = ["LOG_STREAM", "LOG_TOKENS"];
/**
 * What goes in besides what mod.ts imports: workers, which are loaded by URL, and the code that `weft new plugin` puts
 * beside a plugin, of which files with nothing but types are imported by nobody.
 */
const INCLUDED = ["core", "plugins", "tests/conformance", "tests/testing"];
/** Whose tests go in too: new plugins begin with them. */
const TEMPLATE = "core/cli/commands/new";

const details = `
With --profile, the plugins that it names by path, URL or package are compiled in, with all that they import, and take
the place of the files beside that profile. Mistakes in it are told before anything is compiled, with exit code 2. Other
plugins are read from disk when the binary runs, and so are those that the profile isolates: in JavaScript, if the
binary's Deno can't load TypeScript, as 2.4 can't.

The variable WEFT_DENO names the deno that compiles, if not the one that runs this.

Examples:
  deno task compile
  deno task compile --profile weft.yaml --output dist/weft`;

const program = new Command("deno task compile")
  .description("Compiles Weft to one binary.")
  .option("--profile <file>", "also compile in the plugins that this profile names")
  .option("--output <path>", "where the binary goes (default: weft, beside mod.ts)")
  .helpOption("-h, --help", "explain this")
  .addHelpText("after", details)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "compile: ")) })
  .exitOverride();

/** All of Weft's code that the binary may need, absolute. */
async function includedFiles(): Promise<string[]> {
  const files: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory && name !== "testdata") await walk(path);
      else if (name.endsWith(".ts") && (folder === TEMPLATE || !/^test_|_test\.ts$/.test(name))) {
        files.push(root + path);
      }
    }
  };
  for (const folder of INCLUDED) await walk(folder);
  return files.sort();
}

/** Runs the compiler; its exit code. `temporary` is a folder for what is needed on the way. */
async function compile(output: string, temporary: string, part?: ProfilePart): Promise<number> {
  let entry = `${root}mod.ts`;
  if (part) {
    entry = `${temporary}/weft.js`;
    await Deno.writeTextFile(entry, entryModule(fileUrl(entry), fileUrl(`${root}mod.ts`), part));
  }
  // A copy: what the profile's plugins depend on is no dependency of Weft.
  await Deno.copyFile(`${root}deno.lock`, `${temporary}/deno.lock`);
  const options = [
    "--quiet",
    "--no-check", // `deno task check` did
    "--no-prompt",
    `--config=${root}deno.json`,
    `--lock=${temporary}/deno.lock`,
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-sys=networkInterfaces",
    // Itself alone, for `isolate: process`; but where it will stand nobody knows yet.
    "--allow-run",
    `--allow-env=${[...ENV, ...part?.env ?? []].join(",")}`,
    ...(await includedFiles()).map((file) => `--include=${file}`),
    `--output=${output}`,
  ];
  const command = new Deno.Command(Deno.env.get("WEFT_DENO") ?? Deno.execPath(), {
    args: ["compile", ...options, entry],
    stdin: "null",
  });
  return (await command.spawn().status).code;
}

function say(text: string): void {
  console.error(`compile: ${text}`);
}

/** Says what becomes of the profile's plugins. */
function describe({ embedded, packages, isolated }: ProfilePart): void {
  for (const use of [...embedded.keys(), ...packages]) say(`"${use}" is compiled in`);
  for (const { name, files } of isolated) {
    say(`"${name}" is isolated, so these are read from disk: ${files.map((file) => `"${file}"`).join(", ")}`);
  }
}

async function main(): Promise<number> {
  const { profile, output } = program.parse(Deno.args, { from: "user" }).opts();
  // A task runs in the folder of its deno.json; this is where it was called.
  const here = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  const to = output === undefined ? `${root}weft` : resolvePath(here, output);
  const part = profile === undefined ? undefined : await readProfilePart(resolvePath(here, profile), profile);
  if (part) describe(part);
  say(`making "${to}"`);
  const temporary = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft-compile-" }));
  try {
    const code = await compile(to, temporary, part);
    if (code !== 0) return 1;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
  say(`made it, ${formatSize((await Deno.stat(to)).size)}`);
  return 0;
}

async function run(): Promise<number> {
  try {
    return await main();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) {
      console.error(/:\d+:\d+: /.test(problem) ? problem : `compile: ${problem}`);
    }
    return 2;
  }
}

Deno.exit(await run()); // the host's worker and what plugins left running would go on
