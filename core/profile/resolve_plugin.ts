/** From the name in a profile to the plugin. @module */
import {
  type Builtins,
  didYouMean,
  type Host,
  type LoadedPlugin,
  type ModuleCode,
  ModuleError,
  type PluginRequest,
  readPlugin,
} from "../api/mod.ts";
import { isAbsolute, resolvePath, type ResolvePlugin } from "../config/mod.ts";
import { withDeadline } from "../net/mod.ts";

// How long the code of a plugin may take to load (ms); the same as its setup.
const LOAD_TIMEOUT = 30_000;

/** Where plugins come from. */
export interface PluginSources {
  readonly host: Host;
  readonly builtins: Builtins;
  /**
   * Plugins compiled into the binary, by `use` as their profile writes it, such as `./roster.ts`. For a profile beside
   * which that path would lead, they take the place of the file; isolated code is always read from disk.
   */
  readonly embedded?: Builtins;
  /** Weft's own. */
  readonly version: string;
}

/**
 * Finds plugins by what an entry's `use` says: the name of a built-in, an absolute path, a file URL, or a name such as
 * `npm:weft-roster`, of a module whose default export is a plugin. Answers with the problem, in words, when there is
 * none. A module that the entry isolates is never imported here.
 */
export function pluginResolver(environment: PluginSources): ResolvePlugin {
  return async (request) => {
    try {
      return await resolve(environment, request);
    } catch (error) {
      return `cannot load "${request.use}": ${error instanceof Error ? error.message : error}`;
    }
  };
}

async function resolve(environment: PluginSources, request: PluginRequest): Promise<LoadedPlugin | string> {
  const { builtins, embedded = {}, version } = environment;
  const { use, isolate, baseDir } = request;
  if (Object.hasOwn(builtins, use)) {
    if (isolate !== "none") return `"${use}" is part of Weft and can't be isolated; remove "isolate"`;
    return { plugin: (await builtins[use]()).default, version, files: [] };
  }
  const compiledIn = Object.keys(embedded).find((key) => key === use || resolvePath(baseDir, key) === use);
  if (compiledIn !== undefined && isolate === "none") {
    return checked(use, await embedded[compiledIn](), { version, files: [] });
  }
  const url = urlOf(use);
  if (url === undefined) return unknown(use, Object.keys(builtins));
  const { modules } = environment.host;
  if (!modules) throw new ModuleError("nothing can be loaded here but built-in plugins");
  if (isolate !== "none") return await isolated(environment, request, url, await modules.inspect(url));
  // One that waits at its top level for what never comes must not hold up every later reload.
  const { exports, ...code } = await withDeadline(
    environment.host.clock,
    LOAD_TIMEOUT,
    "it did not finish loading",
    () => modules.load(url),
  );
  return checked(use, exports, code);
}

/** A plugin whose code Weft itself never runs. */
async function isolated(
  { host }: PluginSources,
  request: PluginRequest,
  url: string,
  { version, files }: ModuleCode,
): Promise<LoadedPlugin | string> {
  if (!url.startsWith("file:")) {
    return `"${request.use}" can't be isolated, only files can; save it as a file, or remove "isolate"`;
  }
  const { sandboxPlugin } = await import("../sandbox/mod.ts");
  return { plugin: await sandboxPlugin({ url, request, files, host, version }), version, files };
}

function checked(use: string, exports: { readonly default?: unknown }, code: ModuleCode): LoadedPlugin | string {
  const plugin = readPlugin(exports.default);
  return typeof plugin === "string" ? `"${use}" ${plugin}` : { plugin, ...code };
}

/** The URL of an entry's `use` that is a path, or a URL already; undefined for other names. */
export function urlOf(use: string): string | undefined {
  if (isAbsolute(use)) {
    const path = use.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
    return `file://${path.startsWith("/") ? "" : "/"}${path.replace(/^([A-Za-z])%3A/, "$1:")}`;
  }
  return /^[a-z]{2,}:/.test(use) && URL.canParse(use) ? new URL(use).href : undefined;
}

function unknown(use: string, names: readonly string[]): string {
  if (/[\\/]|\.[cm]?[jt]s$/.test(use)) return `unknown plugin "${use}"; write "./${use}" for a file beside the profile`;
  return `unknown plugin "${use}"${didYouMean(use, names) || `; the built-ins are ${names.join(", ")}`}`;
}
