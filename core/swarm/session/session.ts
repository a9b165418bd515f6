/**
 * One connected peer: drives the peer machine over a byte stream, feeds the store, and serves what the peer asks for.
 *
 * The way of a block: `read` into this session's buffer, the machine parses in place, the store copies the payload
 * once. No promise and no object is made per message.
 *
 * @module
 */
import { type ByteStream, type PeerSnapshot, TokenBucket } from "../../api/mod.ts";
import { Bitfield, type ExtendedHandshake, type PeerAddress, peerAddress, ProtocolError } from "../../wire/mod.ts";
import { BLOCK_SIZE, blockSize, type PieceShape } from "../pieces/blocks.ts";
import { clientName } from "../peer_id.ts";
import { type Origin, originOf } from "../peers/crowd.ts";
import { PeerMachine, type PeerMachineEvents } from "./machine.ts";
import { type BlockSource, nextSourceKey, type Picker } from "../pieces/picker.ts";
import { limitWait, type RateLimiter, RateMeter } from "../rate_limit.ts";
import type { ReadBuffers } from "./read_buffers.ts";
import { type ExtensionsSwarm, SessionExtensions } from "./extensions.ts";
import { SessionWriter, type WriterSwarm } from "./writer.ts";

/** What a session needs of its swarm. */
export interface SessionSwarm extends ExtensionsSwarm, WriterSwarm {
  readonly name: string;
  /** Undefined while only a magnet is known. */
  readonly shape: PieceShape | undefined;
  readonly picker: Picker | undefined;
  /** Blocks are wanted now: not paused, checking or failed. */
  readonly fetching: boolean;
  readonly downLimit: RateLimiter;
  readonly readBuffers: ReadBuffers;
  /** All that blocks are asked of, this session too. */
  readonly blockSources: Iterable<BlockSource>;
  /** The UDP port of our DHT node, 0 if it is not to be told. */
  readonly dhtPort: number;
  /** The peer's DHT node. */
  dhtNode(address: PeerAddress): void;
  /** The peer at IP `witness` sees us at `ip`. */
  seenAs(ip: string, witness: string): void;
  /** Resolves when the store takes blocks again. */
  drained(): Promise<void>;
  blockBegan(session: PeerSession, piece: number, block: number): void;
  downloaded(bytes: number, now: number): void;
  uploaded(bytes: number, now: number): void;
  wasted(bytes: number): void;
  interestChanged(): void;
  piecesChanged(session: PeerSession): void;
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
  /** It runs a DHT node. */
  readonly dht: boolean;
}

/** A session that ended without anybody's fault. */
export class PeerClosed extends Error {
  override readonly name = "PeerClosed";
}

// How much may be under way from one peer, in time at its present rate: enough for any latency, little to lose.
const PIPELINE_SECONDS = 2;
const MIN_REQUESTS = 16;
// BEP 10's reqq where the peer doesn't say; libtorrent's default.
const DEFAULT_REQQ = 250;
const MAX_REQUESTS = 500;
const KEEP_ALIVE_INTERVAL = 90_000;
// security.md: a peer that says nothing for so long is gone.
const IDLE_TIMEOUT = 120_000;
// What a peer's messages may cost, in microseconds of work: so much at once, and so much a second. Fifty that use it all up
// take a tenth of a core.
const WORK = { most: 20_000, perSecond: 2_000 };
// A peer that would have to be left alone for longer than this (ms) means no good.
const MAX_REST = 30_000;
// Bytes of payload, either way, that earn a peer another microsecond: one that trades at full speed also says more.
const BYTES_PER_WORK = 256;
// Asked for blocks and nothing came: others may fetch them (ms).
const REQUEST_TIMEOUT = 20_000;

export class PeerSession implements PeerMachineEvents, BlockSource {
  readonly key: number = nextSourceKey();
  readonly machine: PeerMachine;
  readonly origin: SessionOrigin;
  readonly down = new RateMeter();
  readonly up = new RateMeter();
  readonly connectedAt: number;
  /** Who has the peer's address, and on which network. */
  readonly from: Origin;
  client: string;
  /** Asked and did not send for long: its blocks are free for others. */
  snubbed = false;
  unchokedSince: number | undefined;
  sentSinceUnchoke = 0;
  /** Pieces that it has and we want. */
  interesting = 0;
  /** Sent or got payload: worth dialing again. */
  useful = false;
  /** When payload last went either way, or it began. */
  lastUseful: number;

  readonly #swarm: SessionSwarm;
  readonly #stream: ByteStream;
  readonly #extensions: SessionExtensions;
  readonly #writer: SessionWriter;
  readonly #picked: number[] = [];
  readonly #work: TokenBucket;
  #dialAddress: PeerAddress | undefined;
  #closed: Error | undefined;
  #wakeReader: (() => void) | undefined;

  constructor(swarm: SessionSwarm, origin: SessionOrigin) {
    this.#swarm = swarm;
    this.#stream = origin.stream;
    this.origin = origin;
    this.client = clientName(origin.peerId);
    this.from = originOf(origin.address);
    this.connectedAt = this.lastUseful = swarm.clock.now();
    this.#work = new TokenBucket(this.connectedAt, WORK);
    this.machine = new PeerMachine({
      shape: swarm.shape,
      fast: origin.fast,
      extended: origin.extended,
      events: this,
    });
    this.machine.lastReceived = this.connectedAt;
    this.#extensions = new SessionExtensions(swarm, this);
    this.#writer = new SessionWriter(swarm, this.machine, origin.stream, {
      uploaded: (payload, now) => this.#uploaded(payload, now),
      failed: (error) => this.close(asError(error)),
    });
  }

  get address(): PeerAddress {
    return this.origin.address;
  }

  /** Where the peer accepts connections, if that is known: where we dialed it, or the port that it told (BEP 10). */
  get dialAddress(): PeerAddress | undefined {
    if (!this.incoming) return this.address;
    // A further handshake may leave the port out.
    const port = this.machine.peerHandshake?.p ?? this.#dialAddress?.port;
    if (port !== this.#dialAddress?.port) this.#dialAddress = peerAddress(this.address.ip, port!);
    return this.#dialAddress;
  }

  get incoming(): boolean {
    return this.origin.incoming;
  }

  get transport(): string {
    return this.origin.transport;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Begins: sends the first messages, and reads until closed. */
  start(): void {
    this.#extensions.greet();
    // BEP 6 wants to hear something, also while only a magnet is known.
    this.machine.sendPieces(this.#swarm.store?.have ?? new Bitfield(0));
    if (this.origin.dht && this.#swarm.dhtPort > 0) this.machine.sendPort(this.#swarm.dhtPort);
    this.flush();
    void this.#readLoop();
  }

  /** Ends the session. The first reason stays. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#writer.close();
    this.#wakeReader?.();
    this.#stream.close(reason);
    this.#extensions.close();
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
    if (now - this.#writer.lastSent > KEEP_ALIVE_INTERVAL) {
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

  /** Sends what waits. */
  flush(): void {
    this.#writer.flush();
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
    if (this.#closed) return;
    this.#extensions.greet();
    this.flush();
  }

  /** A piece is ours now: the peer hears of it, unless it has it itself. */
  pieceStored(piece: number, wanted: boolean): void {
    if (!this.has(piece)) this.machine.sendHave(piece);
    else if (wanted) {
      this.interesting--;
      this.updateInterest();
    }
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
    this.lastUseful = this.machine.lastReceived;
    this.#work.earn(length / BYTES_PER_WORK);
    this.#swarm.downloaded(length, this.machine.lastReceived);
    this.#swarm.picker!.received(piece, block, this.#swarm.blockSources, this);
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
    this.#swarm.dhtNode(peerAddress(this.address.ip, port));
  }

  extendedHandshake(handshake: ExtendedHandshake): void {
    if (handshake.v) this.client = printable(handshake.v);
    if (handshake.yourip) this.#swarm.seenAs(handshake.yourip, this.address.ip);
    this.#extensions.peerHandshake();
    if (this.machine.peerUploadOnly) this.#swarm.piecesChanged(this);
  }

  extensionMessage(name: string, payload: Uint8Array): void {
    this.#extensions.message(name, payload);
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
          await this.#untilGranted();
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
        this.#work.spend(now, this.machine.takeWork());
        const debt = this.#work.debt(now);
        // Who costs more than it is worth is read more slowly.
        if (debt > MAX_REST) throw new ProtocolError("Its messages cost more than they are worth");
        if (debt > 0) await this.#rest(debt);
        const turn = pacer.pace();
        if (turn) await turn;
      }
    } catch (error) {
      this.close(asError(error));
    } finally {
      readBuffers.give(buffer);
    }
  }

  #uploaded(payload: number, now: number): void {
    this.useful = true;
    this.lastUseful = now;
    this.sentSinceUnchoke += payload;
    this.#work.earn(payload / BYTES_PER_WORK);
    this.up.add(now, payload);
    this.#swarm.uploaded(payload, now);
  }

  /** Waits until the limit has bytes for us, or until closed. */
  #untilGranted(): Promise<void> {
    const { clock, downLimit } = this.#swarm;
    return this.#rest(limitWait(downLimit, clock.now(), BLOCK_SIZE));
  }

  /** Waits so many milliseconds, or until closed. */
  #rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#swarm.clock.after(milliseconds, resolve);
      this.#wakeReader = () => {
        timer.cancel();
        resolve();
      };
    });
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
