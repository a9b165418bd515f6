/** Settings of commands that run one swarm, and the torrents that a profile names. @module */
import {
  type BindAddress,
  CommandError,
  ConfigError,
  didYouMean,
  type PluginEntry,
  type Settings,
} from "../api/mod.ts";
import { resolvePath } from "../config/mod.ts";
import { defaultSettings, readProfile } from "../profile/mod.ts";
import { type ProfileSwarm, readProfileSwarms } from "../runtime/mod.ts";
import { type Environment, usageError } from "./environment.ts";

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
