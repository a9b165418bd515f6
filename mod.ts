/**
 * Weft, a BitTorrent runtime whose every protocol is a plugin.
 *
 * As a module it exports what is needed to embed a runtime; as the main module it is the command line.
 *
 * @module
 */
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

async function runAsMain(): Promise<void> {
  const terminal = denoTerminal();
  using _contained = containStrayErrors((text) => terminal.error(`weft: ${text}\n`));
  const code = await main(Deno.args, {
    host: denoHost(),
    terminal,
    builtins,
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
// A compiled Weft is its own child where a plugin runs in a process.
if (import.meta.main) Deno.args[0] === GUEST_ARGUMENT ? import("./core/guest/process.ts") : runAsMain();
