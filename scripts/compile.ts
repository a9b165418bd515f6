/**
 * Compiles Weft to one binary: `deno task compile [--profile FILE] [--output PATH]`. With a profile, its plugins that
 * are files or packages are compiled in, so that they run where no file stands and no type can be stripped. Run with
 * `--help` it says the rest.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import { parse } from "yaml";
import { ConfigError, formatSize, type Settings } from "../core/api/mod.ts";
import { pluginResolver } from "../core/cli/mod.ts";
import { loadProfile, parentOf, resolvePath } from "../core/config/mod.ts";
import { denoHost } from "../core/host/deno/mod.ts";
import { builtins } from "../plugins/mod.ts";
import { embeddedPlugins, entryModule } from "./compile_entry.ts";
import project from "../deno.json" with { type: "json" };

const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
/** What the YAML package looks at; see the README. */
const ENV = ["LOG_STREAM", "LOG_TOKENS"];
/**
 * Besides what mod.ts imports: workers are loaded by URL, and `weft new plugin` copies all of Weft's code, whose types
 * no import of the program names.
 */
const INCLUDED = ["core", "plugins", "tests/conformance", "tests/testing"];
const TEMPLATE = "core/cli/new";

const details = `
With a profile, the plugins that it names by file, URL or package are compiled in, with all that they import: in the
binary they take the place of the files beside that profile. A plugin that the profile isolates is read from disk when
the binary runs, as are files that another profile names (JavaScript alone, where this Deno's binaries can't strip
types). Mistakes in the profile are told before anything is compiled, with exit code 2.

WEFT_DENO names the deno that compiles, if not the one that runs this.

Examples:
  deno task compile
  deno task compile --profile weft.yaml --output dist/weft`;

function say(text: string): void {
  console.error(`compile: ${text}`);
}

/** Reads and checks the whole profile, as `weft check` does but for its torrents: those may be on another machine. */
async function readProfile(path: string, name: string): Promise<{ settings: Settings; uses: readonly string[] }> {
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) throw new ConfigError([`compile: there is no profile "${name}"`]);
    throw error;
  });
  const resolvePlugin = pluginResolver({ builtins, host: denoHost(), version: project.version });
  const settings = await loadProfile({ text, file: name, baseDir: parentOf(path), resolvePlugin });
  const { plugins } = parse(text) as { plugins: readonly { use: string }[] };
  return { settings, uses: plugins.map(({ use }) => use) };
}

/** All of Weft's code but its tests, and the tests that new plugins begin with. */
async function includes(): Promise<string[]> {
  const files: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await walk(path);
      else if (/(?<!_test)\.ts$/.test(name) && !/^test_|\/testdata\//.test(name) || folder === TEMPLATE) files.push(path);
    }
  };
  for (const folder of INCLUDED) await walk(folder);
  return files.flatMap((file) => ["--include", root + file]);
}

/** Compiles; the exit code of the compiler. */
async function compile(output: string, settings?: { settings: Settings; uses: readonly string[] }): Promise<number> {
  const temporary = await Deno.makeTempDir({ prefix: "weft-compile-" });
  try {
    let entry = `${root}mod.ts`;
    if (settings) {
      entry = `${temporary}/weft.js`;
      await Deno.writeTextFile(entry, entryModule(`${root}mod.ts`, embeddedPlugins(settings), temporary));
    }
    // A copy, since the profile's packages are no dependencies of Weft.
    await Deno.copyFile(`${root}deno.lock`, `${temporary}/deno.lock`);
    const env = settings?.settings.plugins.flatMap(({ permissions }) => permissions.env ?? []) ?? [];
    const command = new Deno.Command(Deno.env.get("WEFT_DENO") ?? Deno.execPath(), {
      args: [
        "compile",
        "--quiet",
        "--no-check", // `deno task check` did
        "--no-prompt",
        "--config",
        `${root}deno.json`,
        "--lock",
        `${temporary}/deno.lock`,
        "--allow-net",
        "--allow-read",
        "--allow-write",
        "--allow-run", // itself, for plugins with \`isolate: process\`; its path is not known yet
        `--allow-env=${[...ENV, ...env].join(",")}`,
        ...await includes(),
        "--output",
        output,
        entry,
      ],
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    });
    return (await command.spawn().status).code;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}
