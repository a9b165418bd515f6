/**
 * The listening sockets of plugins. The kernel owns them, so that they outlive the code that uses them: while an entry
 * is replaced, old and new generation stand in line for the same socket, and nothing that arrives is lost.
 *
 * @module
 */
import {
  type BindAddress,
  type ByteStream,
  type DatagramSocket,
  type HostNet,
  type HttpHandler,
  type HttpServer,
  NetError,
  type StreamListener,
} from "../api/mod.ts";
import type { PeerAddress } from "../wire/mod.ts";

/** What plugins listen with. */
export type Sockets = Pick<HostNet, "listen" | "datagrams"> & {
  serve(at: BindAddress, handler: HttpHandler): Promise<HttpServer>;
};

type Kind = "listen" | "datagrams" | "serve";

/** One socket and those who hold it. The first in line uses it. */
interface Shared {
  readonly kind: Kind;
  readonly at: BindAddress;
  readonly address: PeerAddress | undefined;
  readonly owners: Iterable<object>;
  /** Another holder, behind those that are there. */
  join(owner: object, handler?: HttpHandler): { close(): unknown };
  /** The owner takes no new work: those behind it go first. */
  retire(owner: object): void;
}

/** All sockets that plugins listen with. */
export class SocketPool {
  readonly #net: HostNet;
  readonly #shared = new Set<Shared>();
  #yielding: ReadonlySet<object> = new Set();

  constructor(net: HostNet) {
    this.#net = net;
  }

  /** Until disposed of, sockets that only `owners` hold may be joined: these are about to be retired. */
  yield(owners: Iterable<object>): Disposable {
    this.#yielding = new Set(owners);
    return { [Symbol.dispose]: () => void (this.#yielding = new Set()) };
  }

  /** The sockets as one entry's generation sees them. */
  for(owner: object): Sockets {
    return {
      listen: async (at) => {
        const known = this.#yielded("listen", at);
        return (known ?? this.#keep(new SharedListener(at, await this.#net.listen(at), this.#drop))).join(
          owner,
        ) as StreamListener;
      },
      datagrams: async (at) => {
        const known = this.#yielded("datagrams", at);
        return (known ?? this.#keep(new SharedDatagrams(at, await this.#net.datagrams(at), this.#drop))).join(
          owner,
        ) as DatagramSocket;
      },
      serve: async (at, handler) => {
        const known = this.#yielded("serve", at) as SharedServer | undefined;
        if (known) return known.join(owner, handler);
        const server = new SharedServer(at, this.#drop);
        const joined = server.join(owner, handler);
        server.served = await this.#net.serve(at, (request, from) => server.handle(request, from));
        this.#shared.add(server);
        return joined;
      },
    };
  }

  /** An owner takes no new work any more; what its sockets already gave it lives on. */
  retire(owner: object): void {
    for (const shared of [...this.#shared]) shared.retire(owner);
  }

  readonly #drop = (shared: Shared): void => void this.#shared.delete(shared);

  #keep<S extends Shared>(shared: S): S {
    this.#shared.add(shared);
    return shared;
  }

  #yielded(kind: Kind, { ip, port }: BindAddress): Shared | undefined {
    for (const shared of this.#shared) {
      const samePort = port !== 0 && (port === shared.at.port || port === shared.address?.port);
      if (shared.kind !== kind || shared.at.ip !== ip || !samePort) continue;
      if ([...shared.owners].every((owner) => this.#yielding.has(owner))) return shared;
    }
    return undefined;
  }
}

function closed(): NetError {
  return new NetError("closed", "the socket is closed");
}

/** Connections go to the first in line that is still open; what it didn't take passes on. */
class SharedListener implements Shared {
  readonly kind = "listen";
  readonly #line: ListenerHolder[] = [];
  /** Came while nobody waited: the first in line left with its question under way. */
  readonly #ready: ByteStream[] = [];
  #accepting = false;

  constructor(
    readonly at: BindAddress,
    readonly socket: StreamListener,
    readonly dropped: (shared: Shared) => void,
  ) {}

  get address(): PeerAddress {
    return this.socket.address;
  }

  get owners(): object[] {
    return this.#line.map(({ owner }) => owner);
  }

  join(owner: object): StreamListener {
    const holder: ListenerHolder = { owner, waiting: [] };
    this.#line.push(holder);
    return {
      address: this.address,
      accept: () =>
        new Promise((resolve, reject) => {
          if (!this.#line.includes(holder)) return reject(closed());
          holder.waiting.push({ resolve, reject });
          this.#accept();
        }),
      close: () => this.#leave(holder),
    };
  }

  retire(owner: object): void {
    for (const holder of this.#line.filter((each) => each.owner === owner)) this.#leave(holder);
  }

  #leave(holder: ListenerHolder): void {
    const at = this.#line.indexOf(holder);
    if (at < 0) return;
    this.#line.splice(at, 1);
    for (const { reject } of holder.waiting) reject(closed());
    if (this.#line.length > 0) return this.#accept();
    this.dropped(this);
    this.socket.close();
    for (const stream of this.#ready) stream.close(closed());
  }

  #accept(): void {
    if (!this.#line[0]?.waiting.length) return;
    const ready = this.#ready.shift();
    if (ready) return this.#give(ready);
    if (this.#accepting) return;
    this.#accepting = true;
    this.socket.accept().then((stream) => {
      this.#accepting = false;
      this.#give(stream);
    }, (error) => {
      this.#accepting = false;
      for (const { reject } of this.#line[0]?.waiting.splice(0) ?? []) reject(error);
    });
  }

  #give(stream: ByteStream): void {
    const taker = this.#line.find(({ waiting }) => waiting.length > 0);
    if (taker) taker.waiting.shift()!.resolve(stream);
    else if (this.#line.length > 0) this.#ready.push(stream);
    else stream.close(closed());
    this.#accept();
  }
}

interface ListenerHolder {
  readonly owner: object;
  readonly waiting: { resolve(stream: ByteStream): void; reject(error: unknown): void }[];
}

/** Datagrams go to the first in line; a retired holder may still send. */
class SharedDatagrams implements Shared {
  readonly kind = "datagrams";
  #line: DatagramHolder[] = [];
  #receiving = false;

  constructor(
    readonly at: BindAddress,
    readonly socket: DatagramSocket,
    readonly dropped: (shared: Shared) => void,
  ) {}

  get address(): PeerAddress {
    return this.socket.address;
  }

  get owners(): object[] {
    return this.#line.map(({ owner }) => owner);
  }

  join(owner: object): DatagramSocket {
    const holder: DatagramHolder = { owner };
    this.#line.push(holder);
    const open = (): boolean => this.#line.includes(holder);
    return {
      address: this.address,
      receive: (into) =>
        new Promise((resolve, reject) => {
          if (!open()) return reject(closed());
          holder.waiting = { into, resolve, reject };
          this.#receive();
        }),
      send: (bytes, to) => open() ? this.socket.send(bytes, to) : Promise.reject(closed()),
      close: () => {
        if (!open()) return;
        this.#line = this.#line.filter((each) => each !== holder);
        holder.waiting?.reject(closed());
        if (this.#line.length > 0) return this.#receive();
        this.dropped(this);
        this.socket.close();
      },
    };
  }

  retire(owner: object): void {
    // Behind the others: alone, it goes on receiving what its peers still send.
    this.#line.sort((a, b) => Number(a.owner === owner) - Number(b.owner === owner));
    this.#receive();
  }

  #receive(): void {
    const waiting = this.#line[0]?.waiting;
    if (this.#receiving || !waiting) return;
    this.#receiving = true;
    this.socket.receive(waiting.into).then(({ bytes, from }) => {
      this.#receiving = false;
      const holder = this.#line[0];
      const taker = holder?.waiting;
      if (taker) {
        holder.waiting = undefined;
        // Another one became the first meanwhile: it gets a copy, as much as it has room for.
        const taken = taker === waiting ? bytes : taker.into.subarray(0, Math.min(bytes.length, taker.into.length));
        if (taker !== waiting) taken.set(bytes.subarray(0, taken.length));
        taker.resolve({ bytes: taken, from });
      }
      this.#receive();
    }, (error) => {
      this.#receiving = false;
      const holder = this.#line[0];
      const failed = holder?.waiting;
      if (!holder || !failed) return;
      holder.waiting = undefined;
      failed.reject(error);
    });
  }
}

interface DatagramHolder {
  readonly owner: object;
  waiting?: {
    readonly into: Uint8Array;
    resolve(datagram: { bytes: Uint8Array; from: PeerAddress }): void;
    reject(error: unknown): void;
  };
}

/** Requests go to the first in line. */
class SharedServer implements Shared {
  readonly kind = "serve";
  served!: HttpServer;
  readonly #line: { readonly owner: object; readonly handler: HttpHandler }[] = [];

  constructor(readonly at: BindAddress, readonly dropped: (shared: Shared) => void) {}

  get address(): PeerAddress | undefined {
    return this.served.address;
  }

  get owners(): object[] {
    return this.#line.map(({ owner }) => owner);
  }

  handle(request: Request, from?: PeerAddress): Response | Promise<Response> {
    return this.#line[0]?.handler(request, from) ?? new Response("this server stops", { status: 503 });
  }

  join(owner: object, handler?: HttpHandler): HttpServer {
    const holder = { owner, handler: handler! };
    this.#line.push(holder);
    const address = (): PeerAddress | undefined => this.address;
    return {
      get address() {
        return address();
      },
      close: () => this.#leave(holder),
    };
  }

  retire(owner: object): void {
    for (const holder of this.#line.filter((each) => each.owner === owner)) void this.#leave(holder);
  }

  async #leave(holder: { readonly owner: object; readonly handler: HttpHandler }): Promise<void> {
    const at = this.#line.indexOf(holder);
    if (at < 0) return;
    this.#line.splice(at, 1);
    if (this.#line.length > 0) return;
    this.dropped(this);
    await this.served.close();
  }
}
