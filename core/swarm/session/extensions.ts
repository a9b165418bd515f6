/** The BEP 10 extensions of one session: offers what plugins provide, and takes messages to them. @module */
import type { ConnectedPeer, PeerExtension, TorrentId, WireExtension } from "../../api/mod.ts";
import type { PeerAddress } from "../../wire/mod.ts";
import { MAX_UPLOAD_QUEUE, type PeerMachine } from "./machine.ts";

/** What we are, in the extension handshake's `v`. */
export const CLIENT_VERSION = "Weft 0.1.0";

/** What extensions need of their session's swarm. */
export interface ExtensionsSwarm {
  readonly id: TorrentId;
  readonly private: boolean;
  readonly uploadOnly: boolean;
  readonly listenPort: number;
  /** What plugins provide now. */
  readonly extensions: readonly ProvidedExtension[];
  /** The raw `info` dictionary, once it is known. */
  readonly metadata: Uint8Array | undefined;
  /** A plugin's extension wants an address dialed. */
  dialNow(plugin: string, address: PeerAddress, transport: string, namedBy: string): void;
  /** The connected peers that can be dialed. */
  connectedPeers(): readonly ConnectedPeer[];
  /** A plugin's extension learned of peers from a peer. */
  found(plugin: string, addresses: readonly PeerAddress[], namedBy: string): void;
  extensionFailed(name: string, error: Error): void;
}

/** A BEP 10 extension, and the entry that provides it. */
export interface ProvidedExtension {
  readonly name: string;
  readonly plugin: string;
  readonly provided: WireExtension;
}

/** The session that extensions speak on. */
export interface ExtensionsSession {
  readonly machine: PeerMachine;
  readonly address: PeerAddress;
  /** Where the peer accepts connections, if that is known. */
  readonly dialAddress: PeerAddress | undefined;
  readonly incoming: boolean;
  readonly transport: string;
  flush(): void;
  close(reason: Error): void;
}

export class SessionExtensions {
  readonly #swarm: ExtensionsSwarm;
  readonly #session: ExtensionsSession;
  readonly #running = new Map<string, { readonly provided: WireExtension; readonly extension: PeerExtension }>();
  /** The message ids given so far. One is never given to another extension: messages under way must not reach it. */
  readonly #ids = new Map<string, number>();
  /** What our last handshake said besides the extensions; undefined before the first. */
  #said: string | undefined;

  constructor(swarm: ExtensionsSwarm, session: ExtensionsSession) {
    this.#swarm = swarm;
    this.#session = session;
  }

  /**
   * Sends our extension handshake with the extensions that there are now; a further one only when they changed. An
   * extension that is provided by another value now begins anew.
   */
  greet(): void {
    const { machine, address } = this.#session;
    if (!machine.extendedProtocol) return;
    const wanted = new Map(this.#swarm.extensions.map((each) => [each.name, each]));
    const before = [...this.#running.keys()];
    for (const [name, { provided }] of [...this.#running]) if (wanted.get(name)?.provided !== provided) this.#end(name);
    for (const [name, each] of wanted) {
      if (this.#running.has(name) || !this.#begin(each) || this.#said === undefined) continue;
      // The peer said long ago what it speaks.
      if (machine.peerOffers(name)) this.#call(name, (extension) => extension.peerHandshake?.(true));
    }
    const ids = new Map<string, number>();
    for (const name of before) ids.set(name, 0);
    for (const name of this.#running.keys()) ids.set(name, this.#idOf(name));
    const { uploadOnly } = this.#swarm;
    const same = before.length === this.#running.size && before.every((name) => this.#running.has(name));
    const metadataSize = this.#running.values().some(({ provided }) => provided.bringsMetadata)
      ? this.#swarm.metadata?.length
      : undefined;
    const said = `${uploadOnly} ${metadataSize}`;
    if (same && this.#said === said) return;
    this.#said = said;
    machine.sendExtendedHandshake({
      m: ids,
      v: CLIENT_VERSION,
      p: this.#swarm.listenPort || undefined,
      reqq: MAX_UPLOAD_QUEUE,
      yourip: address.ip,
      metadataSize,
      uploadOnly: uploadOnly || undefined,
    });
  }

  /** The peer's extension handshake came. */
  peerHandshake(): void {
    for (const name of [...this.#running.keys()]) {
      this.#call(name, (extension) => extension.peerHandshake?.(this.#session.machine.peerOffers(name)));
    }
  }

  message(name: string, payload: Uint8Array): void {
    this.#call(name, (extension) => extension.message(payload));
  }

  /** The session is over. */
  close(): void {
    for (const name of [...this.#running.keys()]) this.#end(name);
  }

  /** Makes an extension's part of this session, unless it declines. */
  #begin({ name, plugin, provided }: ProvidedExtension): boolean {
    const { id, private: isPrivate } = this.#swarm;
    const { machine, address, incoming, transport } = this.#session;
    const extension = this.#contain(name, () =>
      provided.join({
        id,
        address,
        incoming,
        transport,
        private: isPrivate,
        offers: (other) => machine.peerOffers(other),
        listening: () => this.#session.dialAddress,
        // Nobody is told who takes part in a private swarm (BEP 27), whatever a plugin does.
        connected: () => this.#swarm.private ? [] : this.#swarm.connectedPeers(),
        metadata: () => this.#swarm.metadata,
        metadataSize: () => machine.peerHandshake?.metadataSize,
        dialNow: (to, transport) => this.#swarm.dialNow(plugin, to, transport, address.ip),
        found: (addresses) => this.#swarm.found(plugin, addresses, address.ip),
        backlog: () => machine.pending,
        send: (payload) => {
          machine.sendExtension(name, payload);
          this.#session.flush();
        },
        close: (reason) => this.#session.close(reason),
      }));
    if (!extension) return false;
    this.#running.set(name, { provided, extension });
    return true;
  }

  #end(name: string): void {
    const running = this.#running.get(name);
    this.#running.delete(name);
    this.#contain(name, () => running?.extension.closed?.());
  }

  #idOf(name: string): number {
    const id = this.#ids.get(name) ?? this.#ids.size + 1;
    this.#ids.set(name, id);
    return id;
  }

  #call(name: string, run: (extension: PeerExtension) => unknown): void {
    const running = this.#running.get(name);
    if (running) this.#contain(name, () => run(running.extension));
  }

  /**
   * Calls into an extension. One that finds the peer breaking the protocol closes it; one that fails otherwise takes no
   * more part in this session.
   */
  #contain<T>(name: string, run: () => T): T | undefined {
    const failed = (error: unknown): undefined => {
      if (error instanceof Error && error.name === "ProtocolError") return void this.#session.close(error);
      this.#running.delete(name);
      this.#swarm.extensionFailed(name, error instanceof Error ? error : new Error(String(error)));
    };
    try {
      const result = run();
      // Nobody waits for it, but a rejection that nobody sees would end the process.
      if (result instanceof Promise) result.catch(failed);
      return result;
    } catch (error) {
      return failed(error);
    }
  }
}
