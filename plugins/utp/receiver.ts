import { ByteQueue } from "./byte_queue.ts";
import { distance } from "./packet.ts";

// A gap must not make us keep packets without end; a multiple of what a window holds of full packets.
const MAX_EARLY = 2048;
// What one of them costs at least, however small it is (bytes): who sends only those fills no more memory than others;
// but as many as this are kept in any case.
const EARLY_COST = 512;
const FEW_EARLY = 128;
const NOTHING = new Uint8Array();
// As many packets as one selective ack tells of, in bytes of its mask: more would not pay for itself.
const MAX_SACK = 64;

/** What became of a packet: it moved things on, it stands after a gap, it was there already, or there was no room. */
export type Received = "next" | "early" | "known" | "refused";

/** The incoming direction of a connection: puts packets in order, and says what it has. */
export class Receiver {
  readonly queue = new ByteQueue();
  /** Nobody reads any more: what comes is taken in and thrown away. */
  discarding = false;
  /** The most bytes that wait to be read. */
  capacity: number;
  /** By the lower bits of their sequence number. */
  readonly #early: (Uint8Array | undefined)[] = [];
  #earlyBytes = 0;
  #earlyCount = 0;
  /** How many numbers there are from the missing one to the furthest early one, both counted; 0 without a gap. */
  #span = 0;
  /** The packet that is missing. */
  #next: number;
  #fin: number | undefined;

  /**
   * @param next the sequence number of the first packet
   * @param capacity the most bytes that wait to be read, at first
   */
  constructor(next: number, capacity: number) {
    this.#next = next;
    this.capacity = capacity;
  }

  /** The last packet without gaps before it. */
  get ack(): number {
    return this.#next - 1 & 0xffff;
  }

  /** Bytes that there is room for. */
  get window(): number {
    return Math.max(0, this.capacity - this.queue.length - this.#earlyBytes);
  }

  /** Everything came, up to the other side's FIN. */
  get ended(): boolean {
    return this.#fin !== undefined && distance(this.#fin, this.#next) === 1;
  }

  /** Bytes of the mask that tells of packets after a gap, a multiple of 4; 0 without a gap. */
  get sackLength(): number {
    // The first bit stands for the packet after the missing one.
    return this.#span === 0 ? 0 : Math.min(MAX_SACK, Math.ceil((this.#span - 1) / 32) * 4);
  }

  /** Takes a packet with data, or a FIN. The data is copied. */
  take(seq: number, data: Uint8Array, fin: boolean): Received {
    const ahead = distance(this.#next, seq);
    if (ahead >= 0x8000) return "known";
    if (ahead >= MAX_EARLY || data.length > this.window) return "refused";
    // What stands after the end that was announced is a lie.
    if (this.#fin !== undefined && seq !== this.#fin && distance(this.#fin, seq) < 0x8000) return "refused";
    if (this.#fin !== undefined && fin !== (seq === this.#fin)) return "refused";
    if (ahead > 0 && this.#early[seq % MAX_EARLY]) return "known";
    if (ahead > 0 && this.#earlyCount >= Math.max(FEW_EARLY, this.capacity / EARLY_COST)) return "refused";
    if (fin) {
      if (ahead + 1 < this.#span) return "refused";
      this.#fin = seq;
    }
    if (ahead > 0) {
      const kept = this.discarding ? NOTHING : data.slice();
      this.#early[seq % MAX_EARLY] = kept;
      this.#earlyBytes += kept.length;
      this.#earlyCount++;
      this.#span = Math.max(this.#span, ahead + 1);
      return "early";
    }
    this.#append(data);
    while (this.#span > 0) {
      const slot = this.#next % MAX_EARLY;
      const early = this.#early[slot];
      if (!early) break;
      this.#early[slot] = undefined;
      this.#earlyBytes -= early.length;
      this.#earlyCount--;
      this.#append(early);
    }
    return "next";
  }

  /** Writes the mask of {@link Receiver.sackLength}. */
  writeSack(mask: Uint8Array): void {
    mask.fill(0);
    for (let i = 0; i < mask.length * 8 && i < this.#span - 1; i++) {
      if (this.#early[(this.#next + 1 + i & 0xffff) % MAX_EARLY]) mask[i >> 3] |= 1 << (i & 7);
    }
  }

  /** Nobody will read: forgets what waits, and throws away what comes. */
  discard(): void {
    this.discarding = true;
    this.queue.clear();
    this.#early.forEach((early, slot) => early && (this.#early[slot] = NOTHING));
    this.#earlyBytes = 0;
  }

  #append(data: Uint8Array): void {
    if (data.length > 0 && !this.discarding) this.queue.push(data);
    this.#next = this.#next + 1 & 0xffff;
    if (this.#span > 0) this.#span--;
  }
}
