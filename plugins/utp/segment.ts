import { HEADER_LENGTH } from "./packet.ts";
import { MAX_DATAGRAM } from "./path_mtu.ts";

// Packets whose memory is kept for packets to come, over all connections: 1.5 MiB.
const MAX_FREE = 1024;

/** One packet that is sent until it is acknowledged. Its buffer holds header and data. */
export class Segment {
  readonly buffer = new Uint8Array(MAX_DATAGRAM);
  type = 0;
  seq = 0;
  /** Bytes in the buffer, and the most there may be. */
  end = 0;
  limit = 0;
  transmissions = 0;
  /** When it was last sent, and the how manieth transmission of the connection that was. */
  sentAt = 0;
  order = 0;
  inFlight = false;
  lost = false;
  acked = false;
  /** Its last transmission was padded, to find out how much the path carries. */
  probe = false;

  send(now: number, order: number): void {
    this.transmissions++;
    [this.sentAt, this.order, this.inFlight, this.lost, this.probe] = [now, order, true, false, false];
  }

  dropped(): void {
    [this.inFlight, this.lost, this.probe] = [false, true, false];
  }

  arrived(): void {
    [this.inFlight, this.lost, this.acked] = [false, false, true];
  }
}

/** Packets and their buffers, used again once nobody reads from them any more. */
export class SegmentPool {
  /** The most bytes that a packet may have. */
  readonly size = MAX_DATAGRAM;
  readonly #free: Segment[] = [];
  readonly #busy: Segment[] = [];
  readonly #quiet: () => boolean;
  /** Packets that were taken and not released. */
  used = 0;

  /** @param quiet whether all that was sent has left: while it hasn't, buffers of packets may still be read from */
  constructor(quiet: () => boolean) {
    this.#quiet = quiet;
  }

  get quiet(): boolean {
    return this.#quiet();
  }

  take(type: number, seq: number, limit: number): Segment {
    this.used++;
    if (this.#free.length === 0) this.#reclaim();
    const segment = this.#free.pop() ?? new Segment();
    [segment.type, segment.seq, segment.end, segment.limit] = [type, seq, HEADER_LENGTH, limit];
    [segment.transmissions, segment.inFlight, segment.lost, segment.acked] = [0, false, false, false];
    segment.probe = false;
    return segment;
  }

  release(segment: Segment): void {
    this.used--;
    if (this.#busy.length < MAX_FREE) this.#busy.push(segment);
  }

  #reclaim(): void {
    if (!this.quiet) return;
    while (this.#busy.length > 0) this.#free.push(this.#busy.pop()!);
  }
}
