/** The sending side of a session: messages, and the blocks that the peer asked for, many to a write. @module */
import type { ByteStream, Clock, Timer } from "../../api/mod.ts";
import type { PieceStore } from "../../store/mod.ts";
import { type MessageWriter, ProtocolError } from "../../wire/mod.ts";
import type { Pacer } from "../pacer.ts";
import { BLOCK_SIZE } from "../pieces/blocks.ts";
import type { BlockRequest, PeerMachine } from "./machine.ts";
import { limitWait, type RateLimiter } from "../rate_limit.ts";

// Blocks gathered into one socket write, but for the last, so that it fits the buffer that a writer keeps.
const UPLOAD_BATCH = 224 * 1024;
// The header of a block on the wire, in bytes.
const BLOCK_HEADER = 13;
// A buffer of this size is kept while nothing is uploaded: an idle peer must not hold a large one.
const IDLE_BUFFER = 4 * 1024;
// Messages that wait for a peer that doesn't read, in bytes: a bitfield, thousands of haves and rejects, and no end of it.
const MAX_PENDING = 1024 * 1024;

// Messages of this size (bytes) go out at once, on the upload limit's account; more of them wait for it like blocks do:
// otherwise metadata, which anybody may ask for, would know no limit.
const FREE_MESSAGES = 1024;

/** What the writer needs of its session's swarm. */
export interface WriterSwarm {
  readonly clock: Clock;
  readonly store: PieceStore | undefined;
  readonly upLimit: RateLimiter;
  readonly pacer: Pacer;
}

/** What it tells its session. */
export interface WriterEvents {
  /** Blocks went out: `payload` bytes of them. */
  uploaded(payload: number, now: number): void;
  failed(error: unknown): void;
}

export class SessionWriter {
  /** When something was sent last. */
  lastSent: number;
  readonly #swarm: WriterSwarm;
  readonly #machine: PeerMachine;
  readonly #stream: ByteStream;
  readonly #events: WriterEvents;
  #writing = false;
  #closed = false;
  #waiting: Timer | undefined;

  constructor(swarm: WriterSwarm, machine: PeerMachine, stream: ByteStream, events: WriterEvents) {
    this.#swarm = swarm;
    this.#machine = machine;
    this.#stream = stream;
    this.#events = events;
    this.lastSent = swarm.clock.now();
  }

  /** Sends what waits, if nothing is being sent already. */
  flush(): void {
    const { pending, uploads } = this.#machine;
    if (this.#closed) return;
    if (pending > MAX_PENDING && !this.#waiting) {
      return this.#events.failed(new ProtocolError(`It does not read: ${pending} bytes wait for it`));
    }
    if (!this.#writing && (pending > 0 || uploads.length > 0)) void this.#write();
  }

  close(): void {
    this.#closed = true;
    this.#waiting?.cancel();
  }

  async #write(): Promise<void> {
    const machine = this.#machine;
    this.#writing = true;
    try {
      while (!this.#closed) {
        if (!this.#charge(machine.pending)) break;
        const writer = machine.pollTransmit();
        const payload = machine.uploads.length > 0 ? await this.#addBlocks(writer) : 0;
        if (writer.length === 0) {
          machine.written(writer, true);
          if (machine.pending > 0) continue;
          break;
        }
        await this.#stream.write(writer.take());
        this.lastSent = this.#swarm.clock.now();
        if (payload > 0) this.#events.uploaded(payload, this.lastSent);
        machine.written(writer, writer.length <= IDLE_BUFFER || machine.uploads.length > 0);
        const turn = this.#swarm.pacer.pace();
        if (turn) await turn;
      }
    } catch (error) {
      this.#events.failed(error);
    } finally {
      this.#writing = false;
    }
  }

  /** Takes messages of so many bytes out of the upload limit; false where they have to wait for it. */
  #charge(bytes: number): boolean {
    const { upLimit, clock } = this.#swarm;
    if (bytes <= FREE_MESSAGES) upLimit.giveBack(-bytes);
    else return this.#take(bytes, clock.now(), upLimit);
    return true;
  }

  /** Takes bytes out of the limit, or has the rest sent once they are there. */
  #take(bytes: number, now: number, upLimit: RateLimiter): boolean {
    // As much as anybody's block takes, or large ones would wait for ever behind small ones; the rest is owed.
    const least = Math.min(bytes, BLOCK_SIZE);
    const granted = upLimit.take(now, bytes, least);
    if (granted > 0) {
      if (granted < bytes) upLimit.giveBack(granted - bytes);
      return true;
    }
    this.#waiting?.cancel();
    this.#waiting = this.#swarm.clock.after(limitWait(upLimit, now, least), () => {
      this.#waiting = undefined;
      this.flush();
    });
    return false;
  }

  /** Appends blocks that the peer asked for, as many as one write carries and the limit allows. Returns payload bytes. */
  async #addBlocks(writer: MessageWriter): Promise<number> {
    const { store } = this.#swarm;
    const batch = this.#nextBlocks();
    const payload = batch.reduce((sum, { length }) => sum + length, 0);
    writer.ensure(payload + batch.length * BLOCK_HEADER);
    for (const { piece, begin, length } of batch) {
      writer.blockHeader(piece, begin, length);
      const reading = store!.read(piece, begin, writer.reserve(length));
      if (reading !== true) await reading;
    }
    return payload;
  }

  #nextBlocks(): BlockRequest[] {
    const { store, upLimit, clock } = this.#swarm;
    const { uploads } = this.#machine;
    const batch: BlockRequest[] = [];
    for (let payload = 0; uploads.length > 0 && payload < UPLOAD_BATCH;) {
      const request = uploads[0];
      if (!store?.have.has(request.piece)) {
        this.#machine.refuse(uploads.shift()!);
        continue;
      }
      if (!this.#take(request.length, clock.now(), upLimit)) break;
      batch.push(uploads.shift()!);
      payload += request.length;
    }
    return batch;
  }
}
