/** What the kernel's announcer and the tracker clients say to each other. @module */
import type { PeerAddress, TorrentId } from "../wire/mod.ts";
import type { EgressGrant } from "./plugin.ts";

/** The event of an announce (BEP 3); undefined is a regular one. */
export type AnnounceEvent = "started" | "stopped" | "completed";

/** One announce. */
export interface AnnounceRequest {
  readonly url: URL;
  readonly id: TorrentId;
  /** The 20 bytes that name the swarm to this tracker. */
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  readonly port: number;
  /** Bytes since `started`. */
  readonly uploaded: number;
  readonly downloaded: number;
  /** Bytes still wanted. */
  readonly left: number;
  readonly event?: AnnounceEvent;
  readonly wanted: number;
  /** Tells this client to the tracker across changes of its address (BEP 7's `key`). */
  readonly key: number;
  /** What we do about encryption of peers' streams: absent when nothing. */
  readonly encryption?: "supported" | "required";
  /** What the tracker asked to be told back. */
  readonly trackerId?: string;
  /** What the user allowed this swarm's trackers: to be handed to the network. */
  readonly grant?: EgressGrant;
}

/** What a tracker answered. Intervals are milliseconds, as sent: the announcer clamps them. */
export interface AnnounceAnswer {
  readonly peers: readonly PeerAddress[];
  readonly interval?: number;
  readonly minInterval?: number;
  readonly seeders?: number;
  readonly leechers?: number;
  readonly trackerId?: string;
  readonly warning?: string;
  /** BEP 24: the address that the tracker saw us at. */
  readonly externalIp?: string;
  /** The tracker's own address. */
  readonly from?: string;
}

/** One scrape (BEP 48). */
export interface ScrapeRequest {
  readonly url: URL;
  readonly infoHashes: readonly Uint8Array[];
  /** As in {@link AnnounceRequest}. */
  readonly grant?: EgressGrant;
}

/** Scrape figures of one swarm (BEP 48). */
export interface ScrapeAnswer {
  readonly seeders: number;
  readonly leechers: number;
  readonly completed: number;
}

/** A tracker that said no. */
export class TrackerError extends Error {
  override readonly name = "TrackerError";
  /** BEP 31's: milliseconds, or `"never"`. */
  readonly retry?: number | "never";
  /** What it said beside: intervals, peers, a warning. */
  readonly answer?: AnnounceAnswer;
  constructor(message: string, options?: ErrorOptions & { retry?: number | "never"; answer?: AnnounceAnswer }) {
    super(message, options);
    this.retry = options?.retry;
    this.answer = options?.answer;
  }
}

/** A client of one kind of tracker, provided by URL scheme for `trackerClients`. */
export interface TrackerClient {
  /** @throws {TrackerError} when the tracker refuses or can't be understood */
  announce(request: AnnounceRequest, signal: AbortSignal): Promise<AnnounceAnswer>;
  /** Scrapes; the answers stand in the order of `infoHashes`, undefined for those that the tracker doesn't know. */
  scrape?(request: ScrapeRequest, signal: AbortSignal): Promise<readonly (ScrapeAnswer | undefined)[]>;
}

/** What is known of one tracker of one swarm. Times are wall-clock milliseconds. */
export interface TrackerStatus {
  readonly url: string;
  readonly tier: number;
  readonly state: "idle" | "announcing" | "working" | "failed" | "disabled";
  readonly lastAnnounce?: number;
  readonly nextAnnounce?: number;
  readonly seeders?: number;
  readonly leechers?: number;
  readonly peers?: number;
  readonly error?: string;
  readonly warning?: string;
}
