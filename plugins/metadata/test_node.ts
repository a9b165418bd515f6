/** A node that speaks `ut_metadata` in simulated time, over streams that are cut anywhere. For tests. @module */
import type { ByteStream, Clock, ConnectedPeer, PeerAddress, TorrentId, WireExtension } from "weft";
import { peerAddress } from "weft";
import { type MemoryHost, SeededRandom, type Simulation, type WatchedHost, watchHost } from "weft/testing";
import { PeerMachine, type PeerMachineEvents } from "../../core/swarm/session/machine.ts";
import {
  type ExtensionsSwarm,
  type ProvidedExtension,
  SessionExtensions,
} from "../../core/swarm/session/extensions.ts";
import { MetadataExchange } from "./exchange.ts";

const PORT = 6881;
// Messages that wait so long (ms) leave together.
const MOST_DELAY = 50;
// Bytes that a read takes at most: one of these for each session.
const READS = [40, 2_000, 16 * 1024];

/** A node's part in a seed. */
export interface NodeOptions {
  readonly name: string;
  readonly id: TorrentId;
  /** What it has, or says that it has. */
  readonly metadata?: Uint8Array;
  /** How it speaks; as the plugin does if not given. */
  readonly extension?: (clock: Clock) => WireExtension["join"];
}

/** One node, its sessions, and all that it opened. */
export class TestNode implements ExtensionsSwarm {
  readonly name: string;
  readonly id: TorrentId;
  readonly private = false;
  readonly uploadOnly = false;
  readonly listenPort = PORT;
  readonly extensions: readonly ProvidedExtension[];
  readonly exchange: MetadataExchange;
  readonly watched: WatchedHost;
  readonly sessions = new Set<TestSession>();
  /** What must not happen, in words. */
  readonly faults: string[] = [];
  /** Those whom it closed since they broke the protocol: their IPs, and what they did. */
  readonly blamed = new Map<string, Error>();
  metadata: Uint8Array | undefined;
  /** It hears nothing any more, and says so to nobody. */
  deaf = false;
  readonly #host: MemoryHost;
  readonly #closing = new AbortController();

  constructor(readonly simulation: Simulation, readonly random: SeededRandom, options: NodeOptions) {
    this.name = options.name;
    this.id = options.id;
    this.metadata = options.metadata;
    this.#host = simulation.host(options.name);
    this.watched = watchHost(this.#host);
    const { clock } = this.watched.host;
    const quiet = (): void => {};
    this.exchange = new MetadataExchange({ clock, log: { debug: quiet, info: quiet, warn: quiet, error: quiet } });
    const join = options.extension?.(simulation.clock) ?? ((peer) => this.exchange.join(peer));
    this.extensions = [{ name: "ut_metadata", plugin: "metadata", provided: { bringsMetadata: true, join } }];
  }

  get ip(): string {
    return this.#host.ip;
  }

  /** Accepts until it is closed. */
  async listen(): Promise<void> {
    const listener = await this.watched.host.net.listen({ ip: "0.0.0.0", port: PORT });
    this.#closing.signal.addEventListener("abort", () => listener.close());
    try {
      for (;;) this.#meet(await listener.accept(), true);
    } catch { /* closed */ }
  }

  /** Connects to another node. */
  async dial(to: TestNode): Promise<void> {
    try {
      this.#meet(await this.watched.host.net.connect(peerAddress(to.ip, PORT)), false);
    } catch { /* it is gone */ }
  }

  /** It has metadata from now on, or other, and says so. */
  learn(metadata: Uint8Array): void {
    this.metadata = metadata;
    for (const session of this.sessions) session.greet();
  }

  /** Every connection ends. */
  leave(): void {
    for (const session of [...this.sessions]) session.close();
  }

  /** For good. */
  close(): void {
    this.#closing.abort();
    this.leave();
  }

  dialNow(): void {}

  connectedPeers(): readonly ConnectedPeer[] {
    return [];
  }

  found(): void {}

  extensionFailed(name: string, error: Error): void {
    this.faults.push(`${name} failed at ${this.name}: ${error.stack}`);
  }

  #meet(stream: ByteStream, incoming: boolean): void {
    if (this.#closing.signal.aborted) return stream.close();
    void new TestSession(this, stream, incoming).run();
  }
}

/** One end of a connection. */
export class TestSession {
  readonly machine: PeerMachine;
  readonly transport = "tcp";
  readonly #extensions: SessionExtensions;
  readonly #random: SeededRandom;
  readonly #reads: number;
  readonly #delay: number;
  #sending = false;
  #closed = false;

  constructor(readonly node: TestNode, readonly stream: ByteStream, readonly incoming: boolean) {
    this.#random = node.random;
    this.#reads = READS[this.#random.below(READS.length)];
    this.#delay = this.#random.below(2) * this.#random.below(MOST_DELAY);
    const events: Partial<PeerMachineEvents> = {
      extendedHandshake: () => this.#extensions.peerHandshake(),
      extensionMessage: (name, payload) => this.#extensions.message(name, payload),
    };
    // No other messages are sent but keep-alives.
    this.machine = new PeerMachine({ fast: true, extended: true, events: events as PeerMachineEvents });
    this.#extensions = new SessionExtensions(node, this);
  }

  get address(): PeerAddress {
    return this.stream.remote;
  }

  get dialAddress(): undefined {
    return undefined;
  }

  /** Says hello, and hears the other until one of them ends. */
  async run(): Promise<void> {
    this.node.sessions.add(this);
    this.greet();
    const into = new Uint8Array(this.#reads);
    try {
      while (!this.node.deaf) {
        const got = await this.stream.read(into.subarray(0, 1 + this.#random.below(into.length)));
        if (got === 0) return this.close();
        this.machine.receive(this.node.simulation.now, into.subarray(0, got));
        this.flush();
      }
    } catch (error) {
      this.close(error as Error);
    }
  }

  greet(): void {
    this.#extensions.greet();
    this.flush();
  }

  /** Sends what waits, perhaps with what comes soon. */
  flush(): void {
    if (this.#closed || this.#sending || this.machine.pending === 0) return;
    this.#sending = true;
    if (this.#delay === 0) return void this.#send();
    this.node.simulation.clock.after(this.#random.below(this.#delay), () => void this.#send());
  }

  close(reason?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    if (reason?.name === "ProtocolError") this.node.blamed.set(this.address.ip, reason);
    else if (reason && reason.name !== "NetError") this.node.faults.push(`${this.node.name} failed: ${reason.stack}`);
    this.node.sessions.delete(this);
    this.stream.close(reason);
    this.#extensions.close();
  }

  async #send(): Promise<void> {
    try {
      while (!this.#closed && this.machine.pending > 0) {
        if (this.#random.below(4) === 0) this.machine.sendKeepAlive();
        const writer = this.machine.pollTransmit();
        await this.stream.write(writer.take());
        this.machine.written(writer, true);
      }
      this.#sending = false;
    } catch (error) {
      this.close(error as Error);
    }
  }
}
