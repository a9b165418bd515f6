/** Profiles: from a file, or none, to settings. @module */
import { ConfigError, type ConfigNode, DiskError, type Plugin, type Settings } from "../api/mod.ts";
import { isAbsolute, loadProfile, loadStatePath, parentOf, type ProfileText, resolvePath } from "../config/mod.ts";
import { pluginResolver, type PluginSources, urlOf } from "./resolve_plugin.ts";

/** Where profiles and their plugins come from. */
export interface ProfileEnvironment extends PluginSources {
  /** The folder that relative paths stand in, absolute. */
  readonly cwd: string;
}

/** A profile is small; the cap keeps a wrong path from filling memory. In bytes. */
const MAX_PROFILE = 1024 * 1024;

/**
 * Reads a profile. `seen` is told the files of the plugins that can't be loaded: once they change, they may be mended.
 *
 * @throws {ConfigError} with every mistake in it
 */
export async function readProfile(
  environment: ProfileEnvironment,
  path: string,
  seen: (file: string) => void = () => {},
): Promise<Settings> {
  const resolvePlugin = pluginResolver(environment);
  return await loadProfile({
    ...await profileText(environment, path),
    async resolvePlugin(request) {
      const found = await resolvePlugin(request);
      if (typeof found === "string") { for (const file of await filesOf(environment, request.use)) seen(file); }
      return found;
    },
  });
}

/**
 * The state file that a profile names, whatever else is wrong with the profile; its plugins are left alone.
 *
 * @throws {ConfigError} when it can't be told
 */
export async function readStatePath(environment: ProfileEnvironment, path: string): Promise<string> {
  return await loadStatePath(await profileText(environment, path));
}

async function profileText({ host, cwd }: ProfileEnvironment, path: string): Promise<ProfileText> {
  const whole = resolvePath(cwd, path);
  try {
    const bytes = await host.disk.readFile(whole, { maxBytes: MAX_PROFILE });
    return { text: new TextDecoder().decode(bytes), file: path, baseDir: parentOf(whole) };
  } catch (cause) {
    if (cause instanceof DiskError && cause.fault === "notFound") {
      throw new ConfigError([`There is no profile "${path}"`]);
    }
    throw cause;
  }
}

/** The files behind a module that can't be loaded, as far as they can be told. */
async function filesOf({ host }: ProfileEnvironment, use: string): Promise<readonly string[]> {
  const url = urlOf(use);
  try {
    if (url !== undefined && host.modules) return (await host.modules.inspect(url)).files;
  } catch {
    // It isn't there at all.
  }
  return isAbsolute(use) ? [use] : [];
}

/** Settings without a profile: every built-in plugin that gives swarms something and works with its defaults alone. */
export async function defaultSettings(environment: ProfileEnvironment): Promise<Settings> {
  const { builtins, cwd } = environment;
  const plugins = await Promise.all(
    Object.entries(builtins).map(async ([use, load]) => {
      const plugin = (await load()).default;
      return plugin.provides?.length && needsNothing(plugin) ? [{ use }] : [];
    }),
  );
  return await loadProfile({
    value: { plugins: plugins.flat() },
    file: "built-in profile",
    baseDir: cwd,
    resolvePlugin: pluginResolver(environment),
  });
}

/** Whether the plugin's schema accepts an empty `with`. */
function needsNothing({ config }: Plugin): boolean {
  let fine = true;
  const node = (value: unknown): ConfigNode => ({
    value,
    path: "with",
    at: () => node(undefined),
    problem: () => {
      fine = false;
    },
  });
  config.decode(node({}));
  return fine;
}
