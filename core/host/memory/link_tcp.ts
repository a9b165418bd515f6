import type { Timer } from "../../api/mod.ts";
import type { Timeline } from "./timeline.ts";

/** What a stream carries: bytes, its end, or a reset. */
export type Segment = Uint8Array | "end" | "reset";

/** Where a flow's packets go; each may get lost, overtake others, or arrive twice. Bytes are those of the payload. */
export interface FlowWire {
  /** Bytes of the largest segment. */
  mss(): number;
  there(bytes: number, arrive: () => void): void;
  /** For acknowledgements. */
  back(arrive: () => void): void;
}

// RFC 6928: segments of the first window.
const FIRST_WINDOW = 10;
// RFC 6298, with Linux's lower bound (ms).
const FIRST_TIMEOUT = 1_000;
const MIN_TIMEOUT = 200;
const MAX_TIMEOUT = 60_000;
// RFC 5681: a packet is lost once so many that were sent after it arrived.
const OVERTAKEN_BY = 3;
// What Linux lets buffers grow to, unless told otherwise (bytes): twice what is on the way, within these.
const MIN_BUFFER = 256 * 1024;
const MAX_BUFFER = 4 * 1024 * 1024;

/** A segment with its place in the stream. */
interface Piece {
  readonly sequence: number;
  readonly segment: Segment;
  /** What it takes of the window: of bytes all, else one. */
  readonly bytes: number;
  arrived: boolean;
}

/** A piece, sent once or once more. */
interface Sent {
  readonly piece: Piece;
  readonly order: number;
  readonly at: number;
  readonly again: boolean;
  /** Acknowledged, or taken for lost. */
  over: boolean;
}

/**
 * One direction of a TCP connection over links, the sender and the receiver in one: TCP Reno with selective
 * acknowledgements (RFC 5681, 6298, 6675). It starts with ten segments, doubles its window each round trip until it
 * loses one, then halves it, and grows it by a segment each round trip; a lost segment is sent again once three later
 * ones have arrived, or after the retransmission timeout, and holds up what follows it. So loss, distance, bandwidth and
 * queues make it as slow as they make TCP, and flows share a link as TCP's do.
 *
 * What it leaves out: windows that the receiver announces, delayed acknowledgements, Nagle's algorithm, and giving up.
 */
export class TcpFlow {
  readonly #timeline: Timeline;
  readonly #wire: FlowWire;
  readonly #deliver: (segment: Segment) => void;
  #stopped = false;
  #waiting: Segment[] = [];
  #sequence = 0;
  /** Sent and not known to be over, in the order of sending; its bytes; and what is to be sent again. */
  #flight: Sent[] = [];
  #out = 0;
  #lost: Piece[] = [];
  #order = 0;
  #newest = -1;
  /** Losses of what was sent up to here have narrowed the window already. */
  #recovery = -1;
  #window: number;
  #threshold = Infinity;
  /** Whether the window was what held up the sender. */
  #limited = false;
  #roundTrip: { mean: number; deviation: number } | undefined;
  #timeout = FIRST_TIMEOUT;
  #deadline = 0;
  #timer: Timer | undefined;
  /** The receiver's: what came too early, and what comes next. */
  readonly #early = new Map<number, Segment>();
  #expected = 0;

  /** @param deliver gets the segments at the receiver, in order */
  constructor(timeline: Timeline, wire: FlowWire, deliver: (segment: Segment) => void) {
    this.#timeline = timeline;
    this.#wire = wire;
    this.#deliver = deliver;
    this.#window = FIRST_WINDOW * wire.mss();
  }

  /** Bytes that sender and receiver hold together, at most. */
  get buffer(): number {
    return Math.min(MAX_BUFFER, Math.max(MIN_BUFFER, 2 * this.#window));
  }

  push(segment: Segment): void {
    if (this.#stopped) return;
    // A connection that is reset takes with it what was not sent yet.
    if (segment === "reset") this.#waiting = [];
    this.#waiting.push(segment);
    this.#transmit();
  }

  /** Nothing more is sent: the other side reset the connection. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#lost = [];
    this.#flight = [];
    this.#timer?.cancel();
  }

  #transmit(): void {
    while (this.#lost.length > 0 && this.#fits(this.#lost[0].bytes)) this.#sendAgain();
    while (this.#lost.length === 0 && this.#waiting.length > 0) {
      const [first] = this.#waiting;
      const mss = this.#wire.mss();
      const bytes = first instanceof Uint8Array ? Math.min(first.length, mss) : 1;
      if (!this.#fits(bytes)) break;
      const segment = first instanceof Uint8Array ? first.subarray(0, mss) : first;
      if (first instanceof Uint8Array && first.length > mss) this.#waiting[0] = first.subarray(mss);
      else this.#waiting.shift();
      this.#send({ sequence: this.#sequence++, segment, bytes, arrived: false }, false);
    }
    this.#limited = this.#waiting.length > 0;
  }

  #fits(bytes: number): boolean {
    return this.#out === 0 || this.#out + bytes <= this.#window;
  }

  #sendAgain(): void {
    const piece = this.#lost.shift()!;
    if (!piece.arrived) this.#send(piece, true);
  }

  #send(piece: Piece, again: boolean): void {
    const sent = { piece, order: this.#order++, at: this.#timeline.now, again, over: false };
    if (this.#flight.length === 0) this.#deadline = sent.at + this.#timeout;
    this.#flight.push(sent);
    this.#out += piece.bytes;
    this.#timer ??= this.#arm();
    this.#wire.there(piece.segment instanceof Uint8Array ? piece.bytes : 0, () => this.#arrive(sent));
  }

  /** At the receiver. */
  #arrive(sent: Sent): void {
    const { piece } = sent;
    if (!piece.arrived) {
      piece.arrived = true;
      this.#early.set(piece.sequence, piece.segment);
      for (let next = this.#early.get(this.#expected); next; next = this.#early.get(this.#expected)) {
        this.#early.delete(this.#expected++);
        this.#deliver(next);
      }
    }
    this.#wire.back(() => this.#acknowledged(sent));
  }

  /** Back at the sender. */
  #acknowledged(sent: Sent): void {
    if (this.#stopped) return;
    const { now } = this.#timeline;
    if (!sent.again) this.#measure(now - sent.at);
    if (!sent.over) {
      this.#deadline = now + this.#timeout;
      if (this.#limited && sent.order > this.#recovery) this.#grow(sent.piece.bytes);
    }
    this.#settle(sent);
    this.#newest = Math.max(this.#newest, sent.order);
    this.#findLost();
    this.#transmit();
    if (this.#flight.length > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #settle(sent: Sent): void {
    if (!sent.over) this.#out -= sent.piece.bytes;
    sent.over = true;
  }

  #grow(bytes: number): void {
    const by = this.#window < this.#threshold ? bytes : this.#wire.mss() * bytes / this.#window;
    this.#window = Math.min(MAX_BUFFER, this.#window + by);
  }

  #findLost(): void {
    let narrow = false;
    for (let head = this.#flight[0]; head; head = this.#flight[0]) {
      if (!head.over) {
        if (head.order + OVERTAKEN_BY > this.#newest) break;
        // If it arrived, its acknowledgement got lost, and those that follow tell of it.
        if (!head.piece.arrived) {
          this.#lost.push(head.piece);
          narrow ||= head.order > this.#recovery;
        }
      }
      this.#settle(head);
      this.#flight.shift();
    }
    if (!narrow) return;
    this.#narrow();
    this.#window = this.#threshold;
    this.#sendAgain(); // at once: this is fast retransmit
  }

  #narrow(): void {
    this.#threshold = Math.max(this.#window / 2, 2 * this.#wire.mss());
    this.#recovery = this.#order - 1;
  }

  #measure(roundTrip: number): void {
    const known = this.#roundTrip;
    if (!known) {
      this.#roundTrip = { mean: roundTrip, deviation: roundTrip / 2 };
    } else {
      known.deviation += (Math.abs(roundTrip - known.mean) - known.deviation) / 4;
      known.mean += (roundTrip - known.mean) / 8;
    }
    const { mean, deviation } = this.#roundTrip!;
    this.#timeout = Math.max(MIN_TIMEOUT, mean + 4 * deviation);
  }

  /** One timer serves all: it looks whether it is time when it fires. */
  #arm(): Timer {
    return this.#timeline.after(this.#deadline - this.#timeline.now, () => {
      this.#timer = undefined;
      if (this.#timeline.now >= this.#deadline) this.#timedOut();
      else this.#timer = this.#arm();
    });
  }

  #timedOut(): void {
    this.#narrow();
    this.#window = this.#wire.mss();
    this.#timeout = Math.min(MAX_TIMEOUT, 2 * this.#timeout);
    const missing = this.#flight.filter(({ over, piece }) => !over && !piece.arrived).map(({ piece }) => piece);
    this.#lost = [...this.#lost, ...missing].sort((a, b) => a.sequence - b.sequence);
    for (const sent of this.#flight) this.#settle(sent);
    this.#flight = [];
    this.#transmit();
  }
}
