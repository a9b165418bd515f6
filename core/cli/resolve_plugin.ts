/** From the name in a profile to the plugin. @module */
import { didYouMean, type Plugin } from "../api/mod.ts";
import type { ResolvePlugin } from "../config/mod.ts";
import type { Builtins } from "./environment.ts";

/**
 * Finds plugins by what an entry's `use` says: the name of a built-in, or an absolute path or URL of a module whose
 * default export is a plugin. Answers with the problem, in words, when there is none.
 */
export function pluginResolver(builtins: Builtins): ResolvePlugin {
  const loaded = (plugin: Plugin) => ({ plugin, version: "1", files: [] });
  return async ({ use }) => {
    if (Object.hasOwn(builtins, use)) return loaded((await builtins[use]()).default);
    const isModule = /^(\/|[A-Za-z]:[\\/]|[a-z]{2,}:)/.test(use);
    if (!isModule) {
      const meant = didYouMean(use, Object.keys(builtins));
      return `unknown plugin "${use}"${meant || `; the built-ins are ${Object.keys(builtins).join(", ")}`}`;
    }
    try {
      const { default: plugin } = await import(/^[a-z]{2,}:/.test(use) ? use : fileUrl(use)) as { default?: unknown };
      return isPlugin(plugin) ? loaded(plugin) : `"${use}" has no plugin as its default export; make one with definePlugin()`;
    } catch (error) {
      return `cannot load "${use}": ${error instanceof Error ? error.message : error}`;
    }
  };
}

function fileUrl(path: string): string {
  return `file://${/^\//.test(path) ? "" : "/"}${
    path.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/")
  }`;
}

function isPlugin(value: unknown): value is Plugin {
  const plugin = value as Partial<Plugin> | undefined;
  return typeof plugin?.name === "string" && typeof plugin.setup === "function" && typeof plugin.config === "object";
}
