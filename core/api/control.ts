/**
 * The control interface: commands, snapshot, sequenced events. The CLI, `--json`, the Unix socket and later a web page
 * all use it, and nothing else.
 *
 * Snapshots and events are plain JSON data. Sizes are bytes, rates bytes per second, times wall-clock milliseconds.
 *
 * @module
 */
import type { SourceKind } from "./block_source.ts";
import type { Settings } from "./settings.ts";
import type { TrackerStatus } from "./tracker.ts";

/** A swarm to add. */
export interface AddSwarm {
  /** A .torrent file's bytes, or a magnet link. */
  readonly source: Uint8Array | string;
  /** Where its files go; the profile's `store.path` if not given. */
  readonly path?: string;
  /** Who brought it: a reload removes only what the profile brought. */
  readonly origin?: "profile" | "user";
  readonly paused?: boolean;
  /** File indexes to download; all if not given. */
  readonly select?: readonly number[];
  readonly sequential?: boolean;
  /** Peers that the user names, as `host:port`; they pass the egress guard. */
  readonly peers?: readonly string[];
  /** Trackers besides those of the torrent. */
  readonly trackers?: readonly string[];
  /** Its trackers may be on loopback and private addresses. */
  readonly allowLocal?: boolean;
  /** What to do with data that is already there: `resume` trusts the saved state, `check` hashes it, `trust` takes it as complete. */
  readonly existing?: "resume" | "check" | "trust";
  /** It may overwrite files that stand where its own go and aren't its own. Without it, it fails and names them. */
  readonly force?: boolean;
  /** Its files are never written to: it seeds what is there, and fails where something that is wanted is not. */
  readonly readOnly?: boolean;
  /** Its files are read through symlinks, wherever they lead; only with `readOnly`. */
  readonly followLinks?: boolean;
  readonly limits?: SwarmLimits;
}

/** Limits of one swarm; absent is unlimited. */
export interface SwarmLimits {
  /** Bytes per second. */
  readonly down?: number;
  readonly up?: number;
  /** Stop seeding at this ratio of uploaded to size. */
  readonly ratio?: number;
  /** Stop seeding after this many milliseconds. */
  readonly seedTime?: number;
}

/** Changes to a running swarm; absent keys stay as they are. */
export interface UpdateSwarm {
  readonly paused?: boolean;
  readonly select?: readonly number[];
  /** File index to priority: 0 skips, 1 is low, 4 normal, 7 high. */
  readonly priorities?: Readonly<Record<number, number>>;
  readonly sequential?: boolean;
  /** Trackers to add to those that it has. */
  readonly trackers?: readonly string[];
  /** Its trackers may be on loopback and private addresses. */
  readonly allowLocal?: boolean;
  /** Begin anew, and overwrite the files that stand in its way. */
  readonly force?: boolean;
  /** A key that is there and undefined (over the control socket null) lifts that limit. */
  readonly limits?: SwarmLimits;
}

/** What a swarm is doing. */
export type SwarmState =
  | "metadata"
  | "checking"
  | "downloading"
  | "seeding"
  | "finished"
  | "held"
  | "paused"
  | "failed";

/** One file of a swarm. */
export interface FileSnapshot {
  readonly path: string;
  readonly length: number;
  /** Verified bytes. */
  readonly done: number;
  readonly priority: number;
}

/** One peer of a swarm. */
export interface PeerSnapshot {
  readonly address: string;
  readonly source: string;
  readonly transport: string;
  readonly encryption: string;
  readonly incoming: boolean;
  readonly client: string;
  /** The share of the torrent that it has, 0 to 1. */
  readonly progress: number;
  readonly amChoking: boolean;
  readonly amInterested: boolean;
  readonly peerChoking: boolean;
  readonly peerInterested: boolean;
  readonly snubbed: boolean;
  readonly down: number;
  readonly up: number;
  readonly downloaded: number;
  readonly uploaded: number;
  /** Blocks asked for and not yet there. */
  readonly requested: number;
}

/** One swarm. */
export interface SwarmSnapshot {
  /** Hex; what commands call it. */
  readonly id: string;
  readonly name: string;
  readonly state: SwarmState;
  readonly error?: string;
  /** Why it is held. */
  readonly held?: string;
  /** The files that it failed for: they stand where its own go, and it may not overwrite them without `force`. */
  readonly obstacles?: readonly string[];
  readonly origin: "profile" | "user";
  readonly path: string;
  readonly private: boolean;
  readonly sequential: boolean;
  /** Total bytes, and what of them is wanted, verified, and verified among the wanted. */
  readonly length: number;
  readonly wanted: number;
  readonly done: number;
  readonly wantedDone: number;
  /** The share of a running check that is done, 0 to 1. */
  readonly checked?: number;
  readonly pieces: number;
  readonly piecesDone: number;
  readonly pieceLength: number;
  readonly down: number;
  readonly up: number;
  /** Payload bytes since it was added. */
  readonly downloaded: number;
  readonly uploaded: number;
  /** Bytes that were downloaded and thrown away: failed pieces and duplicates. */
  readonly wasted: number;
  readonly ratio: number;
  /** Milliseconds to completion at the present rate. */
  readonly eta?: number;
  readonly connected: number;
  readonly candidates: number;
  readonly seeds: number;
  readonly trackers: readonly TrackerStatus[];
}

/** One source of blocks of a swarm that is no peer, such as a web seed. */
export interface SourceSnapshot {
  /** Without credentials. */
  readonly url: string;
  readonly kind: SourceKind;
  /** The entry that fetches from it. */
  readonly plugin: string;
  /** `waiting`: left alone until `retryAt`; `failed`: of no further use. */
  readonly state: "working" | "waiting" | "failed";
  readonly error?: string;
  /** Wall-clock milliseconds. */
  readonly retryAt?: number;
  readonly down: number;
  readonly downloaded: number;
  /** Bytes asked for and not yet there. */
  readonly requested: number;
}

/** One swarm with everything about it. */
export interface SwarmDetail extends SwarmSnapshot {
  readonly files: readonly FileSnapshot[];
  readonly peers: readonly PeerSnapshot[];
  readonly sources: readonly SourceSnapshot[];
  /** Hex of the bitfield of verified pieces. */
  readonly bitfield: string;
  /** How many connected peers have each piece. */
  readonly availability: readonly number[];
}

/** One entry of the profile's plugin list. */
export interface PluginSnapshot {
  readonly name: string;
  readonly use: string;
  /** `quarantined`: left out after repeated faults. `retiring`: replaced or removed, and something it gave is in use. */
  readonly state: "running" | "quarantined" | "retiring";
  readonly isolate: "none" | "worker" | "process";
  /** The configuration that it came with, counted from 1. */
  readonly generation: number;
  /** Until when it is quarantined. */
  readonly until?: number;
  /** Streams and other things that it gave and that are in use. */
  readonly holds: number;
  /** Calls, failures and milliseconds, by hook. */
  readonly hooks: readonly {
    readonly hook: string;
    readonly calls: number;
    readonly failures: number;
    readonly time: number;
  }[];
  readonly lastError?: string;
}

/** The whole runtime at one moment. `sequence` is that of the last event it includes. */
export interface RuntimeSnapshot {
  readonly sequence: number;
  readonly version: string;
  readonly started: number;
  /** Counts the configurations that were committed, from 1. */
  readonly generation: number;
  readonly listening: readonly string[];
  readonly down: number;
  readonly up: number;
  readonly connections: number;
  /** Bytes held by each buffer pool. */
  readonly memory: Readonly<Record<string, number>>;
  readonly swarms: readonly SwarmSnapshot[];
  readonly plugins: readonly PluginSnapshot[];
}

/** Something that happened. `sequence` counts from 1 without gaps. */
export interface RuntimeEvent {
  readonly sequence: number;
  readonly time: number;
  /** A hook's name (`piece.verified`, `swarm.completed`, …), `log`, or `gap` when events were lost to a slow reader. */
  readonly event: string;
  readonly swarm?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One difference between what runs and a profile. */
export interface PlanChange {
  /** `replace` starts an entry anew beside the old one, and retires that; `change` alters what goes on running. */
  readonly action: "add" | "remove" | "replace" | "change";
  /** What it is about: `plugin dht`, `swarm debian.iso`, `limits.down`, `listen`, `egress.allow`, `order of plugins`. */
  readonly what: string;
  /** What of it changed, as people read it: `with.every: 5m to 10m`, `its code`. */
  readonly why?: string;
}

/** What a reload would do, or did; without changes, nothing. */
export interface ReloadPlan {
  readonly changes: readonly PlanChange[];
}

/** A file of a swarm that is read, also while it downloads: what is read next is fetched first. Dispose of it. */
export interface SwarmFile extends Disposable {
  /** Its path in the torrent, below the torrent's own folder. */
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  /**
   * Fills `into` from `position` on, as far as a piece goes, once that piece is there and verified.
   *
   * @returns how many bytes it read; 0 at the file's end
   * @throws {CommandError} when the swarm neither downloads nor seeds
   */
  read(position: number, into: Uint8Array, signal?: AbortSignal): Promise<number>;
}

/** A running Weft. Commands throw {@link CommandError} when they can't be carried out. */
export interface Runtime {
  add(request: AddSwarm): Promise<SwarmSnapshot>;
  /** Removes the swarm; its files stay unless `deleteData`. */
  remove(id: string, options?: { readonly deleteData?: boolean }): Promise<void>;
  update(id: string, change: UpdateSwarm): Promise<SwarmSnapshot>;
  /** Hashes all data again; resolves when it begins. */
  recheck(id: string): Promise<void>;
  addPeers(id: string, peers: readonly string[]): Promise<void>;
  /** Announces to all trackers now. */
  announce(id: string): Promise<void>;
  /**
   * Opens file `index` for reading; one that was not wanted is wanted from now on.
   *
   * @throws {CommandError} when there is no such file, or the metadata is not known yet
   */
  openFile(id: string, index: number): Promise<SwarmFile>;
  /**
   * What {@link Runtime.reload} would change.
   *
   * @throws {ConfigError} when a setting can't change while Weft runs, with its place
   */
  plan(settings: Settings): Promise<ReloadPlan>;
  /**
   * Makes these settings what runs: starts what is new beside what runs, swaps in one go, retires what is old. What is
   * the same is not touched. Reloads follow one another.
   *
   * @throws {ConfigError} with every mistake; what runs is exactly as it was then
   */
  reload(settings: Settings): Promise<ReloadPlan>;
  snapshot(): RuntimeSnapshot;
  /** @throws {CommandError} when there is no such swarm; a unique prefix of the id will do */
  swarm(id: string): SwarmDetail;
  /** Calls `listener` with every event after `since` (now if not given). A slow listener is not waited for. */
  subscribe(listener: (event: RuntimeEvent) => void, since?: number): Disposable;
  /** Stops: announces `stopped`, closes peers, saves state, retires plugins; within ten seconds, whatever hangs. */
  stop(): Promise<void>;
}
