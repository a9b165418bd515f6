/**
 * Weft, a BitTorrent runtime whose every protocol is a plugin.
 *
 * As a module it exports what is needed to embed a runtime; as the main module it is the command line.
 *
 * @module
 */
import type { Builtins } from "./core/api/mod.ts";
import { main } from "./core/cli/mod.ts";
import { containStrayErrors, denoHost, denoTerminal, GUEST_ARGUMENT, ownSources } from "./core/host/deno/mod.ts";
import { startRuntime } from "./core/runtime/mod.ts";
import { builtins } from "./plugins/mod.ts";
import project from "./deno.json" with { type: "json" };

export * from "./core/api/mod.ts";
export { loadProfile } from "./core/config/mod.ts";
export { denoHost } from "./core/host/deno/mod.ts";
export { startRuntime } from "./core/runtime/mod.ts";
export { builtins } from "./plugins/mod.ts";

/** The version of Weft. */
export const version: string = project.version;

/**
 * Runs the command line on this process's arguments, and ends the process. `embedded` are plugins that were compiled
 * in, by `use` as their profile writes it.
 */
export async function runAsMain(embedded?: Builtins): Promise<void> {
  // A compiled Weft is its own child where a plugin runs in a process.
  if (Deno.args[0] === GUEST_ARGUMENT) return void await import("./core/guest/process.ts");
  const terminal = denoTerminal();
  using _contained = containStrayErrors((text) => terminal.error(`weft: ${text}\n`));
  const code = await main(Deno.args, {
    host: denoHost(),
    terminal,
    builtins,
    embedded,
    start: startRuntime,
    version,
    sources: {
      ...ownSources(new URL("./", import.meta.url).href, ["core", "plugins", "tests"]),
      imports: project.imports,
    },
    cwd: Deno.cwd(),
    temporary: "/tmp",
  });
  Deno.exit(code); // ends the host's workers too
}

// Not awaited: a plugin that imports this module while it is still loading would wait forever.
if (import.meta.main) runAsMain();
