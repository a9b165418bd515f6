/** From a profile's file, or from the command line alone, to settings. @module */
import {
  type BindAddress,
  CommandError,
  ConfigError,
  type ConfigNode,
  didYouMean,
  DiskError,
  type Plugin,
  type PluginEntry,
  type Settings,
} from "../api/mod.ts";
import { loadProfile, loadStatePath, type ProfileText } from "../config/mod.ts";
import { type Environment, usageError } from "./environment.ts";
import { isAbsolute, parentOf, resolvePath } from "../config/mod.ts";
import { type ProfileSwarm, readProfileSwarms } from "../runtime/mod.ts";
import { pluginResolver, urlOf } from "./resolve_plugin.ts";

/** A profile is small; the cap keeps a wrong path from filling memory. In bytes. */
const MAX_PROFILE = 1024 * 1024;

/**
 * Reads a profile. `seen` is told the files of the plugins that can't be loaded: once they change, they may be mended.
 *
 * @throws {ConfigError} with every mistake in it
 */
export async function readProfile(
  environment: Environment,
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
export async function readStatePath(environment: Environment, path: string): Promise<string> {
  return await loadStatePath(await profileText(environment, path));
}

async function profileText({ host, cwd }: Environment, path: string): Promise<ProfileText> {
  const whole = resolvePath(cwd, path);
  try {
    const bytes = await host.disk.readFile(whole, { maxBytes: MAX_PROFILE });
    return { text: new TextDecoder().decode(bytes), file: path, baseDir: parentOf(whole) };
  } catch (cause) {
    if (cause instanceof DiskError && cause.fault === "notFound") throw usageError(`There is no profile "${path}"`);
    throw cause;
  }
}

/** The files behind a module that can't be loaded, as far as they can be told. */
async function filesOf({ host }: Environment, use: string): Promise<readonly string[]> {
  const url = urlOf(use);
  try {
    if (url !== undefined && host.modules) return (await host.modules.inspect(url)).files;
  } catch {
    // It isn't there at all.
  }
  return isAbsolute(use) ? [use] : [];
}

/**
 * Reads the torrents that a profile names.
 *
 * @throws {ConfigError} with each that can't be read
 */
export async function readSwarms({ host }: Environment, { swarms }: Settings): Promise<readonly ProfileSwarm[]> {
  const read = await readProfileSwarms(host.disk, swarms);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return read.swarms;
}

/** Settings without a profile: every built-in plugin that gives swarms something and works with its defaults alone. */
export async function defaultSettings(environment: Environment): Promise<Settings> {
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

/** What `get` and `seed` take from the command line. */
export interface OneSwarmOptions {
  readonly profile?: string;
  readonly listen?: BindAddress;
  readonly state?: string;
  /** Entries that are left out, by name. */
  readonly without?: readonly string[];
}

/**
 * Settings for one swarm: plugins and limits of the profile (else the defaults), but none of its swarms; data in
 * `folder` and state in `folder/.weft/KEY.db`, unless `--state` says otherwise.
 */
export async function oneSwarmSettings(
  environment: Environment,
  options: OneSwarmOptions,
  folder: string,
  key: string,
): Promise<Settings> {
  const settings = options.profile === undefined
    ? await defaultSettings(environment)
    : await readProfile(environment, options.profile);
  const state = options.state === undefined ? `${folder}/.weft/${key}.db` : resolvePath(environment.cwd, options.state);
  const listen = options.listen !== undefined
    ? [options.listen]
    : options.profile === undefined
    ? [await freeAddress(environment)]
    : settings.listen;
  const plugins = leaveOut(settings.plugins, options.without ?? []);
  return { ...settings, listen, plugins, swarms: [], store: { path: folder, state } };
}

function leaveOut(plugins: readonly PluginEntry[], without: readonly string[]): readonly PluginEntry[] {
  const names = plugins.map(({ name }) => name);
  for (const name of without) {
    if (names.includes(name)) continue;
    const meant = didYouMean(name, names) || `; there are ${names.join(", ")}`;
    throw usageError(`Cannot leave out "${name}": no plugin has that name${meant}`);
  }
  return plugins.filter(({ name }) => !without.includes(name));
}

/**
 * The usual port on all addresses, or a free one when another program has it, over TCP or UDP; IPv4 alone where there
 * is no IPv6.
 */
async function freeAddress({ host }: Environment): Promise<BindAddress> {
  const choices = ["::", "0.0.0.0"].flatMap((ip) => [6881, 0].map((port) => ({ ip, port })));
  let why = "";
  for (const at of choices) {
    try {
      (await host.net.listen(at)).close();
      (await host.net.datagrams(at)).close();
      return at;
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
  }
  throw new CommandError(`${why}; choose another address with --listen`);
}
