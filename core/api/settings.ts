/** The decoded profile. @module */
import type { BindAddress, IsolatePermissions } from "./host.ts";
import type { Plugin } from "./plugin.ts";

/** Limits of the whole runtime, with defaults that suit a desktop. */
export interface LimitSettings {
  /** Bytes per second over all swarms; undefined is unlimited. */
  readonly down?: number;
  readonly up?: number;
  /** Most peers at once over all swarms. */
  readonly connections: number;
  /** Most peers of one swarm. */
  readonly peers: number;
  /** Upload slots over all swarms; undefined chooses by the upload rate. */
  readonly unchoked?: number;
  /** New outgoing connections a second, over all swarms. */
  readonly dials: number;
  /** Most dials under way at once. */
  readonly halfOpen: number;
  /** Incoming connections whose handshake is under way at once; the silent make room for others. */
  readonly handshakes: number;
  /** Incoming connections a second from one address, and handshakes pending from it at once. */
  readonly acceptsPerAddress: number;
  /** Bytes of pieces that are being put together, over all swarms. */
  readonly openPieces: number;
  /** Bytes of read-ahead for uploads, over all swarms. */
  readonly readAhead: number;
  /** Most files open at once. */
  readonly openFiles: number;
  /** Seeding stops at this ratio, or after this many milliseconds; undefined goes on. */
  readonly ratio?: number;
  readonly seedTime?: number;
}

/** Where data and state live. */
export interface StoreSettings {
  readonly path: string;
  /** The SQLite file; the control socket stands beside it. */
  readonly state: string;
}

/** A swarm that the profile brings. */
export interface SwarmSetting {
  /** A path of a .torrent (absolute, or relative to the profile, already resolved) or a magnet link. */
  readonly add: string;
  readonly path?: string;
  readonly select?: readonly number[];
  readonly sequential: boolean;
  readonly paused: boolean;
  readonly peers: readonly string[];
  readonly allowLocal: boolean;
  /** It may overwrite files that stand where its own go. */
  readonly force?: boolean;
  readonly down?: number;
  readonly up?: number;
  readonly ratio?: number;
  readonly seedTime?: number;
  readonly place?: SourcePlace;
}

/** Where in the profile something stands, for errors. */
export interface SourcePlace {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

/** Where a plugin's code runs: with Weft's own permissions, or isolated with those that its entry grants: a worker for code that may be faulty, a process for code that may be hostile. */
export type Isolation = "none" | "worker" | "process";

/** Plugins that come with Weft: name to a function that loads the plugin. */
export type Builtins = Readonly<Record<string, () => Promise<{ readonly default: Plugin }>>>;

/** What finding a plugin takes: all that its entry says. */
export interface PluginRequest {
  /** A built-in's name, an absolute path, or a URL such as `npm:weft-roster`. */
  readonly use: string;
  readonly isolate: Isolation;
  readonly permissions: IsolatePermissions;
  /** Most bytes that a child process may use. */
  readonly memory: number;
  /** `with`, as it was written: isolated code checks it there. */
  readonly config: unknown;
  /** The profile's folder, absolute: where relative paths inside `with` start. */
  readonly baseDir: string;
}

/** A plugin that was found, and the state of its code. */
export interface LoadedPlugin {
  readonly plugin: Plugin;
  /** Changes when the code does: a hash of the module and of the files that it imports. */
  readonly version: string;
  /** The files to watch for changes; none for a built-in. */
  readonly files: readonly string[];
}

/** One entry of `plugins`. Its identity is its name: it changed when anything else but its place did. */
export interface PluginEntry extends LoadedPlugin {
  /** `as`, else `use` as it was written. */
  readonly name: string;
  readonly use: string;
  /** `with`, already decoded by the plugin's schema. */
  readonly config: unknown;
  readonly isolate: Isolation;
  readonly permissions: IsolatePermissions;
  readonly memory: number;
  /** How long what it handed out (connections, streams) may live on once it is retired, in milliseconds. */
  readonly drain: number;
  readonly place: SourcePlace;
}

/** When a plugin that keeps failing is left out, and for how long. */
export interface QuarantineSettings {
  /** So many faults ... */
  readonly faults: number;
  /** ... within so many milliseconds. */
  readonly within: number;
  /** The first pause, in milliseconds; each further one is twice as long ... */
  readonly backoff: number;
  /** ... up to this. */
  readonly longest: number;
}

/** A whole profile, every default filled in and every path resolved. */
export interface Settings {
  readonly listen: readonly BindAddress[];
  readonly store: StoreSettings;
  /** `"loopback"`, `"private"`, IPs, CIDR ranges, host names, each perhaps with `:port`. */
  readonly egress: { readonly allow: readonly string[] };
  readonly limits: LimitSettings;
  readonly quarantine: QuarantineSettings;
  readonly swarms: readonly SwarmSetting[];
  readonly plugins: readonly PluginEntry[];
  /** Where settings stand that may turn out to be impossible. */
  readonly places: { readonly listen: SourcePlace; readonly state: SourcePlace };
}
