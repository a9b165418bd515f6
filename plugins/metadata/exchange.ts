/** Drives `ut_metadata` on the sessions of all swarms: fetches for magnets, serves what is known. @module */
import {
  bytesEqual,
  type Clock,
  type ExtensionPeer,
  type Logger,
  type PeerExtension,
  ProtocolError,
  sha1,
  sha256,
  type TorrentId,
} from "weft";
import { decodeMetadataMessage, encodeMetadataMessage, METADATA_PIECE, pieceCount } from "./codec.ts";
import { MetadataFetch } from "./fetch.ts";

// While something is fetched (ms): pieces come by themselves, this only finds what is late.
const POLL_INTERVAL = 500;
// What waits for a peer that doesn't read; more is refused to it, so that it can't fill memory with our answers.
const MAX_BACKLOG = 256 * 1024;
// Answers to one peer in a minute: the largest metadata twice.
const MAX_ANSWERS = 1_024;
const ANSWERS_PERIOD = 60_000;

/** One torrent whose metadata is wanted. */
interface Wanted {
  readonly id: TorrentId;
  readonly fetch: MetadataFetch;
  readonly peers: Set<MetadataPeer>;
  /** Those who wait for it. */
  readonly waiting: Set<(raw: Uint8Array) => void>;
}

/** What {@link MetadataExchange} needs of its plugin. */
export interface ExchangeOptions {
  readonly clock: Clock;
  readonly log: Logger;
}

export class MetadataExchange {
  readonly clock: Clock;
  readonly #log: Logger;
  readonly #wanted = new Map<string, Wanted>();
  #polling = false;

  constructor({ clock, log }: ExchangeOptions) {
    this.clock = clock;
    this.#log = log;
  }

  /** Torrents that somebody waits for, or that connected peers offer: none is left when both are gone. */
  get pending(): number {
    return this.#wanted.size;
  }

  /** The raw `info` dictionary of a torrent, once a peer brought one with the right hash; rejects when `signal` aborts. */
  resolve(id: TorrentId, signal: AbortSignal): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const wanted = this.#wantedOf(id);
      const { waiting } = wanted;
      waiting.add(resolve);
      signal.addEventListener("abort", () => {
        waiting.delete(resolve);
        this.#tidy(id);
        reject(signal.reason);
      }, { once: true });
      this.#poll();
      // It may have become whole while nobody waited.
      void this.#judge(wanted);
    });
  }

  /** The extension's part of one session. */
  join(peer: ExtensionPeer): PeerExtension {
    return new MetadataPeer(this, peer);
  }

  /** A peer offers metadata of this size. */
  offered(peer: MetadataPeer, size: number): void {
    const wanted = this.#wantedOf(peer.id);
    wanted.peers.add(peer);
    wanted.fetch.join(peer, size);
    this.#poll();
  }

  received(peer: MetadataPeer, piece: number, totalSize: number, bytes: Uint8Array): void {
    const wanted = this.#wanted.get(peer.id.key);
    if (!wanted) return;
    wanted.fetch.data(this.clock.now(), peer, piece, totalSize, bytes);
    void this.#judge(wanted);
    this.#request(wanted);
  }

  rejected(peer: MetadataPeer, piece: number): void {
    this.#wanted.get(peer.id.key)?.fetch.reject(this.clock.now(), peer, piece);
  }

  closed(peer: MetadataPeer): void {
    const wanted = this.#wanted.get(peer.id.key);
    if (!wanted?.peers.delete(peer)) return;
    wanted.fetch.leave(peer);
    this.#tidy(peer.id);
  }

  #wantedOf(id: TorrentId): Wanted {
    const known = this.#wanted.get(id.key);
    if (known) return known;
    const wanted = { id, fetch: new MetadataFetch(), peers: new Set<MetadataPeer>(), waiting: new Set<never>() };
    this.#wanted.set(id.key, wanted);
    return wanted;
  }

  #tidy(id: TorrentId): void {
    const wanted = this.#wanted.get(id.key);
    if (wanted && wanted.peers.size === 0 && wanted.waiting.size === 0) this.#wanted.delete(id.key);
  }

  /** Asks now and then, for as long as somebody waits. */
  #poll(): void {
    if (this.#polling) return;
    const waiting = [...this.#wanted.values()].filter((wanted) => wanted.waiting.size > 0);
    for (const wanted of waiting) this.#request(wanted);
    if (waiting.length === 0) return;
    this.#polling = true;
    this.clock.after(POLL_INTERVAL, () => {
      this.#polling = false;
      this.#poll();
    });
  }

  #request({ fetch, waiting }: Wanted): void {
    if (waiting.size === 0) return;
    for (const { peer, piece } of fetch.poll(this.clock.now())) (peer as MetadataPeer).request(piece);
  }

  async #judge(wanted: Wanted): Promise<void> {
    const { fetch, id, waiting } = wanted;
    if (waiting.size === 0) return;
    for (let candidate = fetch.candidate(); candidate; candidate = fetch.candidate()) {
      const right = await this.#matches(id, candidate.bytes);
      for (const liar of fetch.verdict(right)) {
        (liar as MetadataPeer).close(new ProtocolError("Cannot take metadata: its hash is not the torrent's"));
      }
      if (!right) {
        this.#log.debug(`Metadata of ${id.key} from ${candidate.sources.size} peers was wrong`);
        this.#request(wanted);
        continue;
      }
      // Nobody waits any more: who asks again finds it whole, and these peers.
      if (waiting.size === 0) return;
      for (const resolve of waiting) resolve(candidate.bytes);
      waiting.clear();
      this.#wanted.delete(id.key);
      return;
    }
  }

  /** Hashes; what is large waits for its turn first, since it takes milliseconds. */
  async #matches({ v1, v2 }: TorrentId, bytes: Uint8Array): Promise<boolean> {
    if (bytes.length > MAX_BACKLOG) await this.clock.turn();
    return (!v1 || bytesEqual(sha1(bytes), v1.bytes)) && (!v2 || bytesEqual(sha256(bytes), v2));
  }
}

/** One session's part. */
class MetadataPeer implements PeerExtension {
  readonly #exchange: MetadataExchange;
  readonly #peer: ExtensionPeer;
  #answers = 0;
  #answersSince = 0;
  #over = false;

  constructor(exchange: MetadataExchange, peer: ExtensionPeer) {
    this.#exchange = exchange;
    this.#peer = peer;
  }

  get id(): TorrentId {
    return this.#peer.id;
  }

  peerHandshake(offered: boolean): void {
    const size = this.#peer.metadataSize();
    if (!offered || this.#peer.metadata()) return this.#exchange.closed(this);
    // A peer that fetches by itself has none yet, and says so by 0 or by nothing.
    if (size) this.#exchange.offered(this, size);
  }

  message(payload: Uint8Array): void {
    if (this.#over) return;
    const message = decodeMetadataMessage(payload);
    if (message?.type === "request") this.#answer(message.piece);
    else if (message?.type === "reject") this.#exchange.rejected(this, message.piece);
    else if (message) this.#exchange.received(this, message.piece, message.totalSize, message.bytes);
  }

  closed(): void {
    this.#over = true;
    this.#exchange.closed(this);
  }

  request(piece: number): void {
    this.#peer.send(encodeMetadataMessage({ type: "request", piece }));
  }

  close(reason: Error): void {
    this.#peer.close(reason);
  }

  #answer(piece: number): void {
    const raw = this.#peer.metadata();
    if (!raw || !(piece < pieceCount(raw.length)) || this.#busy()) {
      return this.#peer.send(encodeMetadataMessage({ type: "reject", piece }));
    }
    const bytes = raw.subarray(piece * METADATA_PIECE, (piece + 1) * METADATA_PIECE);
    this.#peer.send(encodeMetadataMessage({ type: "data", piece, totalSize: raw.length, bytes }));
  }

  /** Whether the peer asks for more than it may have. */
  #busy(): boolean {
    const now = this.#exchange.clock.now();
    if (now - this.#answersSince > ANSWERS_PERIOD) {
      this.#answersSince = now;
      this.#answers = 0;
    }
    return ++this.#answers > MAX_ANSWERS || this.#peer.backlog() > MAX_BACKLOG;
  }
}
