import type { Ledbat } from "./ledbat.ts";
import { distance, HEADER_LENGTH, PacketType } from "./packet.ts";
import type { PathMtu } from "./path_mtu.ts";
import type { RoundTrip } from "./rtt.ts";
import { Segment, type SegmentPool } from "./segment.ts";

// Packets that were sent later and arrived: as many as TCP waits for before it takes one as lost.
const REORDERING = 3;
// So many timeouts in a row, each twice as long as the one before, and the connection is dead.
const MAX_TIMEOUTS = 6;
// Sequence numbers wrap at 65,536, and half of that is "before".
const MAX_SEGMENTS = 8_192;
// Packets that leave at once: more make a queue of their own on a slow path, and overflow a socket's buffer on a fast
// one (Deno's holds about 92). Timers are no finer than a millisecond or two (ms).
const MIN_BURST = 4;
const MAX_BURST = 32;
const TIMER = 2;

/** The outgoing direction of a connection: cuts bytes into packets, and sends them until they were acknowledged. */
export class Sender {
  /** Bytes that the other side has room for. */
  peerWindow: number;
  readonly #mtu: PathMtu;
  readonly #congestion: Ledbat;
  readonly #rtt: RoundTrip;
  readonly #pool: SegmentPool;
  /** What is not acknowledged without gaps, oldest first; a ring, by the lower bits of the sequence number. */
  #ring: (Segment | undefined)[] = new Array(64);
  /** The oldest packet in the ring, how many of them were sent, and the number of the next one to be made. */
  #first: number;
  #sent = 0;
  #next: number;
  #flight = 0;
  #unsent = 0;
  #lost = 0;
  /** Counts transmissions; and where that count stood when the window was last reduced. */
  #order = 0;
  #reducedAt = 0;
  #arrivedOrder = 0;
  #duplicates = 0;
  #finished = false;
  #timeouts = 0;
  #progressAt = 0;
  #sentAt = 0;
  #tailProbed = false;
  #probeWindow = false;
  #tokens = 0;
  #tokensAt = 0;

  constructor(
    seq: number,
    peerWindow: number,
    parts: { mtu: PathMtu; congestion: Ledbat; rtt: RoundTrip; pool: SegmentPool },
  ) {
    this.#first = this.#next = seq;
    this.peerWindow = peerWindow;
    this.#mtu = parts.mtu;
    this.#congestion = parts.congestion;
    this.#rtt = parts.rtt;
    this.#pool = parts.pool;
  }

  /** The number of the next packet to be sent for the first time. */
  get seq(): number {
    return this.#first + this.#sent & 0xffff;
  }

  /** Nothing waits to be sent or acknowledged. */
  get idle(): boolean {
    return this.#first === this.#next;
  }

  /** The FIN was acknowledged, and all before it. */
  get finished(): boolean {
    return this.#finished && this.idle;
  }

  /** More bytes would be taken now. */
  get writable(): boolean {
    return !this.#finished && this.#roomForPacket();
  }

  /** Takes as many of `bytes` as there is room for; returns how many. They are copied. */
  write(bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length && !this.#finished) {
      let open = this.#open();
      if (!open) {
        if (!this.#roomForPacket()) break;
        open = this.#append(PacketType.data, Math.min(this.#mtu.size, this.#pool.size));
      }
      const part = Math.min(bytes.length - taken, open.limit - open.end);
      open.buffer.set(bytes.subarray(taken, taken + part), open.end);
      open.end += part;
      this.#unsent += part;
      taken += part;
    }
    return taken;
  }

  /** Nothing more will be written: a FIN follows. */
  finish(): void {
    if (this.#finished) return;
    this.#append(PacketType.fin, HEADER_LENGTH);
    this.#finished = true;
  }

  /**
   * Takes an acknowledgement; false when it is of something that was never sent.
   *
   * @param mask the selective ack's bits; the first one stands for the packet after the one after `ack`
   * @param bare the packet carried nothing else
   * @param window bytes that the other side has room for
   */
  acknowledge(now: number, ack: number, mask: Uint8Array | undefined, bare: boolean, window: number): boolean {
    const ahead = distance(this.#first - 1, ack);
    if (ahead > this.#sent) return ahead >= 0x8000; // an old one came late
    this.peerWindow = window;
    const before = this.#flight;
    let acked = 0;
    let sample = -1;
    const arrive = (segment: Segment): void => {
      acked += segment.end;
      if (segment.inFlight) this.#flight -= segment.end;
      else if (segment.lost) this.#lost--;
      segment.arrived();
      if (segment.transmissions === 1) sample = now - segment.sentAt;
      // So soon after it was sent again, it is the earlier transmission that arrived.
      const latest = segment.transmissions === 1 || now - segment.sentAt > this.#rtt.mean / 2;
      if (latest) this.#arrivedOrder = Math.max(this.#arrivedOrder, segment.order);
      if (segment.probe) this.#mtu.arrived();
    };
    let again = false;
    for (let i = 0; i < ahead; i++) {
      const segment = this.#at(0)!;
      again ||= segment.transmissions > 1;
      if (!segment.acked) arrive(segment);
      this.#ring[this.#first & this.#ring.length - 1] = undefined;
      this.#first = this.#first + 1 & 0xffff;
      this.#sent--;
      this.#pool.release(segment);
    }
    for (let i = 0; mask && i < mask.length * 8 && i + 1 < this.#sent; i++) {
      if ((mask[i >> 3] & 1 << (i & 7)) === 0) continue;
      const segment = this.#at(i + 1)!;
      if (!segment.acked) arrive(segment);
    }
    if (acked > 0) {
      this.#progressAt = now;
      this.#timeouts = 0;
      this.#tailProbed = false;
      this.#rtt.progressed();
      if (sample >= 0) this.#rtt.sample(sample);
      this.#congestion.acked(acked, before * 2 >= this.#congestion.window);
    }
    this.#duplicates = ahead === 0 && bare && !mask && this.#sent > 0 && acked === 0 ? this.#duplicates + 1 : 0;
    if (mask || again) this.#findLost();
    else if (this.#duplicates === REORDERING && this.#at(0)!.inFlight) this.#lose(this.#at(0)!);
    return true;
  }

  /** The packet to send now, which counts as sent. */
  poll(now: number): Segment | undefined {
    const segment = this.#candidate();
    if (!segment || !this.#spend(now, segment.end)) return undefined;
    if (segment.transmissions === 0) {
      this.#sent++;
      this.#unsent -= segment.end - HEADER_LENGTH;
    } else {
      this.#lost--;
    }
    if (this.#flight === 0) this.#progressAt = now;
    this.#flight += segment.end;
    this.#sentAt = now;
    this.#probeWindow = false;
    segment.send(now, ++this.#order);
    return segment;
  }

  /** When {@link Sender.expire} has something to do, or {@link Sender.poll} may go on; Infinity for never. */
  deadline(): number {
    if (this.#flight > 0 || this.#lost > 0) {
      const timeout = this.#progressAt + this.#rtt.timeout;
      const probe = this.#tailProbed || this.#lost > 0 ? Infinity : this.#sentAt + this.#rtt.probeTimeout;
      return Math.min(timeout, probe, this.#pacedUntil());
    }
    if (this.#first === this.#next) return Infinity;
    return Math.min(this.#progressAt + this.#rtt.timeout, this.#pacedUntil());
  }

  /** Time passed. Returns false when the other side has been silent for too long. */
  expire(now: number): boolean {
    if (this.#first === this.#next) return true;
    if (now >= this.#progressAt + this.#rtt.timeout) {
      if (this.#flight === 0 && this.#lost === 0) {
        // The window is closed, and the packet that opened it may have been lost.
        this.#probeWindow = true;
        this.#progressAt = now;
        this.#rtt.backOff();
        return true;
      }
      if (++this.#timeouts > MAX_TIMEOUTS) return false;
      this.#progressAt = now;
      this.#rtt.backOff();
      if (this.#timeouts === 2) this.#mtu.shrink();
      this.#loseAll();
    } else if (
      this.#flight > 0 && this.#lost === 0 && !this.#tailProbed &&
      now >= this.#sentAt + this.#rtt.probeTimeout
    ) {
      // The last packets may be lost, and nothing after them would tell: the last one is sent again.
      this.#tailProbed = true;
      for (let i = this.#sent - 1; i >= 0; i--) {
        const segment = this.#at(i)!;
        if (!segment.inFlight) continue;
        this.#drop(segment);
        break;
      }
    }
    return true;
  }

  /** Gives all buffers back. */
  clear(): void {
    while (!this.idle) {
      this.#pool.release(this.#at(0)!);
      this.#ring[this.#first & this.#ring.length - 1] = undefined;
      this.#first = this.#first + 1 & 0xffff;
    }
    this.#sent =
      this.#flight =
      this.#unsent =
      this.#lost =
        0;
    this.#finished = true;
  }

  #at(index: number): Segment | undefined {
    return this.#ring[this.#first + index & this.#ring.length - 1];
  }

  get #made(): number {
    return distance(this.#first, this.#next);
  }

  /** The last packet, while it has room and was not sent. */
  #open(): Segment | undefined {
    const made = this.#made;
    if (made === this.#sent) return undefined;
    const last = this.#at(made - 1)!;
    return last.end < last.limit ? last : undefined;
  }

  #roomForPacket(): boolean {
    const made = this.#made;
    if (made >= MAX_SEGMENTS) return false;
    return made === this.#sent && this.#flight === 0 ||
      this.#flight + this.#unsent < Math.min(this.#congestion.window, Math.max(this.peerWindow, this.#mtu.size));
  }

  #append(type: number, limit: number): Segment {
    const made = this.#made;
    if (made === this.#ring.length) {
      const ring: (Segment | undefined)[] = new Array(made * 2);
      for (let i = 0; i < made; i++) ring[this.#first + i & made * 2 - 1] = this.#at(i);
      this.#ring = ring;
    }
    const segment = this.#pool.take(type, this.#next, limit);
    this.#ring[this.#next & this.#ring.length - 1] = segment;
    this.#next = this.#next + 1 & 0xffff;
    return segment;
  }

  #candidate(): Segment | undefined {
    const { window } = this.#congestion;
    if (this.#lost > 0) {
      for (let i = 0; i < this.#sent; i++) {
        const segment = this.#at(i)!;
        if (!segment.lost) continue;
        return this.#flight === 0 || this.#flight + segment.end <= window ? segment : undefined;
      }
    }
    const made = this.#made;
    if (made === this.#sent) return undefined;
    const segment = this.#at(this.#sent)!;
    if (this.#flight > 0 && this.#flight + segment.end > window) return undefined;
    if (this.#flight + segment.end - HEADER_LENGTH > this.peerWindow && !this.#probeWindow) {
      // A window smaller than a packet must not stop us for good when nothing is under way.
      if (segment.type === PacketType.data) return undefined;
    }
    // Packing: while a small packet is under way, the next one waits to be full.
    const small = segment.end < segment.limit && this.#sent === made - 1;
    if (small && this.#smallInFlight()) return undefined;
    return segment;
  }

  #smallInFlight(): boolean {
    const last = this.#sent > 0 ? this.#at(this.#sent - 1)! : undefined;
    return last !== undefined && !last.acked && last.type === PacketType.data && last.end < last.limit;
  }

  /** Lets packets out evenly: whether one of so many bytes may go now. */
  #spend(now: number, bytes: number): boolean {
    // Twice the pace of a window in each round trip, so that it is never what holds us back.
    const rate = this.#rtt.mean === 0 ? Infinity : 2 * this.#congestion.window / this.#rtt.mean;
    const burst = Math.min(MAX_BURST * this.#mtu.size, MIN_BURST * this.#mtu.size + rate * TIMER);
    const passed = now - this.#tokensAt;
    this.#tokens = this.#tokensAt === 0 || passed > 0 && passed * rate >= burst
      ? burst
      : Math.min(burst, this.#tokens + (passed > 0 ? passed * rate : 0));
    this.#tokensAt = now;
    // Less than a byte is what rounding leaves.
    if (this.#tokens + 1 < bytes) return false;
    this.#tokens -= bytes;
    return true;
  }

  #pacedUntil(): number {
    const segment = this.#candidate();
    if (!segment) return Infinity;
    const rate = 2 * this.#congestion.window / this.#rtt.mean;
    return this.#tokensAt + Math.max(0, segment.end - this.#tokens) / rate;
  }

  #findLost(): void {
    for (let i = 0; i < this.#sent; i++) {
      const segment = this.#at(i)!;
      if (segment.inFlight && segment.order + REORDERING <= this.#arrivedOrder) this.#lose(segment);
    }
  }

  #lose(segment: Segment): void {
    const { order, probe } = segment;
    this.#drop(segment);
    if (probe || order <= this.#reducedAt) return;
    this.#congestion.lost();
    this.#reducedAt = this.#order;
  }

  #loseAll(): void {
    for (let i = 0; i < this.#sent; i++) {
      const segment = this.#at(i)!;
      if (segment.inFlight) this.#drop(segment);
    }
    this.#congestion.timedOut();
    this.#reducedAt = this.#order;
    this.#tailProbed = true;
  }

  /** It will be sent again. */
  #drop(segment: Segment): void {
    this.#flight -= segment.end;
    this.#lost++;
    if (segment.probe) this.#mtu.lost();
    segment.dropped();
  }
}
