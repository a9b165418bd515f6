import type { SeededRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";

// Headers of IP and UDP, or of IP and TCP without options: 20 bytes of IPv4 or 40 of IPv6, and 8 or 20 (bytes).
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const HEADERS = { datagram: 8, stream: 20 };

// What reordered packets are held back by at most, where a link doesn't say (ms).
const REORDER_BY = 10;
// A queue holds so much of its link's bandwidth where it doesn't say (ms), and never less than ten full packets: without
// the latter, slow links would drop every burst.
const QUEUE_MS = 100;
const MIN_QUEUE = 15_000;
// RFC 791: what every host must be able to receive (bytes).
const MIN_MTU = 68;

/** One packet on its way. */
export interface Packet {
  /** Canonical IP texts. */
  readonly from: string;
  readonly to: string;
  /** Bytes, headers not counted. */
  readonly bytes: number;
  readonly kind: "stream" | "datagram";
}

/** What a link does to packets, in one direction. All of it may be left out: a link of 1 ms that does no harm then. */
export interface LinkOptions {
  /** Milliseconds that a packet travels, after it has left the queue; 1 if not given. */
  readonly latency?: number;
  /** Milliseconds that may come on top, at random; packets stay in order. */
  readonly jitter?: number;
  /** The share of packets that get lost on the way, 0 to 1. */
  readonly loss?: number;
  /** The share of packets that are held back, so that later ones overtake them, 0 to 1. */
  readonly reorder?: number;
  /** Milliseconds that they are held back at most; 10 if not given. */
  readonly reorderBy?: number;
  /** The share of packets that arrive twice, 0 to 1. */
  readonly duplicate?: number;
  /** Bytes a second, headers counted; no limit if not given. */
  readonly bandwidth?: number;
  /**
   * Bytes that wait for their turn at most, headers counted: what comes on top is dropped. If not given, what the link
   * carries in 100 ms, and at least 15,000. Without a bandwidth nothing waits.
   */
  readonly queue?: number;
  /** Bytes of the largest packet, headers counted (28 of UDP over IPv4, 48 over IPv6); no limit if not given. */
  readonly mtu?: number;
  /**
   * What becomes of a datagram that is larger: it vanishes ("drop", if not given), or sending it fails at once, as with
   * EMSGSIZE ("refuse"). Streams keep to the MTU.
   */
  readonly oversize?: "drop" | "refuse";
}

/** What happened on a link so far, in packets unless it says otherwise. */
export interface LinkCounts {
  /** Sent over it, whatever came of them. */
  packets: number;
  /** Bytes that left the queue, headers counted. */
  bytes: number;
  lost: number;
  /** Dropped since the queue was full. */
  dropped: number;
  oversize: number;
  reordered: number;
  duplicated: number;
  /** The longest that a packet waited in the queue, in milliseconds. */
  longestWait: number;
}

/** Bytes of a packet with its headers. */
export function sizeOf({ to, kind, bytes }: Packet): number {
  return bytes + (to.includes(":") ? IPV6_HEADER : IPV4_HEADER) + HEADERS[kind];
}

/** Where a packet passes on its way. Exactly one of the two is called, `arrive` perhaps twice. */
export interface Hop {
  /** Bytes of the largest packet. */
  readonly mtu: number;
  readonly oversize: "drop" | "refuse";
  pass(packet: Packet, arrive: () => void, lost: () => void): void;
}

/** One direction of a link: a drop-tail queue in front of a wire. */
export class Link implements Hop {
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  #options!: LinkOptions;
  /** When the wire is free, and when what keeps its order arrived last. */
  #free = 0;
  #latest = 0;
  readonly counts: LinkCounts = {
    packets: 0,
    bytes: 0,
    lost: 0,
    dropped: 0,
    oversize: 0,
    reordered: 0,
    duplicated: 0,
    longestWait: 0,
  };

  /** @throws {Error} as {@link set} does */
  constructor(timeline: Timeline, random: SeededRandom, options: LinkOptions) {
    this.#timeline = timeline;
    this.#random = random;
    this.set(options);
  }

  get options(): LinkOptions {
    return this.#options;
  }

  get mtu(): number {
    return this.#options.mtu ?? Infinity;
  }

  get oversize(): "drop" | "refuse" {
    return this.#options.oversize ?? "drop";
  }

  /** Milliseconds that a packet would wait in the queue now. */
  get wait(): number {
    return Math.max(0, this.#free - this.#timeline.now);
  }

  /**
   * Makes it another link from now on; what is on its way arrives as it would have.
   *
   * @throws {Error} when a value is out of range
   */
  set(options: LinkOptions): void {
    for (const [key, value] of Object.entries(options)) check(key, value);
    this.#options = options;
  }

  pass(packet: Packet, arrive: () => void, lost: () => void): void {
    const { counts } = this;
    const bytes = sizeOf(packet);
    const { latency = 1, jitter, loss, reorder, reorderBy = REORDER_BY, duplicate } = this.#options;
    counts.packets++;
    if (bytes > this.mtu) {
      counts.oversize++;
      return lost();
    }
    const left = this.#enqueue(bytes);
    if (left === undefined) {
      counts.dropped++;
      return lost();
    }
    counts.bytes += bytes;
    if (this.#happens(loss)) {
      counts.lost++;
      return lost();
    }
    const at = left + latency + (jitter ? this.#fraction() * jitter : 0);
    if (this.#happens(reorder)) {
      counts.reordered++;
      this.#at(at + this.#fraction() * reorderBy, arrive);
    } else {
      this.#at(this.#latest = Math.max(this.#latest, at), arrive);
    }
    if (this.#happens(duplicate)) {
      counts.duplicated++;
      this.#at(at + this.#fraction() * reorderBy, arrive);
    }
  }

  /** When the packet has left; undefined when the queue is full. What is half sent waits with its other half. */
  #enqueue(bytes: number): number | undefined {
    const { now } = this.#timeline;
    const { bandwidth = Infinity } = this.#options;
    if (bandwidth === Infinity) return now;
    const { queue = Math.max(MIN_QUEUE, bandwidth * QUEUE_MS / 1_000) } = this.#options;
    const { wait } = this;
    const waiting = wait * bandwidth / 1_000;
    if (waiting > 0 && waiting + bytes > queue) return undefined;
    this.counts.longestWait = Math.max(this.counts.longestWait, wait);
    return this.#free = now + wait + bytes * 1_000 / bandwidth;
  }

  #happens(chance: number | undefined): boolean {
    return !!chance && this.#fraction() < chance;
  }

  /** From 0 up to, not including, 1. */
  #fraction(): number {
    return this.#random.uint32() / 2 ** 32;
  }

  #at(time: number, run: () => void): void {
    this.#timeline.after(time - this.#timeline.now, run);
  }
}

function check(key: string, value: unknown): void {
  if (value === undefined || key === "oversize") return;
  const share = ["loss", "reorder", "duplicate"].includes(key);
  const least = key === "mtu" ? MIN_MTU : key === "bandwidth" ? 1 : 0;
  if (typeof value === "number" && value >= least && value <= (share ? 1 : Infinity)) return;
  const range = share ? "0 to 1" : `${least} or more`;
  throw new Error(`Cannot make a link: ${key} must be ${range}, not "${value}"`);
}
