import { type DatagramSocket, NetError } from "../../api/mod.ts";
import { type PeerAddress, peerAddress } from "../../wire/mod.ts";
import type { Life } from "./life.ts";
import { type Machine, sourceIp } from "./machine.ts";
import type { MemoryNetwork } from "./network.ts";
import type { DatagramReceiver } from "./receiver.ts";

// What Deno's UDP socket holds before the kernel drops: about 92 datagrams of 1,400 bytes.
export const RECEIVE_QUEUE = 92;
// The largest UDP payload.
const MAX_DATAGRAM = 65_507;

/** A UDP socket on a memory host: no order, no promise of delivery, a bounded queue. */
export class MemoryDatagramSocket implements DatagramSocket, DatagramReceiver {
  protected readonly network: MemoryNetwork;
  protected readonly machine: Machine;
  readonly #queue: { bytes: Uint8Array; from: PeerAddress }[] = [];
  readonly #forget: () => void;
  #waiting:
    | { into: Uint8Array; resolve(got: { bytes: Uint8Array; from: PeerAddress }): void; reject(error: Error): void }
    | undefined;
  #closed = false;

  constructor(readonly address: PeerAddress, network: MemoryNetwork, machine: Machine, life: Life) {
    this.network = network;
    this.machine = machine;
    this.#forget = life.atEnd(() => {
      this.#closed = true;
      this.#waiting = undefined;
      this.release();
    });
  }

  receive(into: Uint8Array): Promise<{ bytes: Uint8Array; from: PeerAddress }> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (this.#waiting) return Promise.reject(new Error("Cannot receive: another receive is pending"));
    const next = this.#queue.shift();
    if (next) return Promise.resolve(fill(into, next.bytes, next.from));
    return new Promise((resolve, reject) => {
      this.#waiting = { into, resolve, reject };
    });
  }

  send(bytes: Uint8Array, to: PeerAddress): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (bytes.length > MAX_DATAGRAM) {
      return Promise.reject(
        new NetError(
          "io",
          `Cannot send to ${to.key}: a datagram has at most ${MAX_DATAGRAM} bytes, not ${bytes.length}`,
        ),
      );
    }
    try {
      this.launch(bytes, to);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.release();
    this.#waiting?.reject(this.#closedError());
    this.#waiting = undefined;
  }

  /** Gives its port back. */
  protected release(): void {
    this.machine.udp.release(this.address.port, this);
  }

  protected launch(bytes: Uint8Array, to: PeerAddress): void {
    const bound = this.address.ip;
    if (to.family === 6 && !bound.includes(":")) {
      throw new NetError("unreachable", `Cannot send to ${to.key}: the socket is bound to IPv4 "${bound}"`);
    }
    const wildcard = bound === "::" || bound === "0.0.0.0";
    const ip = wildcard ? sourceIp(this.machine, to.ip) : bound;
    const from = wildcard ? peerAddress(ip, this.address.port) : this.address;
    const target = this.network.machineAt(to.ip, this.machine);
    const away = target !== this.machine;
    const { timeline } = this.network;
    const seen = away && this.machine.nat ? this.machine.nat.leave(timeline.now, from, to) : from;
    const copy = bytes.slice();
    this.network.transmit({ from: ip, to: to.ip, bytes: bytes.length, kind: "datagram" }, () => {
      const port = away && target?.nat ? target.nat.enter(timeline.now, seen, to.port) : to.port;
      const sockets = port === undefined ? [] : target?.udp.find(to.ip, port) ?? [];
      if (sockets.length > 0) sockets[sockets.length - 1].arrive(copy, seen);
    });
  }

  /** A datagram came for it. */
  arrive(bytes: Uint8Array, from: PeerAddress): void {
    const waiting = this.#waiting;
    if (waiting) {
      this.#waiting = undefined;
      waiting.resolve(fill(waiting.into, bytes, from));
    } else if (this.#queue.length < RECEIVE_QUEUE) {
      this.#queue.push({ bytes, from });
    }
  }

  #closedError(): NetError {
    return new NetError("closed", `Cannot use the UDP socket ${this.address.key}: it is closed`);
  }
}

function fill(into: Uint8Array, bytes: Uint8Array, from: PeerAddress): { bytes: Uint8Array; from: PeerAddress } {
  const part = bytes.subarray(0, into.length);
  into.set(part);
  return { bytes: into.subarray(0, part.length), from };
}
