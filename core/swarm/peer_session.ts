/**
 * One connected peer: drives the peer machine over a byte stream, feeds the store, and serves what the peer asks for.
 *
 * The way of a block: `read` into this session's buffer, the machine parses in place, the store copies the payload
 * once. No promise and no object is made per message.
 *
 * @module
 */
import type {
  ByteStream,
  Clock,
  PeerExtension,
  PeerExtensionFactory,
  PeerSnapshot,
  Random,
  Timer,
} from "../api/mod.ts";
import type { PieceStore } from "../store/types.ts";
import { Bitfield, type ExtendedHandshake, type PeerAddress, ProtocolError, type TorrentId } from "../wire/mod.ts";
import { BLOCK_SIZE, blockSize, type PieceShape } from "./blocks.ts";
import { type BlockRequest, MAX_UPLOAD_QUEUE, PeerMachine, type PeerMachineEvents } from "./peer_machine.ts";
import { clientName } from "./peer_id.ts";
import type { BlockSource, Picker } from "./picker.ts";
import type { Pacer } from "./pacer.ts";
import { type RateLimiter, RateMeter } from "./rate_limit.ts";
import type { ReadBuffers } from "./read_buffers.ts";

/** What a session needs of its swarm. */
export interface SessionSwarm {
  readonly id: TorrentId;
  readonly name: string;
  readonly private: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined while only a magnet is known. */
  readonly shape: PieceShape | undefined;
  readonly store: PieceStore | undefined;
  readonly picker: Picker | undefined;
  /** Blocks are wanted now: not paused, checking or failed. */
  readonly fetching: boolean;
  readonly uploadOnly: boolean;
  readonly downLimit: RateLimiter;
  readonly upLimit: RateLimiter;
  readonly readBuffers: ReadBuffers;
  readonly pacer: Pacer;
  readonly listenPort: number;
  readonly extensions: readonly (readonly [string, PeerExtensionFactory])[];
  readonly sessions: Iterable<PeerSession>;
  /** Resolves when the store takes blocks again. */
  drained(): Promise<void>;
  blockBegan(session: PeerSession, piece: number, block: number): void;
  downloaded(session: PeerSession, bytes: number): void;
  uploaded(session: PeerSession, bytes: number): void;
  wasted(bytes: number): void;
  interestChanged(): void;
  piecesChanged(session: PeerSession): void;
  dhtPort(session: PeerSession, port: number): void;
  /** A plugin's extension failed on a session. */
  extensionFailed(name: string, error: Error): void;
  sessionClosed(session: PeerSession, reason: Error): void;
}

/** How a peer came to be here. */
export interface SessionOrigin {
  readonly stream: ByteStream;
  readonly address: PeerAddress;
  readonly peerId: Uint8Array;
  readonly incoming: boolean;
  readonly transport: string;
  readonly encryption: string;
  readonly source: string;
  readonly fast: boolean;
  readonly extended: boolean;
}

/** A session that ended without anybody's fault. */
export class PeerClosed extends Error {
  override readonly name = "PeerClosed";
}

/** What we are, in the extension handshake's `v`. */
export const CLIENT_VERSION = "Weft 0.1.0";

// How much may be under way from one peer, in time at its present rate: enough for any latency, little to lose.
const PIPELINE_SECONDS = 2;
const MIN_REQUESTS = 16;
// BEP 10's reqq where the peer doesn't say; libtorrent's default.
const DEFAULT_REQQ = 250;
const MAX_REQUESTS = 500;
// Blocks gathered into one socket write, but for the last, so that it fits the buffer that a writer keeps.
const UPLOAD_BATCH = 224 * 1024;
const KEEP_ALIVE_INTERVAL = 90_000;
// security.md: a peer that says nothing for so long is gone.
const IDLE_TIMEOUT = 120_000;
// Asked for blocks and nothing came: others may fetch them (ms).
const REQUEST_TIMEOUT = 20_000;
// Messages that wait for a peer that doesn't read, in bytes: a bitfield, thousands of haves and rejects, and no end of it.
const MAX_PENDING = 1024 * 1024;
// Longest wait for a limit before it is looked at again (ms): it may have changed, or grant nothing at all.
const LIMIT_WAIT = 1_000;

export class PeerSession implements PeerMachineEvents, BlockSource {
  static #keys = 0;
  readonly key: number = ++PeerSession.#keys;
  readonly machine: PeerMachine;
  readonly origin: SessionOrigin;
  readonly down = new RateMeter();
  readonly up = new RateMeter();
  readonly connectedAt: number;
  client: string;
  /** Asked and did not send for long: its blocks are free for others. */
  snubbed = false;
  unchokedSince: number | undefined;
  sentSinceUnchoke = 0;
  /** Pieces that it has and we want. */
  interesting = 0;
  /** Sent or got payload: worth dialing again. */
  useful = false;

  readonly #swarm: SessionSwarm;
  readonly #stream: ByteStream;
  readonly #extensions = new Map<string, PeerExtension>();
  readonly #picked: number[] = [];
  #closed: Error | undefined;
  #writing = false;
  #lastSent: number;
  #uploadTimer: Timer | undefined;
  #wakeReader: (() => void) | undefined;

  constructor(swarm: SessionSwarm, origin: SessionOrigin) {
    this.#swarm = swarm;
    this.#stream = origin.stream;
    this.origin = origin;
    this.client = clientName(origin.peerId);
    this.connectedAt = this.#lastSent = swarm.clock.now();
    this.machine = new PeerMachine({
      shape: swarm.shape,
      fast: origin.fast,
      extended: origin.extended,
      events: this,
    });
    this.machine.lastReceived = this.connectedAt;
  }

  get address(): PeerAddress {
    return this.origin.address;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Begins: sends the first messages, and reads until closed. */
  start(): void {
    if (this.machine.extendedProtocol) this.#greet();
    // BEP 6 wants to hear something, also while only a magnet is known.
    this.machine.sendPieces(this.#swarm.store?.have ?? new Bitfield(0));
    this.flush();
    void this.#readLoop();
  }

  /** Ends the session. The first reason stays. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#uploadTimer?.cancel();
    this.#wakeReader?.();
    this.#stream.close(reason);
    for (const [name, extension] of this.#extensions) this.#contain(name, () => extension.closed?.());
    this.#extensions.clear();
    this.machine.abandon();
    this.#swarm.sessionClosed(this, reason);
  }

  /** The metadata became known: what the peer said before counts now, and it hears what we have. */
  learnShape(shape: PieceShape, have: Bitfield): void {
    this.#guard(() => this.machine.learnShape(shape));
    for (const piece of have.iterate()) this.machine.sendHave(piece);
    this.flush();
  }

  /** Once a second or so: keep-alives and timeouts. */
  tick(now: number): void {
    const { machine } = this;
    if (now - machine.lastReceived > IDLE_TIMEOUT) return this.close(new PeerClosed("nothing came for 2 minutes"));
    if (now - this.#lastSent > KEEP_ALIVE_INTERVAL) {
      machine.sendKeepAlive();
      this.flush();
    }
    const oldest = machine.oldestRequest();
    if (oldest !== undefined && now - Math.max(oldest, machine.lastBlock) > REQUEST_TIMEOUT) {
      this.snubbed = true;
      machine.giveUpRequests();
    }
  }

  /** Asks for as many blocks as the link can use. */
  refill(now: number): void {
    const { machine } = this;
    const { picker } = this.#swarm;
    if (!picker || this.#closed || !machine.amInterested || !this.#swarm.fetching) return;
    const depth = this.#depth(now);
    // In batches: one write carries many requests.
    if (machine.requested > depth * 3 / 4) return;
    const picked = this.#picked;
    picked.length = 0;
    const room = depth - machine.requested;
    if (!machine.peerChoking) picker.pick(this, room, now, picked);
    else if (!picker.sequential) {
      for (const piece of machine.peerAllowsFast) {
        if (picked.length / 2 >= room) break;
        picker.pickFrom(this, piece, room - picked.length / 2, picked);
      }
    }
    for (let i = 0; i < picked.length; i += 2) machine.sendRequest(now, picked[i], picked[i + 1]);
    if (picked.length > 0) this.flush();
  }

  /** Sends what waits, if nothing is being sent already. */
  flush(): void {
    if (this.#closed) return;
    if (this.machine.pending > MAX_PENDING) {
      return this.close(new ProtocolError(`It does not read: ${this.machine.pending} bytes wait for it`));
    }
    if (this.#writing) return;
    if (this.machine.pending > 0 || this.machine.uploads.length > 0) void this.#writeLoop();
  }

  /** Tells the peer whether we want something of it. */
  updateInterest(): void {
    const interested = this.interesting > 0 && this.#swarm.fetching;
    this.machine.setInterested(interested);
  }

  setChoking(choking: boolean, now: number): void {
    if (choking === this.machine.amChoking) return;
    this.machine.setChoking(choking);
    this.unchokedSince = choking ? undefined : now;
    this.sentSinceUnchoke = 0;
    this.flush();
  }

  /** Sends a further extension handshake: the set of extensions, or what it says of us, changed. */
  renewExtensions(): void {
    if (this.machine.extendedProtocol && !this.#closed) this.#greet();
    this.flush();
  }

  snapshot(now: number): PeerSnapshot {
    const { machine } = this;
    const pieces = machine.peerPieces;
    return {
      address: this.address.key,
      source: this.origin.source,
      transport: this.origin.transport,
      encryption: this.origin.encryption,
      incoming: this.origin.incoming,
      client: this.client,
      progress: pieces.length === 0 ? 0 : pieces.count / pieces.length,
      amChoking: machine.amChoking,
      amInterested: machine.amInterested,
      peerChoking: machine.peerChoking,
      peerInterested: machine.peerInterested,
      snubbed: this.snubbed,
      down: this.down.rate(now),
      up: this.up.rate(now),
      downloaded: this.down.total,
      uploaded: this.up.total,
      requested: machine.requested,
    };
  }

  // As a source of blocks.

  has(piece: number): boolean {
    return this.machine.peerPieces.has(piece);
  }

  get complete(): boolean {
    const pieces = this.machine.peerPieces;
    return pieces.length > 0 && pieces.full;
  }

  rate(now: number): number {
    return this.down.rate(now);
  }

  hasRequested(piece: number, block: number): boolean {
    return this.machine.hasRequested(piece, block);
  }

  cancel(piece: number, block: number): void {
    this.machine.sendCancel(piece, block);
    this.flush();
  }

  // What the machine tells.

  peerPiecesChanged(before: Bitfield): void {
    if (this.#closed) return;
    const { picker } = this.#swarm;
    if (picker) {
      picker.removeSource(before);
      picker.addSource(this.machine.peerPieces);
      this.interesting = picker.interesting(this.machine.peerPieces);
    }
    this.updateInterest();
    this.#swarm.piecesChanged(this);
  }

  peerHas(piece: number): void {
    const { picker } = this.#swarm;
    // The rest of a read is still parsed after a close.
    if (!picker || this.#closed) return;
    picker.sourceHas(piece, this.machine.peerPieces);
    if (picker.wants(piece)) {
      this.interesting++;
      this.updateInterest();
    }
    if (this.complete) this.#swarm.piecesChanged(this);
  }

  peerInterest(): void {
    this.#swarm.interestChanged();
  }

  choked(): void {}

  unchoked(): void {
    this.snubbed = false;
  }

  blockBegins(piece: number, block: number, late: boolean): boolean {
    const picker = this.#swarm.picker!;
    if (this.#closed || !picker.wantsBlock(piece, block)) return false;
    if (late) picker.claim(piece, block);
    this.#swarm.blockBegan(this, piece, block);
    return true;
  }

  blockBytes(piece: number, begin: number, bytes: Uint8Array): void {
    this.#swarm.store!.write(piece, begin, bytes);
  }

  blockEnds(piece: number, block: number, wanted: boolean): void {
    const length = blockSize(this.#swarm.shape!, piece, block);
    this.down.add(this.machine.lastReceived, length);
    this.snubbed = false;
    if (!wanted) return this.#swarm.wasted(length);
    this.useful = true;
    this.#swarm.downloaded(this, length);
    this.#swarm.picker!.received(piece, block, this.#swarm.sessions, this);
  }

  requestLost(piece: number, block: number, rejected: boolean): void {
    // Asking it at once would bring the next rejection at once.
    if (rejected) this.snubbed = true;
    this.#swarm.picker?.release(piece, block, this.key);
  }

  unrequested(length: number): void {
    this.#swarm.wasted(length);
  }

  uploadWanted(): void {}

  allowedFast(): void {}

  dhtPort(port: number): void {
    this.#swarm.dhtPort(this, port);
  }

  extendedHandshake(handshake: ExtendedHandshake): void {
    if (handshake.v) this.client = printable(handshake.v);
    for (const [name, extension] of this.#extensions) {
      this.#contain(name, () => extension.peerHandshake?.(this.machine.peerOffers(name)));
    }
  }

  extensionMessage(name: string, payload: Uint8Array): void {
    this.#contain(name, () => this.#extensions.get(name)?.message(payload));
  }

  /** How many requests fill the link: what came in two seconds, within what the peer queues. */
  #depth(now: number): number {
    if (this.snubbed) return 1;
    const byRate = Math.ceil(this.down.rate(now) * PIPELINE_SECONDS / BLOCK_SIZE);
    const most = Math.min(this.machine.peerHandshake?.reqq ?? DEFAULT_REQQ, MAX_REQUESTS);
    return Math.max(1, Math.min(most, Math.max(MIN_REQUESTS, byRate)));
  }

  async #readLoop(): Promise<void> {
    const { clock, readBuffers, downLimit, pacer } = this.#swarm;
    let buffer = readBuffers.take(false);
    try {
      while (!this.#closed) {
        if (this.#swarm.store?.backlog) await this.#swarm.drained();
        const large = this.machine.requested > 0;
        if (large !== (buffer.length > readBuffers.small)) {
          readBuffers.give(buffer);
          buffer = readBuffers.take(large);
        }
        let granted = downLimit.take(clock.now(), buffer.length, Math.min(buffer.length, BLOCK_SIZE));
        while (granted === 0 && !this.#closed) {
          await this.#until(downLimit.nextAt(clock.now(), BLOCK_SIZE));
          granted = downLimit.take(clock.now(), buffer.length, Math.min(buffer.length, BLOCK_SIZE));
        }
        if (this.#closed) break;
        const got = await this.#stream.read(granted < buffer.length ? buffer.subarray(0, granted) : buffer);
        if (got < granted) downLimit.giveBack(granted - got);
        if (this.#closed) break;
        if (got === 0) throw new PeerClosed("the peer closed the connection");
        const now = clock.now();
        this.machine.receive(now, buffer.subarray(0, got));
        // One that snubs us is asked again with the next tick.
        if (!this.snubbed) this.refill(now);
        this.flush();
        const turn = pacer.pace();
        if (turn) await turn;
      }
    } catch (error) {
      this.close(asError(error));
    } finally {
      readBuffers.give(buffer);
    }
  }

  async #writeLoop(): Promise<void> {
    this.#writing = true;
    const { machine } = this;
    try {
      while (!this.#closed) {
        const writer = machine.pollTransmit();
        const payload = machine.uploads.length > 0 ? await this.#addBlocks(writer) : 0;
        if (writer.length === 0) {
          machine.written(writer, true);
          if (machine.pending > 0) continue;
          break;
        }
        await this.#stream.write(writer.take());
        const now = this.#lastSent = this.#swarm.clock.now();
        if (payload > 0) {
          this.useful = true;
          this.sentSinceUnchoke += payload;
          this.up.add(now, payload);
          this.#swarm.uploaded(this, payload);
        }
        const turn = this.#swarm.pacer.pace();
        if (turn) await turn;
        machine.written(writer, writer.length <= 4096 || machine.uploads.length > 0);
      }
    } catch (error) {
      this.close(asError(error));
    } finally {
      this.#writing = false;
    }
  }

  /** Appends blocks that the peer asked for, as many as one write should carry and the limit allows. Returns payload bytes. */
  async #addBlocks(writer: ReturnType<PeerMachine["pollTransmit"]>): Promise<number> {
    const { machine } = this;
    const { store, upLimit, clock } = this.#swarm;
    const batch: BlockRequest[] = [];
    let payload = 0;
    while (machine.uploads.length > 0 && payload < UPLOAD_BATCH) {
      const request = machine.uploads[0];
      if (!store?.have.has(request.piece)) {
        machine.uploads.shift();
        machine.refuse(request);
        continue;
      }
      const granted = upLimit.take(clock.now(), request.length, request.length);
      if (granted === 0) {
        this.#uploadLater(upLimit.nextAt(clock.now(), request.length));
        break;
      }
      // A block larger than the limit can hold at once is owed.
      if (granted < request.length) upLimit.giveBack(granted - request.length);
      machine.uploads.shift();
      batch.push(request);
      payload += request.length;
    }
    writer.ensure(payload + batch.length * 13);
    for (const { piece, begin, length } of batch) {
      writer.blockHeader(piece, begin, length);
      const reading = store!.read(piece, begin, writer.reserve(length));
      if (reading !== true) await reading;
    }
    return payload;
  }

  #uploadLater(at: number): void {
    this.#uploadTimer?.cancel();
    this.#uploadTimer = this.#swarm.clock.after(this.#wait(at), () => this.flush());
  }

  #wait(at: number): number {
    return Math.min(LIMIT_WAIT, Math.max(1, at - this.#swarm.clock.now()));
  }

  /** Waits until `at` but not for long, or until closed. */
  #until(at: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#swarm.clock.after(this.#wait(at), resolve);
      this.#wakeReader = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Sends the extension handshake with the extensions that there are now. */
  #greet(): void {
    const wanted = new Map(this.#swarm.extensions);
    const ids = new Map<string, number>();
    for (const [name, extension] of this.#extensions) {
      if (wanted.has(name)) continue;
      this.#contain(name, () => extension.closed?.());
      this.#extensions.delete(name);
      ids.set(name, 0);
    }
    let id = 0;
    for (const [name, factory] of wanted) {
      id++;
      if (!this.#extensions.has(name)) {
        const extension = this.#contain(name, () => factory(this.#facade(name)));
        if (!extension) continue;
        this.#extensions.set(name, extension);
      }
      ids.set(name, id);
    }
    this.machine.sendExtendedHandshake({
      m: ids,
      v: CLIENT_VERSION,
      p: this.#swarm.listenPort || undefined,
      reqq: MAX_UPLOAD_QUEUE,
      yourip: this.address.ip,
      uploadOnly: this.#swarm.uploadOnly || undefined,
    });
  }

  /**
   * Calls into an extension. One that finds the peer breaking the protocol closes it; one that fails otherwise takes no
   * more part in this session.
   */
  #contain<T>(name: string, run: () => T): T | undefined {
    const failed = (error: unknown): undefined => {
      if (error instanceof Error && error.name === "ProtocolError") return void this.close(error);
      this.#extensions.delete(name);
      this.#swarm.extensionFailed(name, asError(error));
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

  #facade(name: string): Parameters<PeerExtensionFactory>[0] {
    return {
      id: this.#swarm.id,
      address: this.address,
      incoming: this.origin.incoming,
      private: this.#swarm.private,
      send: (payload) => {
        this.machine.sendExtension(name, payload);
        this.flush();
      },
      close: (reason) => this.close(reason),
    };
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.close(asError(error));
    }
  }
}

/** What a peer sent as a name, without what could confuse a terminal. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "").slice(0, 64);
}

function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  return new ProtocolError(String(error));
}
