import { NetError, ProtocolError } from "weft";
import { DelayHistory } from "./delay_history.ts";
import { Ledbat } from "./ledbat.ts";
import {
  addSelectiveAck,
  distance,
  type Header,
  HEADER_LENGTH,
  microseconds,
  type Packet,
  PacketType,
  padPacket,
  stateLength,
  writeHeader,
} from "./packet.ts";
import { PathMtu } from "./path_mtu.ts";
import { FIRST_WINDOW, ReceiveWindow } from "./receive_window.ts";
import { Receiver } from "./receiver.ts";
import { RoundTrip } from "./rtt.ts";
import type { Segment, SegmentPool } from "./segment.ts";
import { Sender } from "./sender.ts";

// A packet may wait so long for its ack, in the hope of others or of data to go with it (ms).
const ACK_DELAY = 5;
// Packets for one ack: two where they come slowly, as TCP does; more when they come faster than acks are worth.
const ACK_EVERY = 2;
const ACK_EVERY_FAST = 8;
// Acks that are nearer to each other than this (ms) tell nothing new.
const ACK_SPACING = 1;
// The first wait for an answer to a SYN (ms), each next one twice as long; and how many there are.
const SYN_TIMEOUT = 1_000;
const MAX_SYNS = 4;
// Less than the 30 s for which address translators remember who may answer (ms).
const KEEP_ALIVE = 29_000;
// Who lives says something in that time, libutp every 29 s and every BitTorrent client every two minutes (ms).
const SILENCE_LIMIT = 180_000;
// A closed connection sends what was written for at most so long (ms).
const CLOSE_LIMIT = 30_000;
// ... and then waits so long for the other side's end, and so long to acknowledge that once more (ms).
const LINGER = 5_000;
const LAST_ACKS = 1_000;
// Acknowledgements of what was never sent. Nobody's mistake: only who doesn't see our packets has to guess, such as who
// sends in another's name to have us flood that one.
const MAX_FALSE_ACKS = 100;
// Clocks don't jump: a difference beyond this (microseconds) is another path.
const MAX_DRIFT = 10_000;

/** What a {@link Connection} begins with. */
export interface ConnectionOptions {
  readonly now: number;
  readonly family: 4 | 6;
  /** The number in what we get, and in what we send. */
  readonly receiveId: number;
  readonly sendId: number;
  /** The first sequence number of ours: the SYN's when dialing, else that of the first data. */
  readonly seq: number;
  readonly pool: SegmentPool;
  /** What a dialer that has proven its address sent; none when dialing. */
  readonly accepted?: { readonly seq: number; readonly window: number };
}

/**
 * One uTP connection (BEP 29), without socket or clock: packets and times go in, datagrams come out. After every call
 * that changes it, {@link Connection.pollTransmit} is asked until it has nothing more, and
 * {@link Connection.pollTimeout} when to call {@link Connection.handleTimeout}. Times are milliseconds.
 */
export class Connection {
  /** Why it ended; undefined while it goes on, and when it ended as it should. */
  error: Error | undefined;
  state: "connecting" | "open" | "closed";
  readonly #options: ConnectionOptions;
  readonly #congestion: Ledbat;
  readonly #mtu: PathMtu;
  readonly #sender: Sender;
  readonly #rtt = new RoundTrip();
  readonly #room: ReceiveWindow;
  /** None before the other side's first number is known. */
  #receiver: Receiver | undefined;
  #syns = 0;
  #synAt: number;
  #resetWanted = false;
  #closing = false;
  #goneAt = Infinity;
  #lingering: "no" | "for their end" | "for last acks" = "no";
  #falseAcks = 0;
  #unacked = 0;
  #ackNow = false;
  #ackAt = Infinity;
  #ackedAt = -Infinity;
  #advertised = FIRST_WINDOW;
  #sentAt: number;
  #heardAt: number;
  /** How long their latest packet was under way, by both clocks (microseconds); 0 before the first. */
  #difference = 0;
  readonly #theirDelays = new DelayHistory();
  /** The shortest time that two packets took, one each way (ms): the round trip, also where we send nothing but acks. */
  #bothWays = Infinity;

  constructor(options: ConnectionOptions) {
    const { now, family, seq, pool, accepted } = options;
    this.#options = options;
    this.#room = new ReceiveWindow(now);
    this.#mtu = new PathMtu(family);
    this.#congestion = new Ledbat(this.#mtu.size);
    const parts = { mtu: this.#mtu, congestion: this.#congestion, rtt: this.#rtt, pool };
    this.#sender = new Sender(accepted ? seq : seq + 1 & 0xffff, accepted?.window ?? 0, parts);
    if (accepted) this.#receiver = new Receiver(accepted.seq, FIRST_WINDOW);
    this.#synAt = this.#sentAt = this.#heardAt = now;
    this.state = accepted ? "open" : "connecting";
  }

  /** The number in packets to us. */
  get id(): number {
    return this.#options.receiveId;
  }

  /** Bytes that wait to be read. */
  get readable(): number {
    return this.#receiver?.queue.length ?? 0;
  }

  /** Everything was read that there will be. */
  get ended(): boolean {
    return this.#receiver?.ended === true && this.readable === 0;
  }

  /** Whether {@link Connection.write} would take something. */
  get writable(): boolean {
    return this.state === "open" && this.#sender.writable;
  }

  /** Whether a packet with this number, of type RESET, may be about this connection: it may carry either of our ids. */
  knows(id: number): boolean {
    return id === this.#options.receiveId || id === this.#options.sendId;
  }

  /** Takes a packet in; `bytes` is its datagram, and holds during the call. */
  handlePacket(now: number, packet: Packet, bytes: Uint8Array): void {
    if (this.state === "closed") return;
    // Only who can see our packets, or guesses address, port and id, can forge one.
    if (packet.type === PacketType.reset) return this.#end(new NetError("reset", "Connection reset by peer"));
    if (this.state === "connecting") return this.#handleAnswer(now, packet);
    const receiver = this.#receiver!;
    if (packet.type === PacketType.syn) {
      // Our answer was lost.
      this.#ackNow ||= distance(packet.seq, receiver.ack) === 0;
      return;
    }
    this.#measure(now, packet);
    const mask = packet.sackLength > 0 ? bytes.subarray(packet.sack, packet.sack + packet.sackLength) : undefined;
    const bare = packet.type === PacketType.state;
    if (!this.#sender.acknowledge(now, packet.ack, mask, bare, packet.window)) {
      if (++this.#falseAcks > MAX_FALSE_ACKS) this.reset(new ProtocolError("Cannot take acks of what was not sent"));
      return;
    }
    if (!bare) this.#take(now, receiver, packet, bytes);
    this.#settle(now);
  }

  /** Takes as many of `bytes` as there is room for now; returns how many. They are copied. */
  write(bytes: Uint8Array): number {
    return this.state === "open" ? this.#sender.write(bytes) : 0;
  }

  /** Ends the outgoing direction, once all that was written has arrived. */
  finish(): void {
    if (this.state === "open") this.#sender.finish();
  }

  /** Moves what came to the start of `into`; returns how many bytes. */
  read(into: Uint8Array): number {
    const receiver = this.#receiver;
    if (!receiver) return 0;
    const count = receiver.queue.shift(into);
    // They may wait for room: told once there is much of it.
    const { capacity } = receiver;
    if (this.#advertised <= capacity / 2 && receiver.window - this.#advertised >= capacity / 4) {
      this.#ackNow = true;
    }
    return count;
  }

  /** Closes both directions. What was written is still sent, for a bounded time; what comes is thrown away. */
  close(now: number): void {
    if (this.state === "connecting") return this.#end(undefined);
    if (this.state === "closed" || this.#closing) return;
    this.#closing = true;
    this.#goneAt = now + CLOSE_LIMIT;
    this.#receiver!.discard();
    this.#sender.finish();
    this.#settle(now);
  }

  /** Ends it at once, and tells the other side. */
  reset(error?: Error): void {
    if (this.state === "closed") return;
    this.#resetWanted = this.state === "open";
    this.#end(error);
  }

  /** The next datagram to send, if there is one. It must have left before the pool that it is of is quiet. */
  pollTransmit(now: number): Uint8Array | undefined {
    if (this.state === "closed") return this.#resetWanted ? this.#resetPacket(now) : undefined;
    if (this.state === "connecting") return this.#synPacket(now);
    const receiver = this.#receiver!;
    // Only a packet of its own tells which packets came after a gap.
    if (this.#ackNow && receiver.sackLength > 0) return this.#statePacket(now, receiver);
    const segment = this.#sender.poll(now);
    if (segment) return this.#dataPacket(now, segment);
    const idle = now >= this.#sentAt + KEEP_ALIVE;
    if (idle) receiver.queue.trim();
    return idle || this.#ackNow || now >= this.#ackAt ? this.#statePacket(now, receiver) : undefined;
  }

  /** When to call {@link Connection.handleTimeout}; Infinity for never. */
  pollTimeout(): number {
    if (this.state === "closed") return Infinity;
    if (this.state === "connecting") return this.#synAt;
    const silent = Math.min(this.#sentAt + KEEP_ALIVE, this.#heardAt + SILENCE_LIMIT);
    return Math.min(this.#sender.deadline(), this.#ackAt, this.#goneAt, silent);
  }

  handleTimeout(now: number): void {
    if (this.state === "connecting" && now >= this.#synAt && this.#syns === MAX_SYNS) this.#fail();
    if (this.state !== "open") return;
    if (now >= this.#goneAt) {
      if (this.#lingering === "no") this.reset();
      else this.#end(undefined);
    } else if (now >= this.#heardAt + SILENCE_LIMIT || !this.#sender.expire(now)) this.#fail();
  }

  #handleAnswer(now: number, packet: Packet): void {
    if (packet.type !== PacketType.state || packet.ack !== this.#options.seq) return;
    this.#receiver = new Receiver(packet.seq, FIRST_WINDOW);
    this.#sender.peerWindow = packet.window;
    this.state = "open";
    if (this.#syns === 1) this.#rtt.sample(now - this.#sentAt);
    this.#measure(now, packet);
    // Proves that we are where we say; the first data, if it comes soon, does as well.
    this.#ackAt = now + ACK_DELAY;
  }

  #take(now: number, receiver: Receiver, packet: Packet, bytes: Uint8Array): void {
    const fin = packet.type === PacketType.fin;
    const taken = receiver.take(packet.seq, bytes.subarray(packet.data), fin);
    this.#room.received(now, bytes.length - packet.data, Math.min(this.#rtt.least, this.#bothWays));
    receiver.capacity = this.#room.size;
    if (taken === "next" && this.#lingering === "for their end" && !receiver.ended) return this.reset();
    this.#unacked++;
    if (taken !== "next" || fin || receiver.sackLength > 0) this.#ackNow = true;
    const slow = now - this.#ackedAt >= ACK_SPACING;
    if (this.#unacked >= (slow ? ACK_EVERY : ACK_EVERY_FAST)) this.#ackNow = true;
    this.#ackAt = Math.min(this.#ackAt, now + ACK_DELAY);
  }

  /** A closed connection is over once both directions are. */
  #settle(now: number): void {
    if (!this.#closing || !this.#sender.finished) return;
    if (this.#receiver!.ended) {
      if (this.#lingering !== "for last acks") this.#goneAt = now + LAST_ACKS;
      this.#lingering = "for last acks";
    } else if (this.#lingering === "no") {
      this.#lingering = "for their end";
      this.#goneAt = now + LINGER;
    }
  }

  #measure(now: number, packet: Packet): void {
    this.#heardAt = now;
    this.#difference = microseconds(now) - packet.timestamp >>> 0;
    if (packet.difference !== 0) {
      this.#congestion.delays.add(now, packet.difference);
      // By how much the clocks differ cancels out.
      this.#bothWays = Math.min(this.#bothWays, (packet.difference + this.#difference >>> 0) / 1_000);
    }
    const before = this.#theirDelays.base;
    this.#theirDelays.add(now, this.#difference);
    const drift = before === undefined ? 0 : before - this.#theirDelays.base! | 0;
    // Their clock falls behind ours: what looks like a shorter way there looks like a longer one here.
    if (drift > 0 && drift <= MAX_DRIFT) this.#congestion.delays.shift(drift);
  }

  #header(now: number, type: number, seq: number): Header {
    const window = this.#receiver?.window ?? FIRST_WINDOW;
    this.#advertised = window;
    this.#sentAt = now;
    return {
      type,
      id: this.#options.sendId,
      timestamp: microseconds(now),
      difference: this.#difference,
      window,
      seq,
      ack: this.#receiver?.ack ?? 0,
    };
  }

  #synPacket(now: number): Uint8Array | undefined {
    if (now < this.#synAt || this.#syns === MAX_SYNS) return undefined;
    this.#synAt = now + SYN_TIMEOUT * 2 ** this.#syns++;
    const packet = new Uint8Array(HEADER_LENGTH);
    // A SYN names the number that it wants to be answered with.
    writeHeader(packet, { ...this.#header(now, PacketType.syn, this.#options.seq), id: this.#options.receiveId });
    return packet;
  }

  #resetPacket(now: number): Uint8Array {
    this.#resetWanted = false;
    const packet = new Uint8Array(HEADER_LENGTH);
    writeHeader(packet, this.#header(now, PacketType.reset, this.#sender.seq));
    return packet;
  }

  #dataPacket(now: number, segment: Segment): Uint8Array {
    const pool = this.#options.pool;
    // What was sent before may still be read from.
    const bytes = segment.transmissions > 1 && !pool.quiet
      ? segment.buffer.slice(0, segment.end)
      : segment.buffer.subarray(0, segment.end);
    writeHeader(bytes, this.#header(now, segment.type, segment.seq));
    this.#acked(now);
    if (segment.transmissions > 1 || segment.type !== PacketType.data) return bytes;
    const probe = this.#mtu.probe;
    const padded = probe === undefined ? undefined : padPacket(bytes, probe);
    if (!padded) return bytes;
    this.#mtu.sent();
    segment.probe = true;
    return padded;
  }

  #statePacket(now: number, receiver: Receiver): Uint8Array {
    const { sackLength } = receiver;
    const packet = new Uint8Array(stateLength(sackLength));
    writeHeader(packet, this.#header(now, PacketType.state, this.#sender.seq));
    if (sackLength > 0) receiver.writeSack(addSelectiveAck(packet, sackLength));
    this.#acked(now);
    return packet;
  }

  #acked(now: number): void {
    [this.#unacked, this.#ackNow, this.#ackAt, this.#ackedAt] = [0, false, Infinity, now];
  }

  #fail(): void {
    this.reset(new NetError("timedOut", "Connection timed out: the peer did not answer"));
  }

  #end(error: Error | undefined): void {
    this.state = "closed";
    this.error = error;
    this.#sender.clear();
  }
}
