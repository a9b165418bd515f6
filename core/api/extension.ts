/** BEP 10 extensions. @module */
import type { PeerAddress, TorrentId } from "../wire/mod.ts";

/** The session that an extension speaks on. */
export interface ExtensionPeer {
  readonly id: TorrentId;
  readonly address: PeerAddress;
  readonly incoming: boolean;
  readonly private: boolean;
  /** Sends a message of this extension; nothing happens if the peer didn't offer it. */
  send(payload: Uint8Array): void;
  /** Closes the session: for peers that break the extension's rules. */
  close(reason: Error): void;
}

/** One extension on one session. */
export interface PeerExtension {
  /** The peer's extension handshake arrived, or a further one; `offered` says whether it speaks this extension. */
  peerHandshake?(offered: boolean): void;
  /** A message for this extension; the view is valid during the call. */
  message(payload: Uint8Array): void;
  closed?(): void;
}

/** Makes the extension's part of a session, or declines with undefined (it is then not offered to that peer). */
export type PeerExtensionFactory = (peer: ExtensionPeer) => PeerExtension | undefined;
