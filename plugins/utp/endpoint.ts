import {
  type ByteStream,
  type Clock,
  type EgressGrant,
  holderOf,
  NetError,
  type PeerAddress,
  type Random,
  type Timer,
  type UdpFlow,
  type UdpPort,
} from "weft";
import { Connection } from "./connection.ts";
import { HEADER_LENGTH, microseconds, type Packet, PacketType, readPacket, writeHeader } from "./packet.ts";
import { FIRST_WINDOW } from "./receive_window.ts";
import { SegmentPool } from "./segment.ts";
import { UtpStream } from "./stream.ts";
import { SynCookies } from "./syn_cookies.ts";

// The first packets of a dialer may be lost; the cookie is found again from those that follow.
const LATE_FIRST = 4;
// Answers to SYNs a second: what a flood may cost us. And to one host or IPv6 network: it must not use them all up.
const MAX_ANSWERS = 1_000;
const MAX_ANSWERS_TO_ONE = 50;
const SECOND = 1_000;
// More than any runtime keeps open; each may hold a window of bytes.
const MAX_CONNECTIONS = 4_000;
// With one host or IPv6 network, those that are being closed counted in: one host must not take every place.
const MAX_PER_HOLDER = 500;

/** What an {@link Endpoint} needs. */
export interface EndpointOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly udp: Pick<UdpPort, "open" | "pending">;
  /** Our own address as `remote` sees it, as far as that can be known. */
  readonly local: (remote: PeerAddress) => PeerAddress;
  /** Keeps the plugin's entry, until disposed of: a connection goes on. */
  readonly hold: () => Disposable;
}

interface Entry {
  readonly stream: UtpStream;
  readonly flow: UdpFlow;
  readonly holder: string;
  readonly hold: Disposable;
  /** A dial is under way; called once it is over. */
  opened: (() => void) | undefined;
  deadline: number;
}

/** All uTP connections of one UDP port: dials, accepts, and hands each packet to its connection. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #pool: SegmentPool;
  readonly #cookies: SynCookies;
  /** By the id in packets to us: other addresses may have chosen the same one. */
  readonly #entries = new Map<number, Entry[]>();
  readonly #byStream = new Map<UtpStream, Entry>();
  readonly #perHolder = new Map<string, number>();
  readonly #accept: ((stream: ByteStream) => void)[] = [];
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #answers = 0;
  #answersSince = 0;
  readonly #answersTo = new Map<string, number>();

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#pool = new SegmentPool(() => options.udp.pending === 0);
    this.#cookies = new SynCookies(options.random.bytes(8));
  }

  /** Connections that there are, also those that are being closed. */
  get size(): number {
    return this.#byStream.size;
  }

  /** Hands every stream that comes in to `accept`, until disposed of. */
  listen(accept: (stream: ByteStream) => void): Disposable {
    this.#accept.push(accept);
    return {
      [Symbol.dispose]: () => {
        const at = this.#accept.indexOf(accept);
        if (at >= 0) this.#accept.splice(at, 1);
      },
    };
  }

  /**
   * Opens a stream.
   *
   * @throws {NetError} when nobody answers, or the egress guard refuses the address
   */
  dial(to: PeerAddress, signal: AbortSignal, grant?: EgressGrant): Promise<ByteStream> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const flow = this.#options.udp.open(to, grant);
    if (!flow) {
      return Promise.reject(new NetError("denied", `Cannot connect to ${to.key}: egress.allow does not list it`));
    }
    const id = this.#freeId(to);
    if (id === undefined) return Promise.reject(new NetError("tooManyFiles", "Cannot connect: too many connections"));
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    const { clock, random } = this.#options;
    const connection = new Connection({
      now: clock.now(),
      family: to.family,
      receiveId: id,
      sendId: id + 1 & 0xffff,
      seq: random.below(0x10000),
      pool: this.#pool,
    });
    const abort = (): void => {
      reject(signal.reason);
      entry.stream.close(signal.reason);
    };
    const entry = this.#add(connection, flow, () => {
      signal.removeEventListener("abort", abort);
      if (connection.state === "open") resolve(entry.stream);
      else reject(connection.error ?? new NetError("closed", `Cannot connect to ${to.key}: the connection was closed`));
    });
    signal.addEventListener("abort", abort, { once: true });
    entry.stream.pump(clock.now());
    return promise;
  }

  /** Offers a datagram that nobody else could take; returns whether it was one of ours. It holds during the call. */
  take(bytes: Uint8Array, from: PeerAddress): boolean {
    return this.takeKnown(bytes, from) || this.takeNew(bytes, from);
  }

  /** Offers a datagram; returns whether it was of a connection of ours. It holds during the call. */
  takeKnown(bytes: Uint8Array, from: PeerAddress): boolean {
    const packet = readPacket(bytes);
    const entry = packet && this.#find(packet, from);
    entry?.stream.take(this.#options.clock.now(), packet!, bytes);
    return entry !== undefined;
  }

  /** Offers one that no connection anywhere took; returns whether it begins a connection. It holds during the call. */
  takeNew(bytes: Uint8Array, from: PeerAddress): boolean {
    const packet = this.#accept.length === 0 ? undefined : readPacket(bytes);
    if (!packet || packet.type === PacketType.reset) return false;
    const now = this.#options.clock.now();
    if (packet.type === PacketType.syn) return this.#answerSyn(now, packet, from);
    return this.#admit(now, packet, bytes, from);
  }

  /** Ends all connections at once. */
  close(reason: Error): void {
    for (const stream of [...this.#byStream.keys()]) stream.reset(reason);
    this.#timer?.cancel();
  }

  #find(packet: Packet, from: PeerAddress): Entry | undefined {
    // A SYN names the id that it wants in answers; ours is the next one.
    const id = packet.type === PacketType.syn ? packet.id + 1 & 0xffff : packet.id;
    const entry = this.#at(id, from);
    if (entry || packet.type !== PacketType.reset) return entry;
    // Whoever has forgotten a connection names it as we did.
    const other = this.#at(id - 1 & 0xffff, from) ?? this.#at(id + 1 & 0xffff, from);
    return other?.stream.connection.knows(id) ? other : undefined;
  }

  #at(id: number, from: PeerAddress): Entry | undefined {
    return this.#entries.get(id)?.find(({ flow }) => flow.to.key === from.key);
  }

  /** A SYN is answered in its own length, and forgotten. */
  #answerSyn(now: number, packet: Packet, from: PeerAddress): boolean {
    if (now - this.#answersSince >= SECOND) {
      [this.#answers, this.#answersSince] = [0, now];
      this.#answersTo.clear();
    }
    const holder = holderOf(from);
    const before = this.#answersTo.get(holder) ?? 0;
    const spent = this.#answers >= MAX_ANSWERS || before >= MAX_ANSWERS_TO_ONE;
    const flow = spent ? undefined : this.#options.udp.open(from);
    if (!flow) return true;
    this.#answers++;
    this.#answersTo.set(holder, before + 1);
    const answer = new Uint8Array(HEADER_LENGTH);
    writeHeader(answer, {
      type: PacketType.state,
      id: packet.id,
      timestamp: microseconds(now),
      difference: microseconds(now) - packet.timestamp >>> 0,
      window: FIRST_WINDOW,
      seq: this.#cookies.make(now, from.key, packet.id, packet.seq),
      ack: packet.seq,
    });
    flow.send(answer);
    return true;
  }

  /** The first packet of who got our answer to its SYN makes a connection. */
  #admit(now: number, packet: Packet, bytes: Uint8Array, from: PeerAddress): boolean {
    const [id, seq] = [packet.id - 1 & 0xffff, packet.ack + 1 & 0xffff];
    let syn: number | undefined;
    for (let back = 1; back <= LATE_FIRST && syn === undefined; back++) {
      const tried = packet.seq - back & 0xffff;
      if (this.#cookies.matches(now, seq, from.key, id, tried)) syn = tried;
    }
    if (syn === undefined) return false;
    if ((this.#perHolder.get(holderOf(from)) ?? 0) >= MAX_PER_HOLDER || !this.#hasRoom()) return false;
    const flow = this.#options.udp.open(from);
    if (!flow) return false;
    const connection = new Connection({
      now,
      family: from.family,
      receiveId: packet.id,
      sendId: id,
      seq,
      pool: this.#pool,
      accepted: { seq: syn + 1 & 0xffff, window: packet.window },
    });
    const { stream } = this.#add(connection, flow);
    stream.take(now, packet, bytes);
    this.#accept.at(-1)!(stream);
    return true;
  }

  #add(connection: Connection, flow: UdpFlow, opened?: () => void): Entry {
    const { clock, local, hold } = this.#options;
    const stream = new UtpStream({ clock, changed: this.#changed }, connection, flow, local(flow.to));
    const entry: Entry = { stream, flow, holder: holderOf(flow.to), hold: hold(), opened, deadline: Infinity };
    this.#byStream.set(stream, entry);
    this.#perHolder.set(entry.holder, 1 + (this.#perHolder.get(entry.holder) ?? 0));
    const same = this.#entries.get(connection.id);
    if (same) same.push(entry);
    else this.#entries.set(connection.id, [entry]);
    return entry;
  }

  readonly #changed = (stream: UtpStream): void => {
    const entry = this.#byStream.get(stream);
    if (!entry) return;
    const { connection } = stream;
    if (entry.opened && connection.state !== "connecting") {
      entry.opened();
      entry.opened = undefined;
    }
    if (connection.state === "closed") return this.#forget(entry);
    entry.deadline = connection.pollTimeout();
    if (entry.deadline < this.#timerAt) this.#arm(entry.deadline);
  };

  #forget(entry: Entry): void {
    const { connection } = entry.stream;
    this.#byStream.delete(entry.stream);
    const left = this.#entries.get(connection.id)!.filter((each) => each !== entry);
    if (left.length > 0) this.#entries.set(connection.id, left);
    else this.#entries.delete(connection.id);
    const others = this.#perHolder.get(entry.holder)! - 1;
    if (others > 0) this.#perHolder.set(entry.holder, others);
    else this.#perHolder.delete(entry.holder);
    entry.hold[Symbol.dispose]();
    if (this.#byStream.size === 0) this.#arm(Infinity);
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at < Infinity) {
      this.#timer = this.#options.clock.after(Math.max(0, at - this.#options.clock.now()), this.#expire);
    }
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    // No stream arms it while they are asked one by one.
    this.#timerAt = -Infinity;
    const now = this.#options.clock.now();
    for (const entry of [...this.#byStream.values()]) if (entry.deadline <= now) entry.stream.expire(now);
    let next = Infinity;
    for (const { deadline } of this.#byStream.values()) next = Math.min(next, deadline);
    this.#arm(next);
  };

  /** Whether there is room for one more. One that was closed here, and waits for the other side alone, gives its place. */
  #hasRoom(): boolean {
    if (this.size < MAX_CONNECTIONS) return true;
    const closed = this.#byStream.keys().find((stream) => stream.closed);
    closed?.reset(new NetError("closed", "Stream is closed"));
    return closed !== undefined;
  }

  #freeId(to: PeerAddress): number | undefined {
    for (let tries = 0; tries < 16 && this.#hasRoom(); tries++) {
      const id = this.#options.random.below(0x10000);
      if (!this.#at(id, to)) return id;
    }
    return undefined;
  }
}
