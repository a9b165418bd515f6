/** What hooks that answer are asked, and what they answer. @module */
import type { PeerAddress, TorrentId } from "../wire/mod.ts";
import type { ByteStream } from "./host.ts";

/** What a discovery source is asked. */
export interface DiscoverRequest {
  readonly id: TorrentId;
  /** How many more peers the swarm can use; never less than 1. */
  readonly wanted: number;
  /** The port that this runtime accepts peers on, or 0. */
  readonly port: number;
}

/** A peer that somebody named. The kernel stamps the source: a plugin can't fake it. */
export interface PeerCandidate {
  readonly address: PeerAddress;
  /** The address of who named it, when that was a host on the network: it may not name peers more local than itself. */
  readonly namedBy?: string;
}

/**
 * When filters are asked about addresses.
 *
 * - `candidate`: before they enter a swarm's peer pool, and again for those in it once other filters are there.
 * - `arrival`: somebody connected to us; nothing was read of it yet, so that the swarm is unknown.
 * - `session`: the same peer once its handshake named the swarm, and those of all sessions once other filters are there.
 */
export type AdmitStage = "candidate" | "arrival" | "session";

/** Addresses that want to be peers. */
export interface AdmitRequest {
  readonly stage: AdmitStage;
  /** The swarm; undefined at `arrival`. */
  readonly id?: TorrentId;
  /** Whether it is private: only filters that want `private` are asked. At `arrival`, whether any swarm here is. */
  readonly private: boolean;
  /** Who named them: an entry's name, `tracker:HOST`, or `incoming`. */
  readonly source: string;
  readonly addresses: readonly PeerAddress[];
}

/** Which of them may: one flag an address. */
export type AdmitAnswer = readonly boolean[];

/** A swarm that is about to do something, or does it. */
export interface HoldRequest {
  readonly id: TorrentId;
  readonly name: string;
  readonly private: boolean;
  /** What it would do. */
  readonly doing: "metadata" | "checking" | "downloading" | "seeding";
  /** Where its files are. */
  readonly path: string;
  /** Bytes in all, and what of the wanted ones is missing; 0 while only a magnet is known. */
  readonly length: number;
  readonly left: number;
  /** When it was added: wall-clock milliseconds. */
  readonly added: number;
}

/** A connection about to be made. */
export interface DialRequest {
  readonly id: TorrentId;
  /** Only wraps of plugins that want `private` are asked then. */
  readonly private: boolean;
  readonly address: PeerAddress;
  /** The name of the transport that is tried. */
  readonly transport: string;
  /** How the last connection with this peer was encrypted, if there was one: what it refused needn't be tried again. */
  readonly lastEncryption?: OpenedStream["encryption"];
  readonly signal: AbortSignal;
}

/** A connection that came in, before its handshake. */
export interface AcceptRequest {
  readonly transport: string;
  readonly stream: ByteStream;
  /**
   * The info-hash whose SHA-1 of `req2` and itself this is, of any swarm that is here (message stream encryption's
   * SKEY): private ones too, so it must not be told to anybody.
   */
  secretOf(hash: Uint8Array): Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/** A stream ready for the BitTorrent handshake, and what is known of it. */
export interface OpenedStream {
  readonly stream: ByteStream;
  readonly encryption: "none" | "rc4" | "plaintext";
  /** The swarm that the encryption's handshake named (hex), which the BitTorrent handshake must then name too. */
  readonly wireId?: string;
}

/** A DHT node that runs here. */
export interface DhtService {
  /** Its UDP port, 0 while it has none. */
  readonly port: number;
}

/** What this runtime does about encryption: it can, or it takes nothing else. */
export interface StreamSecurity {
  readonly policy: "supported" | "required";
}
