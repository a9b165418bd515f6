/** BEP 10 extensions. @module */
import type { PeerAddress, TorrentId } from "../wire/mod.ts";

/** The session that an extension speaks on. */
export interface ExtensionPeer {
  readonly id: TorrentId;
  readonly address: PeerAddress;
  readonly incoming: boolean;
  /** The name of the transport that it came over. */
  readonly transport: string;
  readonly private: boolean;
  /** Where the peer accepts connections, as far as that is known. */
  listening(): PeerAddress | undefined;
  /** Whether the peer offers another extension, such as `ut_holepunch`. */
  offers(name: string): boolean;
  /** The peers of this swarm that are connected now and can be dialed, this one too; of a private swarm none. */
  connected(): readonly ConnectedPeer[];
  /** The `info` dictionary as its torrent has it, once it is known (BEP 9). */
  metadata(): Uint8Array | undefined;
  /** How many bytes of metadata the peer says that it has; undefined when it didn't say. */
  metadataSize(): number | undefined;
  /**
   * Dials an address soon, before all candidates, over this transport alone: its host dials us at the same time (BEP
   * 55). It must pass as candidates do, and finds room within a few seconds or is forgotten.
   */
  dialNow(address: PeerAddress, transport: string): void;
  /** Names peers: they are admitted with the plugin as their source, and this peer as who named them. */
  found(addresses: readonly PeerAddress[]): void;
  /** Bytes of messages that wait for the peer to read: a lot means that it doesn't. */
  backlog(): number;
  /** Sends a message of this extension; nothing happens if the peer didn't offer it. */
  send(payload: Uint8Array): void;
  /** Closes the session: for peers that break the extension's rules. */
  close(reason: Error): void;
}

/** A connected peer, as others may be told of it. */
export interface ConnectedPeer {
  /** Where it accepts connections. */
  readonly address: PeerAddress;
  /** It wants nothing: a seed, or a partial one (BEP 21). */
  readonly uploadOnly: boolean;
  readonly encrypted: boolean;
  readonly transport: string;
  /** We dialed it, so that it can be reached. */
  readonly reachable: boolean;
  /** Whether it offers an extension. */
  offers(name: string): boolean;
}

/** One extension on one session. */
export interface PeerExtension {
  /** The peer's extension handshake arrived, or a further one; `offered` says whether it speaks this extension. */
  peerHandshake?(offered: boolean): void;
  /** A message for this extension; the view is valid during the call. */
  message(payload: Uint8Array): void;
  closed?(): void;
}

/** A BEP 10 extension, and what it is: the kernel goes by that, not by its name. */
export interface WireExtension {
  /** Makes its part of a session, or declines with undefined (it is then not offered to that peer). */
  join(peer: ExtensionPeer): PeerExtension | undefined;
  /** It names peers to peers: it is never offered in private swarms (BEP 27). */
  readonly publicOnly?: boolean;
  /** It hands out the `info` dictionary, whose size our handshake says where it is offered (BEP 9). */
  readonly bringsMetadata?: boolean;
}
