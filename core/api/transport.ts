/** Transports: ways to open byte streams to peers. @module */
import type { PeerAddress } from "../wire/mod.ts";
import type { BindAddress, ByteStream } from "./host.ts";
import type { EgressGrant } from "./plugin.ts";

/** A transport that accepts; closing it stops accepting, the streams it gave live on. */
export interface TransportListener {
  readonly address: PeerAddress;
  close(): void;
}

/** A way to reach peers, provided under its name for `transports`. */
export interface Transport {
  /**
   * Opens a stream; rejects when `signal` aborts. The kernel admitted the address: `grant` is its leave for the guard, to
   * be handed to `net.connect` or `udp.open`.
   */
  dial(address: PeerAddress, signal: AbortSignal, grant?: EgressGrant): Promise<ByteStream>;
  /**
   * Listens and hands every stream to `accept` until closed.
   *
   * @throws {Error} when the address is taken, naming it
   */
  listen(at: BindAddress, accept: (stream: ByteStream) => void): Promise<TransportListener>;
}
