// The peer wire messages of BEP 3, 5, 6 and 10, written one behind the other so that one socket write sends many.
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

// A few dozen requests; a batch of blocks grows it.
const INITIAL_SIZE = 1024;
// An idle peer shouldn't keep the buffer of its busiest moment.
const KEPT_SIZE = 256 * 1024;

/** Collects messages for one peer in one reused buffer: write, {@link take} and send, then {@link reset}. */
export class MessageWriter {
  #bytes = new Uint8Array(INITIAL_SIZE);
  #length = 0;

  /** Bytes written since the last reset. */
  get length(): number {
    return this.#length;
  }

  /** What was written, as a view: valid until the first write after the next reset. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Starts over. */
  reset(): void {
    this.#length = 0;
    if (this.#bytes.length > KEPT_SIZE) this.#bytes = new Uint8Array(INITIAL_SIZE);
  }

  /** Makes room for `length` more bytes at once, so that views from {@link reserve} stay valid while they are filled. */
  ensure(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  keepAlive(): void {
    this.#u32(this.#claim(4), 0);
  }
  choke(): void {
    this.#header(1, CHOKE);
  }
  unchoke(): void {
    this.#header(1, UNCHOKE);
  }
  interested(): void {
    this.#header(1, INTERESTED);
  }
  notInterested(): void {
    this.#header(1, NOT_INTERESTED);
  }
  have(piece: number): void {
    this.#pieceIndex(HAVE, piece);
  }
  bitfield(bytes: Uint8Array): void {
    this.#header(1 + bytes.length, BITFIELD);
    this.reserve(bytes.length).set(bytes);
  }
  request(piece: number, begin: number, length: number): void {
    this.#range(REQUEST, piece, begin, length);
  }
  /** The 13 bytes before a block of `length` bytes, which the caller puts behind through {@link reserve}. */
  blockHeader(piece: number, begin: number, length: number): void {
    this.#header(9 + length, PIECE);
    const at = this.#claim(8);
    this.#u32(at, piece);
    this.#u32(at + 4, begin);
  }
  /** The next `length` bytes of output, to be filled before the next write; what they hold until then is undefined. */
  reserve(length: number): Uint8Array {
    const at = this.#claim(length);
    return this.#bytes.subarray(at, at + length);
  }
  cancel(piece: number, begin: number, length: number): void {
    this.#range(CANCEL, piece, begin, length);
  }
  port(port: number): void {
    this.#header(3, PORT);
    const at = this.#claim(2);
    this.#bytes[at] = port >> 8;
    this.#bytes[at + 1] = port;
  }
  suggest(piece: number): void {
    this.#pieceIndex(SUGGEST, piece);
  }
  haveAll(): void {
    this.#header(1, HAVE_ALL);
  }
  haveNone(): void {
    this.#header(1, HAVE_NONE);
  }
  reject(piece: number, begin: number, length: number): void {
    this.#range(REJECT, piece, begin, length);
  }
  allowedFast(piece: number): void {
    this.#pieceIndex(ALLOWED_FAST, piece);
  }
  extended(id: number, payload: Uint8Array): void {
    this.#header(2 + payload.length, EXTENDED);
    this.#bytes[this.#claim(1)] = id;
    this.reserve(payload.length).set(payload);
  }

  #header(length: number, id: number): void {
    const at = this.#claim(5);
    this.#u32(at, length);
    this.#bytes[at + 4] = id;
  }

  #pieceIndex(id: number, piece: number): void {
    this.#header(5, id);
    this.#u32(this.#claim(4), piece);
  }

  #range(id: number, piece: number, begin: number, length: number): void {
    this.#header(13, id);
    const at = this.#claim(12);
    this.#u32(at, piece);
    this.#u32(at + 4, begin);
    this.#u32(at + 8, length);
  }

  /** Makes room for `length` bytes and returns where they start. */
  #claim(length: number): number {
    this.ensure(length);
    const at = this.#length;
    this.#length += length;
    return at;
  }

  #u32(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }
}
