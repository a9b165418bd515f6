/**
 * The peer protocol as a pure machine: bytes and a time go in, messages and events come out. BEP 3, the fast extension
 * of BEP 6, the extension protocol of BEP 10 and `upload_only` of BEP 21.
 *
 * @module
 */
import {
  Bitfield,
  decodeExtendedHandshake,
  encodeExtendedHandshake,
  type ExtendedHandshake,
  MessageDecoder,
  type MessageSink,
  MessageWriter,
  ProtocolError,
} from "../../wire/mod.ts";
import { BLOCK_SIZE, blockSize, type PieceShape } from "../pieces/blocks.ts";

/** A request that the peer made of us. Bytes. */
export interface BlockRequest {
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
}

/** What the machine tells its owner, while `receive` or a command runs. Views are valid during the call. */
export interface PeerMachineEvents {
  /** What the peer has changed as a whole (bitfield, have-all, have-none). `before` is what it had. */
  peerPiecesChanged(before: Bitfield): void;
  peerHas(piece: number): void;
  peerInterest(interested: boolean): void;
  choked(): void;
  unchoked(): void;
  /** A block that was asked for begins; `late` if it was given up. Answers whether its bytes are still wanted. */
  blockBegins(piece: number, block: number, late: boolean): boolean;
  blockBytes(piece: number, begin: number, bytes: Uint8Array): void;
  blockEnds(piece: number, block: number, wanted: boolean): void;
  /** A request will not be answered: `rejected` by the peer though it may ask, or dropped by a choke. */
  requestLost(piece: number, block: number, rejected: boolean): void;
  /** Payload that nobody asked for, in bytes. */
  unrequested(length: number): void;
  /** There is something to upload. */
  uploadWanted(): void;
  allowedFast(piece: number): void;
  dhtPort(port: number): void;
  extendedHandshake(handshake: ExtendedHandshake): void;
  extensionMessage(name: string, payload: Uint8Array): void;
}

/** How the machine begins. */
export interface PeerMachineOptions {
  /** Undefined while only a magnet is known. */
  readonly shape?: PieceShape;
  /** Both sides set the fast extension's bit. */
  readonly fast: boolean;
  /** Both sides set the extension protocol's bit. */
  readonly extended: boolean;
  readonly events: PeerMachineEvents;
}

// Requests that a peer may have waiting; also what we announce as reqq. More would only cost memory.
export const MAX_UPLOAD_QUEUE = 500;
// The largest block that a peer may ask for. Clients ask for 16 KiB; some old ones for up to 128.
const MAX_REQUEST_LENGTH = 128 * 1024;
// A frame of a block and its header.
const MAX_FRAME = 256 * 1024;
// BEP 10 messages: metadata pieces are 16 KiB, PEX at most a few KiB; anything larger only fills memory.
const MAX_EXTENDED = 128 * 1024;
// 2^21 pieces, the most a torrent may have: the bound while the number of pieces isn't known.
const MAX_BITFIELD = 256 * 1024;
// Haves kept of a peer while the number of pieces isn't known.
const MAX_EARLY_HAVES = 10_000;
// Allowed-fast and suggested pieces remembered of one peer.
const MAX_ALLOWED_FAST = 100;
// Extensions remembered of one peer, over all its handshakes, and bytes of a name: clients have about ten short ones.
const MAX_EXTENSIONS = 64;
const MAX_EXTENSION_NAME = 64;
// What messages cost to take, in units of about a microsecond: see {@link PeerMachine.takeWork}. Blocks pay for themselves.
const WORK = {
  /** Parsing and a look-up. */
  message: 1,
  /** Another round of interest, or of requests. */
  turn: 10,
  /** A request that comes to nothing: given up, refused, or taken back from a queue of hundreds. */
  request: 10,
  /** What plugins are told. */
  plugin: 50,
  /** An extension handshake goes through every extension. */
  handshake: 150,
} as const;
// Bytes of an extension's message, and pieces of a bitfield, that cost a unit.
const BYTES_PER_UNIT = 32;
const PIECES_PER_UNIT = 100;
// Payload nobody asked for that is forgiven: cancels and timeouts cross answers on the wire.
const MAX_UNREQUESTED = 16 * 1024 * 1024;

/** One peer's protocol state. Not reentrant: commands may be given from inside events, `receive` may not. */
export class PeerMachine implements MessageSink {
  readonly fast: boolean;
  readonly extendedProtocol: boolean;
  amChoking = true;
  amInterested = false;
  peerChoking = true;
  peerInterested = false;
  /** BEP 21: the peer downloads nothing more. */
  peerUploadOnly = false;
  /** The peer's last extension handshake. */
  peerHandshake: ExtendedHandshake | undefined;
  /** What the peer has; empty of length 0 while the number of pieces isn't known. */
  peerPieces = new Bitfield(0);
  /** Pieces that we may ask for while choked (BEP 6). */
  readonly peerAllowsFast = new Set<number>();
  /** Pieces that the peer may ask for while we choke it (BEP 6). */
  readonly weAllowFast = new Set<number>();
  /** Requests that wait to be served, oldest first. */
  readonly uploads: BlockRequest[] = [];
  /** When the last byte came, and when the last block did. */
  lastReceived = 0;
  lastBlock = 0;
  /** Bytes of payload that came though nobody asked. */
  unrequestedBytes = 0;

  #shape: PieceShape | undefined;
  #blocksPerPiece = 0;
  readonly #events: PeerMachineEvents;
  readonly #decoder: MessageDecoder;
  #writer = new MessageWriter();
  #spare: MessageWriter | undefined;
  /** Blocks asked for: key to the time of asking. */
  readonly #requests = new Map<number, number>();
  /** Blocks asked for and given up: others may fetch them, an answer still counts. */
  readonly #late = new Set<number>();
  #now = 0;
  /** The peer spoke: have-all and have-none are only allowed as its first message (BEP 6). */
  #spoke = false;
  #early: { bitfield?: Uint8Array; all?: boolean; haves: number[] } | undefined;
  /** The block whose payload is passing by. */
  #piece = 0;
  #block = 0;
  #begin = 0;
  #wanted = false;
  #inBlock = false;
  #work = 0;
  /** Bytes of allowed pieces that were asked for while we choked. */
  #servedFast = 0;
  /** Our extension ids, by name, and the peer's. */
  readonly #ours = new Map<string, number>();
  readonly #names = new Map<number, string>();
  #theirs: ReadonlyMap<string, number> = new Map();

  constructor(options: PeerMachineOptions) {
    this.fast = options.fast;
    this.extendedProtocol = options.extended;
    this.#events = options.events;
    this.#decoder = new MessageDecoder(this, {
      maxFrame: MAX_FRAME,
      maxBitfield: MAX_BITFIELD,
      maxExtended: MAX_EXTENDED,
    });
    if (options.shape) this.#setShape(options.shape);
  }

  /** Requests under way. */
  get requested(): number {
    return this.#requests.size;
  }

  /** What the messages since the last call cost to take, in units of about a microsecond. */
  takeWork(): number {
    const work = this.#work;
    this.#work = 0;
    return work;
  }

  /** Takes bytes from the peer. Throws ProtocolError when it breaks the protocol: close it then. */
  receive(now: number, bytes: Uint8Array): void {
    this.#now = now;
    this.lastReceived = now;
    this.#decoder.push(bytes);
  }

  /** The number of pieces became known: what the peer said before counts now. Throws ProtocolError if it doesn't fit. */
  learnShape(shape: PieceShape): void {
    this.#setShape(shape);
    const early = this.#early;
    this.#early = undefined;
    if (!early) return;
    const pieces = new Bitfield(
      shape.pieceCount,
      early.bitfield && Bitfield.decode(early.bitfield, shape.pieceCount).bytes,
    );
    if (early.all) pieces.setAll();
    for (const piece of early.haves) {
      this.#checkPiece("have", piece);
      pieces.set(piece);
    }
    this.peerPieces = pieces;
    this.#events.peerPiecesChanged(new Bitfield(shape.pieceCount));
  }

  /** Says what we have, as the first message. */
  sendPieces(have: Bitfield): void {
    if (this.fast && have.full && have.length > 0) this.#writer.haveAll();
    else if (this.fast && have.empty) this.#writer.haveNone();
    else if (!have.empty) this.#writer.bitfield(have.bytes);
  }

  sendHave(piece: number): void {
    this.#writer.have(piece);
  }

  sendPort(port: number): void {
    this.#writer.port(port);
  }

  sendKeepAlive(): void {
    this.#writer.keepAlive();
  }

  sendAllowedFast(piece: number): void {
    if (!this.fast) return;
    this.weAllowFast.add(piece);
    this.#writer.allowedFast(piece);
  }

  setInterested(interested: boolean): void {
    if (interested === this.amInterested) return;
    this.amInterested = interested;
    if (interested) this.#writer.interested();
    else this.#writer.notInterested();
  }

  /** Chokes or unchokes the peer. A choke drops what it asked for, and says so if the peer knows the fast extension. */
  setChoking(choking: boolean): void {
    if (choking === this.amChoking) return;
    this.amChoking = choking;
    if (!choking) {
      this.#writer.unchoke();
      return;
    }
    this.#writer.choke();
    let kept = 0;
    for (const request of this.uploads) {
      if (this.weAllowFast.has(request.piece)) this.uploads[kept++] = request;
      else if (this.fast) this.#writer.reject(request.piece, request.begin, request.length);
    }
    this.uploads.length = kept;
  }

  /** Asks for a block. */
  sendRequest(now: number, piece: number, block: number): void {
    const shape = this.#shape!;
    this.#requests.set(piece * this.#blocksPerPiece + block, now);
    this.#writer.request(piece, block * BLOCK_SIZE, blockSize(shape, piece, block));
  }

  /** Whether this block was asked for and has not come, or not whole. */
  hasRequested(piece: number, block: number): boolean {
    return this.#requests.has(piece * this.#blocksPerPiece + block) ||
      this.#inBlock && this.#piece === piece && this.#block === block;
  }

  /** Takes a request back. The peer may answer all the same; with the fast extension it says which. */
  sendCancel(piece: number, block: number): void {
    const key = piece * this.#blocksPerPiece + block;
    if (!this.#requests.has(key)) return;
    this.#writer.cancel(piece, block * BLOCK_SIZE, blockSize(this.#shape!, piece, block));
    // The block may be on its way already; with BEP 6 a reject comes where it isn't.
    this.#requests.delete(key);
    this.#late.add(key);
  }

  /** Gives up what was asked for, so that others may fetch it; `requestLost` tells of each. It may still be answered. */
  giveUpRequests(): void {
    for (const key of this.#requests.keys()) this.#late.add(key);
    this.#dropRequests();
  }

  /** The connection is gone: nothing more will be answered, nor the end of the block that is half here. */
  abandon(): void {
    this.#late.clear();
    this.#dropRequests();
    if (this.#wanted) this.#events.requestLost(this.#piece, this.#block, false);
    this.#inBlock = this.#wanted = false;
  }

  /** The piece begins anew: what still comes of a block that began before would leave a hole. */
  restartPiece(piece: number): void {
    if (this.#inBlock && this.#piece === piece) this.#wanted = false;
  }

  /** When the oldest block under way was asked for; undefined without one. */
  oldestRequest(): number | undefined {
    for (const askedAt of this.#requests.values()) return askedAt;
    return undefined;
  }

  /** Answers a request with a refusal, or with silence where the peer doesn't know refusals. */
  refuse(request: BlockRequest): void {
    if (this.fast) this.#writer.reject(request.piece, request.begin, request.length);
  }

  /** Sends our extension handshake, the first or a further one; a name with id 0 is withdrawn. */
  sendExtendedHandshake(handshake: ExtendedHandshake): void {
    if (!this.extendedProtocol) return;
    for (const [name, id] of handshake.m) {
      const old = this.#ours.get(name);
      if (old !== undefined && this.#names.get(old) === name) this.#names.delete(old);
      if (id === 0) this.#ours.delete(name);
      else {
        this.#ours.set(name, id);
        this.#names.set(id, name);
      }
    }
    this.#writer.extended(0, encodeExtendedHandshake(handshake));
  }

  /** Whether the peer offered the extension. */
  peerOffers(name: string): boolean {
    return this.#theirs.has(name);
  }

  /** Sends a message of an extension; nothing happens if the peer didn't offer it. */
  sendExtension(name: string, payload: Uint8Array): void {
    const id = this.#theirs.get(name);
    if (id !== undefined) this.#writer.extended(id, payload);
  }

  /** Bytes of messages that wait to be sent. */
  get pending(): number {
    return this.#writer.length;
  }

  /**
   * Hands over the writer with what is to be sent; blocks may be appended to it. Give it back with
   * {@link PeerMachine.written} once its bytes went out.
   */
  pollTransmit(): MessageWriter {
    const writer = this.#writer;
    this.#writer = this.#spare ?? new MessageWriter();
    this.#spare = undefined;
    return writer;
  }

  /** Takes back a writer whose bytes went out, unless it grew past `keep` bytes. */
  written(writer: MessageWriter, keep: boolean): void {
    writer.reset();
    if (keep) this.#spare = writer;
  }

  // What the decoder reads.

  keepAlive(): void {
    this.#work += WORK.message;
  }

  choke(): void {
    this.#spoke = true;
    this.#work += WORK.turn;
    if (this.peerChoking) return;
    this.peerChoking = true;
    // BEP 6: with the fast extension every request is answered or rejected one by one.
    if (!this.fast) {
      this.#late.clear();
      this.#dropRequests();
    }
    this.#events.choked();
  }

  unchoke(): void {
    this.#spoke = true;
    this.#work += WORK.turn;
    if (!this.peerChoking) return;
    this.peerChoking = false;
    this.#events.unchoked();
  }

  interested(): void {
    this.#spoke = true;
    this.#work += WORK.turn;
    if (this.peerInterested) return;
    this.peerInterested = true;
    this.#events.peerInterest(true);
  }

  notInterested(): void {
    this.#spoke = true;
    this.#work += WORK.turn;
    if (!this.peerInterested) return;
    this.peerInterested = false;
    this.#events.peerInterest(false);
  }

  have(piece: number): void {
    this.#spoke = true;
    this.#work += WORK.message;
    if (!this.#shape) {
      const haves = (this.#early ??= { haves: [] }).haves;
      if (haves.length >= MAX_EARLY_HAVES) {
        throw new ProtocolError("Cannot take have: too many before the metadata is known");
      }
      haves.push(piece);
      return;
    }
    this.#checkPiece("have", piece);
    if (this.peerPieces.set(piece)) this.#events.peerHas(piece);
  }

  bitfield(bytes: Uint8Array): void {
    // BEP 3 wants it first; aria2 also sends one later, in place of many haves.
    this.#spoke = true;
    this.#work += WORK.turn + bytes.length * 8 / PIECES_PER_UNIT;
    if (!this.#shape) {
      this.#early = { bitfield: bytes.slice(), haves: [] };
      return;
    }
    const before = this.peerPieces;
    this.peerPieces = Bitfield.decode(bytes, this.#shape.pieceCount);
    this.#events.peerPiecesChanged(before);
  }

  haveAll(): void {
    this.#needFast("have-all");
    this.#first("have-all");
    if (!this.#shape) {
      this.#early = { all: true, haves: [] };
      return;
    }
    const before = this.peerPieces;
    this.peerPieces = new Bitfield(this.#shape.pieceCount);
    this.peerPieces.setAll();
    this.#events.peerPiecesChanged(before);
  }

  haveNone(): void {
    this.#needFast("have-none");
    this.#first("have-none");
  }

  request(piece: number, begin: number, length: number): void {
    this.#spoke = true;
    const request = this.#checkRange("request", piece, begin, length);
    const allowed = !this.amChoking || this.weAllowFast.has(piece) && this.#servedFast < this.#fastBudget;
    if (!allowed || this.uploads.length >= MAX_UPLOAD_QUEUE) {
      this.#work += WORK.request;
      return this.refuse(request);
    }
    if (this.amChoking) this.#servedFast += length;
    this.uploads.push(request);
    this.#events.uploadWanted();
  }

  cancel(piece: number, begin: number, length: number): void {
    this.#work += WORK.request;
    const at = this.uploads.findIndex((r) => r.piece === piece && r.begin === begin && r.length === length);
    if (at < 0) return;
    const [request] = this.uploads.splice(at, 1);
    this.refuse(request);
  }

  block(piece: number, begin: number, length: number): void {
    const shape = this.#shape;
    const block = begin / BLOCK_SIZE;
    const key = piece * this.#blocksPerPiece + block;
    const sound = shape !== undefined && Number.isInteger(block) && piece < shape.pieceCount &&
      begin < shape.pieceSize(piece) && length === blockSize(shape, piece, block);
    const inTime = sound && this.#requests.delete(key);
    const asked = inTime || sound && this.#late.delete(key);
    this.#piece = piece;
    this.#block = block;
    this.#begin = begin;
    this.#inBlock = true;
    this.#wanted = asked && this.#events.blockBegins(piece, block, !inTime);
    if (asked) {
      this.lastBlock = this.#now;
      return;
    }
    this.unrequestedBytes += length;
    if (this.unrequestedBytes > MAX_UNREQUESTED) {
      throw new ProtocolError(`Cannot take blocks: ${this.unrequestedBytes} bytes came that nobody asked for`);
    }
    this.#block = -1;
    this.#events.unrequested(length);
  }

  payload(view: Uint8Array): void {
    if (!this.#wanted) return;
    this.#events.blockBytes(this.#piece, this.#begin, view);
    this.#begin += view.length;
  }

  blockEnd(): void {
    this.#inBlock = false;
    const wanted = this.#wanted;
    this.#wanted = false;
    if (this.#block >= 0) this.#events.blockEnds(this.#piece, this.#block, wanted);
  }

  reject(piece: number, begin: number, length: number): void {
    this.#needFast("reject");
    this.#work += WORK.request;
    this.#checkRange("reject", piece, begin, length);
    const block = Math.floor(begin / BLOCK_SIZE);
    const key = piece * this.#blocksPerPiece + block;
    this.#late.delete(key);
    // BEP 6: allowed no longer; asking on would only be rejected on.
    if (this.peerChoking) this.peerAllowsFast.delete(piece);
    if (this.#requests.delete(key)) this.#events.requestLost(piece, block, !this.peerChoking);
  }

  suggest(piece: number): void {
    this.#needFast("suggest");
    this.#work += WORK.message;
    if (this.#shape) this.#checkPiece("suggest", piece);
  }

  allowedFast(piece: number): void {
    this.#needFast("allowed-fast");
    this.#work += WORK.message;
    if (!this.#shape) return;
    this.#checkPiece("allowed-fast", piece);
    if (this.peerAllowsFast.size >= MAX_ALLOWED_FAST || this.peerAllowsFast.has(piece)) return;
    this.peerAllowsFast.add(piece);
    this.#events.allowedFast(piece);
  }

  port(port: number): void {
    this.#work += WORK.plugin;
    if (port > 0) this.#events.dhtPort(port);
  }

  extended(id: number, payload: Uint8Array): void {
    if (!this.extendedProtocol) throw new ProtocolError("Cannot take extended: the handshake didn't announce BEP 10");
    this.#work += (id === 0 ? WORK.handshake : WORK.plugin) + payload.length / BYTES_PER_UNIT;
    if (id === 0) {
      const handshake = decodeExtendedHandshake(payload);
      const theirs = new Map(this.#theirs);
      for (const [name, theirId] of handshake.m) {
        if (theirId === 0) theirs.delete(name);
        else if (name.length <= MAX_EXTENSION_NAME && theirs.size < MAX_EXTENSIONS) theirs.set(name, theirId);
      }
      this.#theirs = theirs;
      this.peerHandshake = handshake;
      if (handshake.uploadOnly !== undefined) this.peerUploadOnly = handshake.uploadOnly;
      this.#events.extendedHandshake(handshake);
      return;
    }
    const name = this.#names.get(id);
    // An id of ours that was withdrawn may still be on its way: not the peer's fault.
    if (name !== undefined) this.#events.extensionMessage(name, payload);
  }

  /** Bytes that the peer may have while choked: each allowed piece once, or being choked would mean nothing. */
  get #fastBudget(): number {
    return this.weAllowFast.size * this.#shape!.pieceLength;
  }

  #setShape(shape: PieceShape): void {
    this.#shape = shape;
    this.#blocksPerPiece = Math.max(1, Math.ceil(shape.pieceLength / BLOCK_SIZE));
    this.peerPieces = new Bitfield(shape.pieceCount);
    this.#decoder.maxBitfield = Math.ceil(shape.pieceCount / 8);
  }

  #dropRequests(): void {
    const dropped = [...this.#requests.keys()];
    this.#work += WORK.request * dropped.length;
    this.#requests.clear();
    for (const key of dropped) {
      this.#events.requestLost(Math.floor(key / this.#blocksPerPiece), key % this.#blocksPerPiece, false);
    }
  }

  #first(message: string): void {
    if (this.#spoke) throw new ProtocolError(`Cannot take ${message}: it must be the first message`);
    this.#spoke = true;
  }

  #needFast(message: string): void {
    if (!this.fast) throw new ProtocolError(`Cannot take ${message}: the handshake didn't announce the fast extension`);
  }

  #checkPiece(message: string, piece: number): void {
    const count = this.#shape!.pieceCount;
    if (piece >= count) {
      throw new ProtocolError(`Cannot take ${message}: piece must be below ${count}, current value is ${piece}`);
    }
  }

  #checkRange(message: string, piece: number, begin: number, length: number): BlockRequest {
    if (!this.#shape) throw new ProtocolError(`Cannot take ${message}: no piece was offered`);
    this.#checkPiece(message, piece);
    const size = this.#shape.pieceSize(piece);
    if (length < 1 || length > MAX_REQUEST_LENGTH || begin + length > size) {
      throw new ProtocolError(
        `Cannot take ${message}: ${length} bytes at ${begin} must lie within a piece of ${size}, at most ${MAX_REQUEST_LENGTH}`,
      );
    }
    return { piece, begin, length };
  }
}
