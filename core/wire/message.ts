// The peer wire stream: BEP 3, with PORT of BEP 5, the fast extension of BEP 6 and the envelope of BEP 10. Other ids
// (21 to 23 are BEP 52's) are skipped. Both directions are the hot path: no closures and no allocation per message.
import { ProtocolError } from "./errors.ts";
import {
  ALLOWED_FAST,
  BITFIELD,
  CANCEL,
  CHOKE,
  EXTENDED,
  HAVE,
  HAVE_ALL,
  HAVE_NONE,
  INTERESTED,
  NOT_INTERESTED,
  PIECE,
  PORT,
  REJECT,
  REQUEST,
  SUGGEST,
  UNCHOKE,
} from "./message_ids.ts";

/** Receives what a {@link MessageDecoder} reads, in stream order. Views are valid until the method returns. */
export interface MessageSink {
  keepAlive(): void;
  choke(): void;
  unchoke(): void;
  interested(): void;
  notInterested(): void;
  have(piece: number): void;
  /** The bitfield as it came: its length and spare bits are not checked yet. */
  bitfield(bytes: Uint8Array): void;
  request(piece: number, begin: number, length: number): void;
  /** A block begins; `length` bytes follow through {@link payload}. */
  block(piece: number, begin: number, length: number): void;
  /** The next bytes of the block, a view of what was pushed. */
  payload(view: Uint8Array): void;
  /** The block is whole. */
  blockEnd(): void;
  cancel(piece: number, begin: number, length: number): void;
  /** The peer's DHT port. */
  port(port: number): void;
  suggest(piece: number): void;
  haveAll(): void;
  haveNone(): void;
  reject(piece: number, begin: number, length: number): void;
  allowedFast(piece: number): void;
  /** A BEP 10 message: its extended id (0 is the handshake) and what follows. */
  extended(id: number, payload: Uint8Array): void;
}

/** What a frame may measure, in bytes. A frame past its limit ends the stream before it is buffered. */
export interface MessageLimits {
  /** The length prefix of a PIECE or unknown message: 256 KiB and its header, so that a peer can't claim endless blocks. */
  maxFrame: number;
  /** The bitfield, without its id. */
  maxBitfield: number;
  /** The payload of an extended message. */
  maxExtended: number;
}

// Holds every frame of fixed length; larger ones grow it for as long as they last.
const HELD_SIZE = 64;

/** Reads the messages of one peer from bytes cut anywhere. After it threw, the stream is lost: drop decoder and peer. */
export class MessageDecoder {
  readonly #sink: MessageSink;
  readonly #limits: MessageLimits;
  /** The start of a frame that straddles pushes. */
  #held = new Uint8Array(HELD_SIZE);
  #heldLength = 0;
  /** Bytes of the frame without which nothing more can be told. */
  #need = 4;
  /** Bytes of the current frame that are still to pass by unbuffered. */
  #passing = 0;
  /** Whether those belong to a block (else to a message that is skipped). */
  #inBlock = false;

  constructor(sink: MessageSink, limits: MessageLimits) {
    this.#sink = sink;
    this.#limits = { ...limits };
  }

  /** The bitfield's limit in bytes, to be set once the metadata tells the number of pieces. */
  get maxBitfield(): number {
    return this.#limits.maxBitfield;
  }
  set maxBitfield(bytes: number) {
    this.#limits.maxBitfield = bytes;
  }

  /** Reads the next bytes; they may be reused after it returns. Throws ProtocolError when the peer breaks the protocol. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#passing > 0) {
        at += this.#pass(bytes, at);
        continue;
      }
      const read = this.#heldLength === 0 ? this.#read(bytes, at) : 0;
      at += read > 0 ? read : this.#hold(bytes, at);
    }
  }

  #pass(bytes: Uint8Array, at: number): number {
    const taken = Math.min(this.#passing, bytes.length - at);
    this.#passing -= taken;
    if (this.#inBlock) {
      this.#sink.payload(taken === bytes.length ? bytes : bytes.subarray(at, at + taken));
      if (this.#passing === 0) this.#sink.blockEnd();
    }
    return taken;
  }

  /** Adds what the held frame needs, then reads it if that was all. Grows with what came, never by what was announced. */
  #hold(bytes: Uint8Array, at: number): number {
    const taken = Math.min(this.#need - this.#heldLength, bytes.length - at);
    const length = this.#heldLength + taken;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.min(this.#need, 2 * length));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    this.#held.set(bytes.subarray(at, at + taken), this.#heldLength);
    this.#heldLength = length;
    if (length === this.#need && this.#read(this.#held.subarray(0, length), 0) > 0) {
      this.#heldLength = 0;
      if (this.#held.length > HELD_SIZE) this.#held = new Uint8Array(HELD_SIZE);
    }
    return taken;
  }

  /** Reads the frame at `at` and returns its bytes (of PIECE: its header's), or notes what it needs and returns 0. */
  #read(bytes: Uint8Array, at: number): number {
    const available = bytes.length - at;
    if (available < 4) return this.#wait(4);
    const length = u32(bytes, at);
    if (length === 0) {
      this.#sink.keepAlive();
      return 4;
    }
    if (available < 5) return this.#wait(5);
    const id = bytes[at + 4];
    const whole = 4 + length;
    switch (id) {
      case CHOKE:
        exact("choke", length, 1);
        this.#sink.choke();
        return whole;
      case UNCHOKE:
        exact("unchoke", length, 1);
        this.#sink.unchoke();
        return whole;
      case INTERESTED:
        exact("interested", length, 1);
        this.#sink.interested();
        return whole;
      case NOT_INTERESTED:
        exact("notInterested", length, 1);
        this.#sink.notInterested();
        return whole;
      case HAVE_ALL:
        exact("haveAll", length, 1);
        this.#sink.haveAll();
        return whole;
      case HAVE_NONE:
        exact("haveNone", length, 1);
        this.#sink.haveNone();
        return whole;
      case HAVE:
        exact("have", length, 5);
        if (available < whole) return this.#wait(whole);
        this.#sink.have(u32(bytes, at + 5));
        return whole;
      case SUGGEST:
        exact("suggest", length, 5);
        if (available < whole) return this.#wait(whole);
        this.#sink.suggest(u32(bytes, at + 5));
        return whole;
      case ALLOWED_FAST:
        exact("allowedFast", length, 5);
        if (available < whole) return this.#wait(whole);
        this.#sink.allowedFast(u32(bytes, at + 5));
        return whole;
      case PORT:
        exact("port", length, 3);
        if (available < whole) return this.#wait(whole);
        this.#sink.port(bytes[at + 5] << 8 | bytes[at + 6]);
        return whole;
      case REQUEST:
        exact("request", length, 13);
        if (available < whole) return this.#wait(whole);
        this.#sink.request(u32(bytes, at + 5), u32(bytes, at + 9), u32(bytes, at + 13));
        return whole;
      case CANCEL:
        exact("cancel", length, 13);
        if (available < whole) return this.#wait(whole);
        this.#sink.cancel(u32(bytes, at + 5), u32(bytes, at + 9), u32(bytes, at + 13));
        return whole;
      case REJECT:
        exact("reject", length, 13);
        if (available < whole) return this.#wait(whole);
        this.#sink.reject(u32(bytes, at + 5), u32(bytes, at + 9), u32(bytes, at + 13));
        return whole;
      case PIECE:
        within("piece", length, 9, this.#limits.maxFrame);
        if (available < 13) return this.#wait(13);
        this.#sink.block(u32(bytes, at + 5), u32(bytes, at + 9), length - 9);
        this.#passing = length - 9;
        this.#inBlock = true;
        if (length === 9) this.#sink.blockEnd();
        return 13;
      case BITFIELD:
        within("bitfield", length, 1, 1 + this.#limits.maxBitfield);
        if (available < whole) return this.#wait(whole);
        this.#sink.bitfield(bytes.subarray(at + 5, at + whole));
        return whole;
      case EXTENDED:
        within("extended", length, 2, 2 + this.#limits.maxExtended);
        if (available < whole) return this.#wait(whole);
        this.#sink.extended(bytes[at + 5], bytes.subarray(at + 6, at + whole));
        return whole;
      default:
        within(`message ${id}`, length, 1, this.#limits.maxFrame);
        this.#passing = length - 1;
        this.#inBlock = false;
        return 5;
    }
  }

  #wait(need: number): 0 {
    this.#need = need;
    return 0;
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

function exact(name: string, length: number, expected: number): void {
  if (length !== expected) {
    throw new ProtocolError(`Cannot decode ${name}: length must be ${expected}, current value is ${length}`);
  }
}

function within(name: string, length: number, least: number, most: number): void {
  if (length < least || length > most) {
    throw new ProtocolError(`Cannot decode ${name}: length must be ${least} to ${most}, current value is ${length}`);
  }
}
