/** What events say. @module */
import type { PeerAddress, TorrentId } from "../wire/mod.ts";

/** A swarm, as events name it. */
export interface SwarmEvent {
  readonly id: TorrentId;
  readonly name: string;
  /** Peers come from its trackers alone (BEP 27): only plugins that want `private` are told. False while unknown. */
  readonly private: boolean;
}

/** A peer of a swarm, as events name it. */
export interface PeerEvent extends SwarmEvent {
  readonly address: PeerAddress;
  readonly incoming: boolean;
  readonly transport: string;
}

/** What became of an entry of the profile. */
export interface PluginStateEvent {
  readonly plugin: string;
  readonly state: "running" | "quarantined";
  /** Why, as people read it. */
  readonly reason: string;
  /** How long it is left out, in milliseconds. */
  readonly backoff?: number;
}

/** A peer that could not be dialed. */
export interface PeerUnreachableEvent extends SwarmEvent {
  readonly address: PeerAddress;
  /** Every transport's reason. */
  readonly error: string;
  /** The IPs of the latest few hosts that named it: they may know a way to it. */
  readonly namedBy: readonly string[];
}

/** A piece of a swarm, as events name it. */
export interface PieceEvent extends SwarmEvent {
  readonly piece: number;
}

/** What a swarm does now. */
export interface SwarmStateEvent extends SwarmEvent {
  readonly state: string;
  /** Why it failed. */
  readonly error?: string;
  /** Why a plugin holds it. */
  readonly held?: string;
}
