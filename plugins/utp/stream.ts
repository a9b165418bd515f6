import { type ByteStream, type Clock, NetError, type PeerAddress, type UdpFlow } from "weft";
import type { Connection } from "./connection.ts";
import type { Packet } from "./packet.ts";

// Reads are settled one by one while packets come further apart than this (ms), and else together, once all that is
// there was taken: a reader costs more than a packet.
const RUN = 1;

/** What a stream needs of its endpoint. */
export interface StreamHost {
  readonly clock: Clock;
  /** The stream's next timeout may have changed, or it is over. */
  changed(stream: UtpStream): void;
}

interface PendingRead {
  readonly into: Uint8Array;
  resolve(count: number): void;
  reject(error: Error): void;
}

interface PendingWrite {
  bytes: Uint8Array;
  resolve(): void;
  reject(error: Error): void;
}

/** A connection as a stream of bytes: promises over the machine. */
export class UtpStream implements ByteStream {
  readonly connection: Connection;
  readonly #host: StreamHost;
  readonly #flow: UdpFlow;
  readonly local: PeerAddress;
  #held: Uint8Array | undefined;
  #closed: Error | undefined;
  #reading: PendingRead | undefined;
  #writing: PendingWrite | undefined;
  #deliveredAt = -Infinity;
  #delivering = false;

  constructor(host: StreamHost, connection: Connection, flow: UdpFlow, local: PeerAddress) {
    this.#host = host;
    this.connection = connection;
    this.#flow = flow;
    this.local = local;
  }

  get remote(): PeerAddress {
    return this.#flow.to;
  }

  /** It was closed at this end. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  read(into: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#held) return Promise.resolve(this.#readHeld(this.#held, into));
    const { connection } = this;
    if (connection.readable > 0) {
      const count = connection.read(into);
      this.pump(this.#host.clock.now());
      return Promise.resolve(count);
    }
    if (connection.ended) return Promise.resolve(0);
    if (connection.state === "closed") return Promise.reject(connection.error ?? closed());
    if (this.#reading) return Promise.reject(new Error("Cannot read: another read is pending"));
    return new Promise((resolve, reject) => void (this.#reading = { into, resolve, reject }));
  }

  unread(bytes: Uint8Array): void {
    const held = this.#held ?? new Uint8Array();
    const joined = new Uint8Array(bytes.length + held.length);
    joined.set(bytes);
    joined.set(held, bytes.length);
    this.#held = joined.length > 0 ? joined : undefined;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.connection.state === "closed") return Promise.reject(this.connection.error ?? closed());
    if (this.#writing) return Promise.reject(new Error("Cannot write: another write is pending"));
    return new Promise((resolve, reject) => {
      this.#writing = { bytes, resolve, reject };
      this.pump(this.#host.clock.now());
    });
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    this.connection.finish();
    this.pump(this.#host.clock.now());
    return Promise.resolve();
  }

  close(reason: Error = closed()): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#held = undefined;
    this.#reject(reason);
    const now = this.#host.clock.now();
    this.connection.close(now);
    this.pump(now);
  }

  /** A packet came; `bytes` is its datagram. */
  take(now: number, packet: Packet, bytes: Uint8Array): void {
    this.connection.handlePacket(now, packet, bytes);
    this.#deliver(now);
    this.pump(now);
  }

  /** Time passed. */
  expire(now: number): void {
    this.connection.handleTimeout(now);
    this.pump(now);
  }

  /** Ends it at once, and tells the other side. */
  reset(error: Error): void {
    this.connection.reset(error);
    this.pump(this.#host.clock.now());
  }

  /** Sends what may be sent, and settles what is done. */
  pump(now: number): void {
    const { connection } = this;
    do {
      this.#feed();
      for (let bytes = connection.pollTransmit(now); bytes; bytes = connection.pollTransmit(now)) {
        this.#flow.send(bytes);
      }
    } while (this.#writing && connection.writable);
    if (connection.state === "closed") this.#over();
    this.#host.changed(this);
  }

  #feed(): void {
    const writing = this.#writing;
    if (!writing) return;
    const taken = this.connection.write(writing.bytes);
    if (taken < writing.bytes.length) writing.bytes = writing.bytes.subarray(taken);
    else {
      this.#writing = undefined;
      writing.resolve();
    }
  }

  #deliver(now: number): void {
    if (!this.#reading || this.#delivering || this.connection.readable === 0 && !this.connection.ended) return;
    if (now - this.#deliveredAt >= RUN) return this.#settleRead(now);
    this.#delivering = true;
    void this.#host.clock.turn().then(() => {
      this.#delivering = false;
      const now = this.#host.clock.now();
      this.#settleRead(now);
      this.pump(now);
    });
  }

  #settleRead(now: number): void {
    const reading = this.#reading;
    if (!reading) return;
    this.#reading = undefined;
    this.#deliveredAt = now;
    reading.resolve(this.connection.read(reading.into));
  }

  #over(): void {
    this.#settleLast();
    this.#reject(this.connection.error ?? closed());
  }

  /** What came before the end can be read. */
  #settleLast(): void {
    if (this.#reading && this.connection.readable > 0) this.#settleRead(this.#host.clock.now());
  }

  #reject(reason: Error): void {
    const [reading, writing] = [this.#reading, this.#writing];
    this.#reading = this.#writing = undefined;
    reading?.reject(reason);
    writing?.reject(reason);
  }

  #readHeld(held: Uint8Array, into: Uint8Array): number {
    const part = held.subarray(0, into.length);
    into.set(part);
    this.#held = part.length < held.length ? held.subarray(part.length) : undefined;
    return part.length;
  }
}

function closed(): NetError {
  return new NetError("closed", "Stream is closed");
}
