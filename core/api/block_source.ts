/** Sources of blocks that are no peers, such as web servers that have a torrent's files (BEP 17, 19). @module */
import type { Info, TorrentId } from "../wire/mod.ts";
import type { EgressGrant } from "./plugin.ts";

/** Which convention a source's URL follows: that of `url-list` (BEP 19: files by path), or of `httpseeds` (BEP 17). */
export type SourceKind = "url-list" | "httpseeds";

/**
 * A client of one kind of source, provided by URL scheme for `blockSources`. The kernel says what is wanted, keeps the
 * limits, verifies, and blames the source for what is wrong, as it does with peers.
 */
export interface SourceClient {
  /**
   * Fetches what `swarm.take` gives it until `signal` aborts. Settles only when the source is of no further use: rejects
   * with the reason, which the user is shown. It is asked again when the swarm begins anew.
   */
  fetch(swarm: SourceSwarm, signal: AbortSignal): Promise<void>;
}

/** One source of one swarm, as its client sees it. */
export interface SourceSwarm {
  readonly url: URL;
  readonly kind: SourceKind;
  readonly id: TorrentId;
  /** The torrent's files and pieces. Their names are a stranger's: safe in a URL once encoded, nowhere else. */
  readonly info: Info;
  /** What the user allowed this swarm: to be handed to the network. */
  readonly grant?: EgressGrant;
  /**
   * Takes what is to be fetched next, marked as under way here: whole pieces in a row that nobody fetches, as many as
   * `bytes` hold, one at least; what others left undone, where there are none. Several may be under way at once.
   *
   * @returns undefined while there is nothing for this source: see {@link wanted}
   */
  take(bytes: number): SourceRun | undefined;
  /** Resolves when there may be something to take again. Rejects with the signal's reason. */
  wanted(signal: AbortSignal): Promise<void>;
  /** The source has not these bytes of the torrent: pieces that touch them are no longer given to it. */
  lacks(offset: number, length: number): void;
  /** Says how the source fares; shown in snapshots. */
  report(status: SourceStatus): void;
}

/** A row of bytes of the torrent that one source fetches. */
export interface SourceRun {
  /** Where it begins in the torrent's stream of bytes, over all files and pad files. */
  readonly offset: number;
  /** Bytes in all. */
  readonly length: number;
  /** Bytes that came. */
  readonly done: number;
  /** Something of what has not come is still wanted; others may have brought it meanwhile. */
  readonly wanted: boolean;
  /**
   * The bytes that follow those before. They are copied during the call. Wait for what it returns before going on: the
   * disk and the rate limits hold a source back with it.
   *
   * @throws {Error} when the run is over: all came, it was released, or the swarm rests
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Leaves what has not come to others. Twice is fine. */
  release(): void;
}

/** How a source fares. */
export interface SourceStatus {
  /** `waiting`: it is left alone until `retryAt`. */
  readonly state: "working" | "waiting";
  /** Why it waits, as people read it. */
  readonly error?: string;
  /** Wall-clock milliseconds. */
  readonly retryAt?: number;
}
