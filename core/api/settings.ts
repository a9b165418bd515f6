/** The decoded profile. @module */
import type { BindAddress } from "./host.ts";

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
  readonly down?: number;
  readonly up?: number;
  readonly ratio?: number;
  readonly seedTime?: number;
}

/** Where in the profile something stands, for errors. */
export interface SourcePlace {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

/** One entry of `plugins`. */
export interface PluginEntry {
  /** `as`, else `use`. */
  readonly name: string;
  readonly use: string;
  /** `with`, already decoded by the plugin's schema. */
  readonly config: unknown;
  readonly place: SourcePlace;
}

/** A whole profile, every default filled in and every path resolved. */
export interface Settings {
  readonly listen: readonly BindAddress[];
  readonly store: StoreSettings;
  /** `"loopback"`, `"private"`, IPs, CIDR ranges, host names, each perhaps with `:port`. */
  readonly egress: { readonly allow: readonly string[] };
  readonly limits: LimitSettings;
  /** A profile-wide rule for every tracker; the torrent's `--allow-local` is per swarm. */
  readonly swarms: readonly SwarmSetting[];
  readonly plugins: readonly PluginEntry[];
}
