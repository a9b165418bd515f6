import {
  type BindAddress,
  type ByteStream,
  type DatagramSocket,
  type HostNet,
  type HttpHandler,
  type HttpRequest,
  type HttpServer,
  type MulticastOptions,
  NetError,
  type NetworkInterface,
  type StreamListener,
} from "../../api/mod.ts";
import { parseIp, type PeerAddress, peerAddress } from "../../wire/mod.ts";
import { exchange, httpPort } from "../http_client.ts";
import { MemoryDatagramSocket } from "./datagram.ts";
import { interfacesOf, MemoryMulticastSocket } from "./datagram_multicast.ts";
import { MemoryHttpServer, orAborted } from "./http.ts";
import type { Life } from "./life.ts";
import { type Packet, sizeOf } from "./link.ts";
import { MemoryListener } from "./listener.ts";
import { checkOwnAddress, type Machine, sourceIp } from "./machine.ts";
import type { MemoryNetwork } from "./network.ts";
import type { Wire } from "./pipe.ts";
import type { PortTable } from "./ports.ts";
import { connectStreams } from "./stream.ts";

// As Linux does it: an unanswered SYN is sent again, and given up after about two minutes.
const SYN_INTERVAL = 1000;
const SYN_ATTEMPTS = 127;
// The largest packet where no link says otherwise, as on Ethernet (bytes).
const DEFAULT_MTU = 1500;

/** The network as one process on one machine sees it. */
export class MemoryNet implements HostNet {
  constructor(readonly network: MemoryNetwork, readonly machine: Machine, readonly life: Life) {}

  async connect(to: PeerAddress, { signal }: { signal?: AbortSignal } = {}): Promise<ByteStream> {
    signal?.throwIfAborted();
    const { listener, from } = await this.#reach(to, signal);
    if (!(listener instanceof MemoryListener)) {
      await this.#answer(to, from, signal);
      throw refused(to.key);
    }
    const [stream, accepted] = connectStreams(
      this.network.timeline,
      { address: peerAddress(from, this.machine.tcp.ephemeral()), life: this.life, wire: this.#wire(from, to.ip) },
      { address: to, life: listener.life, wire: this.#wire(to.ip, from) },
    );
    listener.push(accepted);
    try {
      await this.#answer(to, from, signal);
    } catch (error) {
      stream.close();
      throw error;
    }
    return stream;
  }

  async listen(at: BindAddress, { reusePort = false }: { reusePort?: boolean } = {}): Promise<StreamListener> {
    const { tcp } = this.machine;
    const release = (listener: MemoryListener) => tcp.release(listener.address.port, listener);
    return await this.#bind(tcp, at, (address) => new MemoryListener(address, this.life, release), reusePort);
  }

  async datagrams(at: BindAddress): Promise<DatagramSocket> {
    const make = (address: PeerAddress) => new MemoryDatagramSocket(address, this.network, this.machine, this.life);
    return await this.#bind(this.machine.udp, at, make);
  }

  async interfaces(): Promise<readonly NetworkInterface[]> {
    await this.life.step();
    return interfacesOf(this.machine);
  }

  async multicast(options: MulticastOptions): Promise<DatagramSocket> {
    await this.life.step();
    return new MemoryMulticastSocket(options, this.network, this.machine, this.life);
  }

  async resolve(name: string): Promise<readonly string[]> {
    await this.#wait(this.network.latency);
    const literal = parseIp(name.replace(/^\[(.*)\]$/, "$1"));
    if (literal) return [literal.text];
    const found = name === "localhost" ? ["127.0.0.1"] : this.network.names.get(name.toLowerCase());
    if (!found) throw new NetError("notFound", `Cannot resolve "${name}": no such host`);
    return found;
  }

  async http(request: HttpRequest): Promise<Response> {
    const { url, signal, connectTo } = request;
    signal?.throwIfAborted();
    if (connectTo && !("ip" in connectTo)) {
      const server = this.machine.unix.get(connectTo.path);
      if (!server) throw refused(connectTo.path);
      return await this.life.guard(server.answer(request));
    }
    const to = connectTo ?? peerAddress((await this.resolve(url.hostname))[0], httpPort(url));
    const { listener, from } = await this.#reach(to, signal);
    // A test may put a raw listener where a server is expected, to answer what no handler could.
    if (listener instanceof MemoryListener) return await exchange(await this.connect(to, { signal }), request);
    if (!listener) {
      await this.#answer(to, from, signal);
      throw refused(to.key);
    }
    const response = await this.life.guard(listener.answer(request, peerAddress(from, this.machine.tcp.ephemeral())));
    await this.#answer(to, from, signal);
    return response;
  }

  async serve(at: BindAddress | { readonly path: string }, handler: HttpHandler): Promise<HttpServer> {
    const { tcp, unix } = this.machine;
    if (!("path" in at)) {
      const release = (server: MemoryHttpServer) => server.address && tcp.release(server.address.port, server);
      return await this.#bind(tcp, at, (address) => new MemoryHttpServer(address, handler, this.life, release));
    }
    await this.life.step();
    const { path } = at;
    if (unix.has(path)) throw new NetError("inUse", `Cannot listen on "${path}": the address is already in use`);
    const release = () => void (unix.get(path) === server && unix.delete(path));
    const server = new MemoryHttpServer(undefined, handler, this.life, release);
    unix.set(path, server);
    this.life.atEnd(release);
    return server;
  }

  async #bind<T, H extends T & { address?: PeerAddress }>(
    table: PortTable<T>,
    at: BindAddress,
    make: (address: PeerAddress) => H,
    reusePort = false,
  ): Promise<H> {
    await this.life.step();
    checkOwnAddress(this.machine, parseIp(at.ip)?.text ?? at.ip);
    const holder = table.bind(at, make, reusePort);
    this.life.atEnd(() => table.release(holder.address!.port, holder));
    return holder;
  }

  /** Gets a SYN through: who listens there, if anyone. */
  async #reach(
    to: PeerAddress,
    signal?: AbortSignal,
  ): Promise<{ listener: MemoryListener | MemoryHttpServer | undefined; from: string }> {
    const { network, machine } = this;
    const from = sourceIp(machine, to.ip);
    for (let attempt = 0; attempt < SYN_ATTEMPTS; attempt++) {
      const again = network.timeline.now + SYN_INTERVAL;
      const target = network.machineAt(to.ip, machine);
      const hidden = target?.nat && target !== machine;
      if (await this.#cross(from, to.ip, signal) && target && !hidden) {
        const listeners = target.tcp.find(to.ip, to.port);
        const listener = listeners.length > 1 ? listeners[network.random.below(listeners.length)] : listeners[0];
        if (!(listener instanceof MemoryListener && listener.full)) return { listener, from };
      }
      await this.#wait(again - network.timeline.now, signal);
    }
    throw timedOut(to);
  }

  /** Gets the answer to a SYN through. */
  async #answer(from: PeerAddress, to: string, signal?: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < SYN_ATTEMPTS; attempt++) {
      if (await this.#cross(from.ip, to, signal)) return;
      await this.#wait(SYN_INTERVAL, signal);
    }
    throw timedOut(from);
  }

  /** Sends a packet without payload; resolves once it arrived, or to false when it is lost. */
  #cross(from: string, to: string, signal?: AbortSignal): Promise<boolean> {
    const crossed = new Promise<boolean>((resolve) => {
      const settle = (arrived: boolean) => this.life.alive && resolve(arrived);
      this.network.transmit({ from, to, bytes: 0, kind: "stream" }, () => settle(true), () => settle(false));
    });
    return orAborted(crossed, signal);
  }

  #wire(from: string, to: string): Wire {
    const { network } = this;
    const there = { from, to, kind: "stream" } as const;
    const back: Packet = { from: to, to: from, bytes: 0, kind: "stream" };
    const headers = sizeOf({ ...there, bytes: 0 });
    return {
      linked: () => network.path(from, to) !== undefined || network.path(to, from) !== undefined,
      delay: (bytes) => network.delay({ ...there, bytes }),
      mss: () => Math.min(DEFAULT_MTU, network.path(from, to)?.mtu ?? DEFAULT_MTU) - headers,
      there: (bytes, arrive) => network.transmit({ ...there, bytes }, arrive),
      back: (arrive) => network.transmit(back, arrive),
    };
  }

  #wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
    const { timeline } = this.network;
    const waited = new Promise<void>((resolve) => {
      timeline.after(milliseconds, () => this.life.alive && resolve());
    });
    return orAborted(waited, signal);
  }
}

function refused(where: string): NetError {
  return new NetError("refused", `Cannot connect to ${where}: connection refused`);
}

function timedOut(to: PeerAddress): NetError {
  return new NetError("timedOut", `Cannot connect to ${to.key}: timed out`);
}
