import {
  ConfigError,
  type ConfigNode,
  type Decoded,
  faultText,
  type LoadedPlugin,
  type PluginEntry,
  type PluginRequest,
  type Settings,
  type SwarmSetting,
} from "../api/mod.ts";
import { childOf } from "../api/schema_support.ts";
import { quote } from "../wire/mod.ts";
import { PlainDocument, type ProfileDocument } from "./plain_document.ts";
import { entrySchema, profileSchema, storeSchema, type swarmSchema } from "./profile_schema.ts";

/** The text of a profile, and where it stands. */
export interface ProfileText {
  /** The YAML itself. Its parser asks for the environment variables `LOG_STREAM` and `LOG_TOKENS`. */
  readonly text?: string;
  /** Without a text: the plain data that YAML would give. No parser runs, and no permission is needed. */
  readonly value?: unknown;
  /** What errors call it. */
  readonly file: string;
  /** The folder that relative paths start at: that of the profile, absolute. */
  readonly baseDir: string;
}

/** What {@link loadProfile} gets. */
export interface ProfileSource extends ProfileText {
  readonly resolvePlugin: ResolvePlugin;
}

/**
 * Finds the plugin that an entry names: a built-in, an absolute path, or a URL. A text is the problem, such as
 * `unknown plugin "tpc", did you mean "tcp"?`.
 */
export type ResolvePlugin = (request: PluginRequest) => Promise<LoadedPlugin | string>;

/**
 * Decodes a profile whole: defaults filled in, units and paths resolved, each plugin's `with` by its own schema.
 *
 * @throws {ConfigError} with every mistake at once, sorted by place, one line each: `file:line:column: message`
 */
export async function loadProfile(source: ProfileSource): Promise<Settings> {
  const document = await openDocument(source);
  const settings = document.root && await decodeProfile(document, document.root, source);
  const { problems } = document;
  if (!settings || problems.length > 0) throw new ConfigError(problems);
  return settings;
}

/**
 * The state file that a profile names, whatever else is wrong with the profile.
 *
 * @throws {ConfigError} when it can't be told
 */
export async function loadStatePath(source: ProfileText): Promise<string> {
  const document = await openDocument(source);
  const store = document.root && storeSchema.decode(document.root.at("store"));
  if (store?.state === undefined) throw new ConfigError(document.problems);
  return store.state;
}

/** The parser is loaded only for those who have something to parse. */
async function openDocument({ text, value, file, baseDir }: ProfileText): Promise<ProfileDocument> {
  if (text === undefined) return new PlainDocument(value, file, baseDir);
  const { YamlDocument } = await import("./yaml_document.ts");
  return new YamlDocument(text, file, baseDir);
}

async function decodeProfile(
  document: ProfileDocument,
  root: ConfigNode,
  source: ProfileSource,
): Promise<Settings | undefined> {
  if (typeof root.value !== "object" || root.value === null || Array.isArray(root.value)) {
    return void root.problem("the profile must be a mapping with keys such as `plugins`, see config.example.yaml");
  }
  // `swarms:` with nothing behind it may be a file cut short: it must not mean "remove them all".
  for (const key of ["listen", "store", "egress", "limits", "quarantine", "swarms"]) {
    if (childOf(root.value, key) === null) root.problem(`"${key}" is empty; give it a value, or remove the key`, key);
  }
  const profile = profileSchema.decode(root);
  const plugins = await decodePlugins(document, root.at("plugins"), source);
  reportRepeatedSwarms(root.at("swarms"));
  if (!profile || document.problems.length > 0) return undefined;
  const { listen, store, egress, limits, quarantine, swarms } = profile;
  return {
    listen,
    store,
    egress,
    limits: present({
      down: limits.down,
      up: limits.up,
      connections: limits.connections,
      peers: limits.peers,
      unchoked: limits.unchoked,
      dials: limits.dials,
      halfOpen: limits.half_open,
      handshakes: limits.handshakes,
      acceptsPerAddress: limits.accepts_per_address,
      openPieces: limits.open_pieces,
      readAhead: limits.read_ahead,
      openFiles: limits.open_files,
      ratio: limits.ratio,
      seedTime: limits.seed_time,
    }),
    quarantine,
    swarms: swarms.map((swarm, i) => ({ ...swarmSetting(swarm), place: document.place(root.at("swarms").at(i)) })),
    plugins,
    places: {
      listen: document.place(root.at("listen")),
      state: document.place(root.at("store").at("state")),
    },
  };
}

async function decodePlugins(
  document: ProfileDocument,
  list: ConfigNode,
  { resolvePlugin, baseDir }: ProfileSource,
): Promise<PluginEntry[]> {
  if (!Array.isArray(list.value)) return [];
  const names = new Set<string>();
  const entries = list.value.map((_, i) => decodeEntry(document, list.at(i), names));
  // Together, since a module may take a while to load; in order afterwards, since order is hook order.
  const found = await Promise.all(entries.map((entry) => {
    if (!entry) return undefined;
    const { use, isolate, permissions, memory, node } = entry;
    const config = node.at("with").value ?? {};
    return find(resolvePlugin, { use, isolate, permissions, memory, config, baseDir });
  }));
  return entries.flatMap((entry, i) => {
    const loaded = found[i];
    if (!entry || loaded === undefined) return [];
    const { node, ...rest } = entry;
    if (typeof loaded === "string") {
      node.at("use").problem(loaded);
      return [];
    }
    try {
      return [{ ...rest, ...loaded, config: loaded.plugin.config.decode(withNode(node.at("with"))) }];
    } catch (error) {
      node.at("with").problem(`"${entry.use}" can't read its config: ${faultText(error)}`);
      return [];
    }
  });
}

function decodeEntry(document: ProfileDocument, node: ConfigNode, names: Set<string>) {
  const entry = entrySchema.decode(node);
  if (typeof entry?.use !== "string") return undefined;
  const name = entry.as ?? entry.use;
  if (names.has(name)) {
    const remedy = entry.as === undefined ? `add "as" to one of them, such as \`as: ${suffixed(name)}\`` : `change one`;
    node.at(entry.as === undefined ? "use" : "as").problem(`two entries are named ${quote(name)}; ${remedy}`);
  }
  names.add(name);
  const use = /^\.{1,2}[\\/]/.test(entry.use) ? node.resolve!(entry.use) : entry.use;
  const { isolate, permissions, memory, drain } = entry;
  if (permissions && isolate === "none") {
    node.at("permissions").problem('permissions hold only for isolated code; add "isolate: true"');
  }
  return { name, use, isolate, permissions: permissions ?? {}, memory, drain, node, place: document.place(node) };
}

/** An absent `with` is an empty one, so that each key that it lacks is named. */
function withNode(node: ConfigNode): ConfigNode {
  if (node.value != null) return node;
  return {
    value: {},
    path: node.path,
    at: (key) => node.at(key),
    problem: (message) => node.problem(message),
    resolve: (path) => node.resolve!(path),
  };
}

async function find(resolvePlugin: ResolvePlugin, request: PluginRequest): Promise<LoadedPlugin | string> {
  try {
    return await resolvePlugin(request);
  } catch (error) {
    return `cannot load ${quote(request.use)}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function reportRepeatedSwarms(list: ConfigNode): void {
  if (!Array.isArray(list.value)) return;
  const known = new Set<unknown>();
  list.value.forEach((_, i) => {
    const node = list.at(i).at("add");
    if (typeof node.value !== "string") return;
    if (known.has(node.value)) node.problem(`${quote(node.value)} is added twice; remove one of the two entries`);
    known.add(node.value);
  });
}

function swarmSetting(swarm: Decoded<typeof swarmSchema>): SwarmSetting {
  const { add, path, select, sequential, paused, peers, allow_local, force, limits } = swarm;
  const { down, up, ratio, seed_time } = limits;
  const named = peers.map(({ host, port }) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
  const allowLocal = allow_local;
  return present({
    add,
    path,
    select,
    sequential,
    paused,
    peers: named,
    allowLocal,
    ...(force && { force }),
    down,
    up,
    ratio,
    seedTime: seed_time,
  });
}

/** The same without the properties that are undefined, so that settings compare and print by what they say. */
function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

function suffixed(name: string): string {
  const word = name.replace(/^.*[\\/]/, "").replace(/\.\w+$/, "");
  return `${word}-2`;
}
