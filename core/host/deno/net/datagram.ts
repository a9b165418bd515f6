import { type DatagramSocket, NetError } from "../../../api/mod.ts";
import type { PeerAddress } from "../../../wire/mod.ts";
import { netError } from "./error.ts";
import { canonical } from "./stream.ts";

/** A UDP socket. One bound to "::" speaks IPv4 too. */
export class DenoDatagramSocket implements DatagramSocket {
  readonly address: PeerAddress;
  readonly #socket: Deno.DatagramConn;
  readonly #six: boolean;
  protected closed = false;
  #latest: { sender: Deno.NetAddr; address: PeerAddress } | undefined;

  constructor(socket: Deno.DatagramConn) {
    const address = socket.addr as Deno.NetAddr;
    this.#socket = socket;
    this.#six = address.hostname.includes(":");
    this.address = canonical(address);
  }

  async receive(into: Uint8Array): Promise<{ bytes: Uint8Array; from: PeerAddress }> {
    try {
      for (;;) {
        const [bytes, from] = await this.#socket.receive(into);
        const sender = from as Deno.NetAddr;
        // Port 0 can't be answered: only a forged datagram has it.
        if (sender.port !== 0) return { bytes, from: this.#addressOf(sender) };
      }
    } catch (error) {
      throw this.failure(error, "receive on");
    }
  }

  async send(bytes: Uint8Array, to: PeerAddress): Promise<void> {
    const hostname = this.#six && to.family === 4 ? `::ffff:${to.ip}` : to.ip;
    try {
      await this.#socket.send(bytes, { transport: "udp", hostname, port: to.port });
    } catch (error) {
      throw this.failure(error, `send to ${to.key} from`);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#socket.close();
  }

  /** Datagrams come in runs from one sender: its address is parsed once for a run. */
  #addressOf(sender: Deno.NetAddr): PeerAddress {
    const latest = this.#latest;
    if (latest?.sender.port === sender.port && latest.sender.hostname === sender.hostname) return latest.address;
    const address = canonical(sender);
    this.#latest = { sender, address };
    return address;
  }

  protected failure(error: unknown, action: string): NetError {
    if (this.closed) return new NetError("closed", `Cannot use the UDP socket ${this.address.key}: it is closed`);
    return netError(error, `${action} ${this.address.key}`);
  }
}
