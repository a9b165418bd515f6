import { NetError } from "../../api/mod.ts";
import { type FlowWire, type Segment, TcpFlow } from "./link_tcp.ts";
import type { Timeline } from "./timeline.ts";

// What a kernel holds for one direction of a connection: sent and not yet read. A writer waits beyond it.
export const STREAM_WINDOW = 256 * 1024;

// TCP's first retransmission timeout on a fast link: how long a lost segment holds up those behind it.
const RETRANSMIT_AFTER = 200;

/** One direction of the way between two hosts. */
export interface Wire extends FlowWire {
  /** Whether links are on it. */
  linked(): boolean;
  /** Milliseconds until a packet of so many bytes arrives where no link is, or undefined when it is lost. */
  delay(bytes: number): number | undefined;
}

interface Call<T> {
  bytes: Uint8Array;
  resolve(value: T): void;
  reject(error: Error): void;
}

/**
 * One direction of a stream: ordered, reliable, bounded. The sender and the receiver each hold one side of it. Where no
 * link is on its way, what is written at once arrives at once; over links it is a {@link TcpFlow}, and stays one.
 */
export class Pipe {
  readonly #timeline: Timeline;
  readonly #wire: Wire;
  #flow: TcpFlow | undefined;
  readonly #leaving: Segment[] = [];
  #blocked = false;
  #lastArrival = 0;
  #inFlight: { at: number; segments: Segment[] } | undefined;
  readonly #arrived: Uint8Array[] = [];
  #first = 0;
  #used = 0;
  /** What the sender said last, and what of it has arrived. */
  #over: "end" | "reset" | undefined;
  #ended: "end" | "reset" | undefined;
  #deaf = false;
  #broken: Error | undefined;
  #reading: Call<number> | undefined;
  #writing: Call<void> | undefined;

  /** Called at the receiver when the sender reset the connection. */
  onReset: () => void = () => {};
  /** Called at the receiver when bytes arrive that nobody will read. */
  onUnwanted: () => void = () => {};

  constructor(timeline: Timeline, wire: Wire) {
    this.#timeline = timeline;
    this.#wire = wire;
  }

  /** Whether bytes have arrived that nobody read. */
  get unread(): boolean {
    return this.#first < this.#arrived.length;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken);
    if (this.#writing) return Promise.reject(new Error("Cannot write: another write is pending"));
    const sent = this.#send(bytes);
    if (sent === bytes.length) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#writing = { bytes: bytes.subarray(sent), resolve, reject };
    });
  }

  /** The sender says that nothing follows. */
  finish(): void {
    if (this.#over) return;
    this.#over = "end";
    this.#leave("end");
    this.breakWrites(new NetError("closed", "Cannot write: the stream was closed for writing"));
  }

  /** The sender is gone, without a goodbye. */
  reset(): void {
    if (this.#over === "reset") return;
    this.#over = "reset";
    this.#leave("reset");
  }

  /** The receiver reset the connection: writes fail from now on, and what is on its way is of no use. */
  stop(): void {
    this.#flow?.stop();
    this.breakWrites(connectionReset());
  }

  /** Writes fail from now on. */
  breakWrites(error: Error): void {
    this.#broken ??= error;
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.reject(this.#broken);
  }

  read(into: Uint8Array): Promise<number> {
    if (this.#reading) return Promise.reject(new Error("Cannot read: another read is pending"));
    if (into.length === 0) return Promise.resolve(0);
    if (this.unread) return Promise.resolve(this.#take(into));
    if (this.#ended === "end") return Promise.resolve(0);
    if (this.#ended === "reset") return Promise.reject(connectionReset());
    return new Promise((resolve, reject) => {
      this.#reading = { bytes: into, resolve, reject };
    });
  }

  /** The receiver will read no more; the pending read fails. */
  breakReads(error: Error): void {
    this.#deaf = true;
    this.#arrived.length = this.#first = 0;
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.reject(error);
  }

  /** The process at this end died: what it waited for never settles. */
  abandon(): void {
    this.#reading = this.#writing = undefined;
  }

  /** Sends what the window takes, and returns how much that was. */
  #send(bytes: Uint8Array): number {
    const window = this.#flow?.buffer ?? STREAM_WINDOW;
    const room = Math.min(window - this.#used, bytes.length);
    if (room <= 0) return 0;
    this.#used += room;
    this.#leave(bytes.slice(0, room));
    return room;
  }

  #leave(segment: Segment): void {
    if (!this.#flow && this.#leaving.length === 0 && this.#wire.linked()) {
      this.#flow = new TcpFlow(this.#timeline, this.#wire, (segment) => {
        if (this.#timeline.now < this.#lastArrival) this.#fly(segment, this.#lastArrival);
        else this.#arrive(segment);
      });
    }
    if (this.#flow) return this.#flow.push(segment);
    this.#leaving.push(segment);
    if (!this.#blocked) this.#transmit();
  }

  #transmit(): void {
    this.#blocked = false;
    while (this.#leaving.length > 0) {
      const segment = this.#leaving[0];
      const delay = this.#wire.delay(segment instanceof Uint8Array ? segment.length : 40);
      if (delay === undefined) {
        this.#blocked = true;
        this.#timeline.after(RETRANSMIT_AFTER, () => this.#transmit());
        return;
      }
      this.#leaving.shift();
      this.#fly(segment, Math.max(this.#lastArrival, this.#timeline.now + delay));
    }
  }

  #fly(segment: Segment, at: number): void {
    if (this.#inFlight?.at === at) {
      this.#inFlight.segments.push(segment);
      return;
    }
    const flight = { at, segments: [segment] };
    this.#inFlight = flight;
    this.#lastArrival = at;
    this.#timeline.after(at - this.#timeline.now, () => {
      if (this.#inFlight === flight) this.#inFlight = undefined;
      for (const arrived of flight.segments) this.#arrive(arrived);
    });
  }

  #arrive(segment: Segment): void {
    if (segment instanceof Uint8Array) {
      if (this.#deaf) return this.onUnwanted();
      this.#arrived.push(segment);
    } else {
      this.#ended ??= segment; // a reset after the end shows in writes only
      if (segment === "reset") this.onReset();
    }
    const reading = this.#reading;
    if (!reading) return;
    this.#reading = undefined;
    if (this.unread) reading.resolve(this.#take(reading.bytes));
    else if (segment === "reset") reading.reject(connectionReset());
    else reading.resolve(0);
  }

  #take(into: Uint8Array): number {
    let filled = 0;
    while (filled < into.length && this.unread) {
      const chunk = this.#arrived[this.#first];
      const part = chunk.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.#first++;
      else this.#arrived[this.#first] = chunk.subarray(part.length);
    }
    if (!this.unread) this.#arrived.length = this.#first = 0;
    this.#used -= filled;
    this.#resumeWriting();
    return filled;
  }

  #resumeWriting(): void {
    const writing = this.#writing;
    if (!writing) return;
    const sent = this.#send(writing.bytes);
    writing.bytes = writing.bytes.subarray(sent);
    if (writing.bytes.length > 0) return;
    this.#writing = undefined;
    writing.resolve();
  }
}

function connectionReset(): NetError {
  return new NetError("reset", "Connection reset by peer");
}
