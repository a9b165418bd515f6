import { lookup } from "node:dns/promises";
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
} from "../../../api/mod.ts";
import { parseIp, type PeerAddress, peerAddress } from "../../../wire/mod.ts";
import { exchange, HttpConnection, httpPort, StaleConnectionError } from "../../http_client.ts";
import { HttpPool } from "../../http_pool.ts";
import { denoClock } from "../clock.ts";
import { DenoDatagramSocket } from "./datagram.ts";
import { joinGroup, listInterfaces } from "./multicast.ts";
import { DenoListener } from "./listener.ts";
import { netError } from "./error.ts";
import { serve } from "./serve.ts";
import { ConnStream, DenoStream } from "./stream.ts";
import { Turns } from "../turns.ts";

// A lookup holds one of the 32 threads that files are opened on, for many seconds when no server answers: a torrent
// with a hundred dead trackers must not stop the disk.
const MAX_LOOKUPS = 8;
const lookups = new Turns(MAX_LOOKUPS);
// A socket that is closed while it is read from keeps its port for a turn of the event loop or two.
const RELEASE_TURNS = 5;

/** The machine's network. */
export class DenoNet implements HostNet {
  readonly #caCerts: string[];
  readonly #pool = new HttpPool(denoClock);

  constructor(caCerts: readonly string[]) {
    this.#caCerts = [...caCerts];
  }

  async connect(to: PeerAddress, { signal }: { signal?: AbortSignal } = {}): Promise<ByteStream> {
    return new DenoStream(await this.#dial(to, signal));
  }

  async listen(
    { ip, port }: BindAddress,
    { reusePort = false }: { reusePort?: boolean } = {},
  ): Promise<StreamListener> {
    try {
      return new DenoListener(await onceFree(() => Deno.listen({ hostname: ip, port, reusePort })));
    } catch (error) {
      throw netError(error, `listen on "${ip}" port ${port}`);
    }
  }

  async datagrams({ ip, port }: BindAddress): Promise<DatagramSocket> {
    try {
      const socket = await onceFree(() => Deno.listenDatagram({ transport: "udp", hostname: ip, port }));
      return new DenoDatagramSocket(socket);
    } catch (error) {
      throw netError(error, `listen on UDP "${ip}" port ${port}`);
    }
  }

  // deno-lint-ignore require-await -- what Deno throws at once must reject
  async interfaces(): Promise<readonly NetworkInterface[]> {
    return listInterfaces();
  }

  multicast(options: MulticastOptions): Promise<DatagramSocket> {
    return joinGroup(options);
  }

  async resolve(name: string): Promise<readonly string[]> {
    const literal = parseIp(name.replace(/^\[(.*)\]$/, "$1"));
    if (literal) return [literal.text];
    try {
      const found = await lookups.take(() => lookup(name, { all: true, verbatim: true }));
      const ips = found.flatMap(({ address }) => parseIp(address)?.text ?? []);
      if (ips.length > 0) return [...new Set(ips)];
    } catch (error) {
      throw netError(error, `resolve "${name}"`);
    }
    throw new NetError("notFound", `Cannot resolve "${name}": it has no address`);
  }

  async http(request: HttpRequest): Promise<Response> {
    const { url, connectTo } = request;
    if (connectTo && !("ip" in connectTo)) return await exchange(await dialUnix(connectTo.path), request);
    if (!request.keepAlive) return await (await this.#connectHttp(request)).exchange(request);
    const key = `${connectTo?.key ?? ""} ${url.protocol}//${url.host}`;
    const keep = (connection: HttpConnection): void => this.#pool.give(key, connection);
    const idle = this.#pool.take(key);
    try {
      if (idle) return await idle.exchange(request, keep);
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error;
    }
    return await (await this.#connectHttp(request)).exchange(request, keep);
  }

  /** Closes what is kept open for further requests. */
  close(): void {
    this.#pool.close();
  }

  async #connectHttp({ url, connectTo, signal }: HttpRequest): Promise<HttpConnection> {
    const conn = connectTo && "ip" in connectTo
      ? await this.#dial(connectTo, signal)
      : await this.#dialName(url, signal);
    const secure = url.protocol === "https:";
    return new HttpConnection(new ConnStream(secure ? await this.#secure(conn, url, signal) : conn));
  }

  serve(at: BindAddress | { readonly path: string }, handler: HttpHandler): Promise<HttpServer> {
    return serve(at, handler);
  }

  /** What to connect to for an address: the address, or a name that stands for it. */
  protected hostname({ ip }: PeerAddress): string {
    return ip;
  }

  async #dial(to: PeerAddress, signal: AbortSignal | undefined): Promise<Deno.TcpConn> {
    signal?.throwIfAborted();
    let conn: Deno.TcpConn;
    try {
      conn = await Deno.connect({ hostname: this.hostname(to), port: to.port, signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw netError(error, `connect to ${to.key}`);
    }
    if (signal?.aborted) {
      conn.close();
      throw signal.reason;
    }
    return conn;
  }

  /** Tries the addresses of the URL's name in order. */
  async #dialName(url: URL, signal: AbortSignal | undefined): Promise<Deno.TcpConn> {
    let failure: unknown;
    for (const ip of await this.resolve(url.hostname)) {
      try {
        return await this.#dial(peerAddress(ip, httpPort(url)), signal);
      } catch (error) {
        signal?.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  /** TLS for the URL's name, whichever address the connection goes to. */
  async #secure(conn: Deno.TcpConn, url: URL, signal: AbortSignal | undefined): Promise<Deno.TlsConn> {
    const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const tls = await Deno.startTls(conn, { hostname, caCerts: this.#caCerts });
    const abort = () => tls.close();
    signal?.addEventListener("abort", abort);
    try {
      await tls.handshake();
      return tls;
    } catch (error) {
      signal?.throwIfAborted();
      tls.close();
      throw netError(error, `secure the connection to "${url.host}"`);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}

/** Binds a port, also one that this process has let go just now. */
async function onceFree<T>(bind: () => T): Promise<T> {
  for (let turn = 1;; turn++) {
    try {
      return bind();
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || turn === RELEASE_TURNS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

async function dialUnix(path: string): Promise<ConnStream> {
  try {
    return new ConnStream(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    throw netError(error, `connect to "${path}"`);
  }
}
