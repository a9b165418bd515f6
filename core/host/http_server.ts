/**
 * An HTTP/1.1 server over any listener: as many connections as it may hold and no more, none that stays silent, and
 * none that outlives it.
 *
 * Not `Deno.serve`: that waits for a silent client for ever, and ends for good when descriptors run out once.
 *
 * @module
 */
import type { Clock, HttpHandler, HttpServer, Timer } from "../api/mod.ts";
import type { PeerAddress } from "../wire/mod.ts";
import { HttpConnection, type HttpService, type HttpStream } from "./http_connection.ts";

// How often deadlines are looked at (ms): they are long, and a timer for each request would cost more than the rest.
const SWEEP_INTERVAL = 1_000;
// After an accept that failed (ms): whatever it was, a server comes back.
const ACCEPT_PAUSE = 1_000;
// How long close() lets exchanges finish (ms): enough for the answer that is on its way, not for an event stream.
const CLOSE_GRACE = 500;

/** Where connections come from. */
export interface HttpListener {
  accept(): Promise<HttpStream>;
  close(): void;
}

/** What {@link ListeningServer} needs. */
export interface ListeningOptions {
  readonly listener: HttpListener;
  readonly handler: HttpHandler;
  readonly clock: Pick<Clock, "now" | "wall" | "after">;
  /** Where it listens; none on a Unix socket. */
  readonly address?: PeerAddress;
  /** Connections that it holds at once. */
  readonly maxConnections: number;
}

/** Serves from the moment it is made. */
export class ListeningServer implements HttpServer {
  readonly #options: ListeningOptions;
  readonly #service: HttpService;
  /** Oldest first. */
  readonly #open = new Set<HttpConnection>();
  #sweeping: Timer | undefined;
  #closed = false;
  #drained = (): void => {};

  constructor(options: ListeningOptions) {
    this.#options = options;
    const { clock, handler } = options;
    this.#service = { handler, now: () => clock.now(), date: dates(clock), buffers: [] };
    void this.#accept();
  }

  get address(): PeerAddress | undefined {
    return this.#options.address;
  }

  /** Accepts no more, lets the answers under way go out for a moment, and closes what is left. */
  async close(): Promise<void> {
    const { listener, clock } = this.#options;
    if (this.#closed) return;
    this.#closed = true;
    listener.close();
    for (const connection of this.#open) if (connection.listening) connection.close();
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(CLOSE_GRACE, resolve);
        this.#drained = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    for (const connection of this.#open) connection.close();
    this.#sweeping?.cancel();
  }

  async #accept(): Promise<void> {
    const { listener, clock } = this.#options;
    while (!this.#closed) {
      try {
        this.#serve(await listener.accept());
      } catch {
        if (!this.#closed) await new Promise<void>((resolve) => void clock.after(ACCEPT_PAUSE, resolve));
      }
    }
  }

  #serve(stream: HttpStream): void {
    if (this.#open.size >= this.#options.maxConnections && !this.#makeRoom()) return stream.close();
    const connection = new HttpConnection(this.#service, stream);
    this.#open.add(connection);
    void connection.run().then(() => {
      this.#open.delete(connection);
      if (this.#open.size === 0) this.#drained();
    });
    this.#sweep();
  }

  /**
   * Closes the connection whose client is waited for the longest, among those of the address that has the most of them:
   * who holds many loses one before who holds one does. Returns whether there was any.
   */
  #makeRoom(): boolean {
    const byAddress = new Map<string | undefined, HttpConnection[]>();
    let most: HttpConnection[] = [];
    for (const connection of this.#open) {
      if (connection.deadline === Infinity) continue;
      const same = byAddress.get(connection.ip) ?? [];
      byAddress.set(connection.ip, same);
      same.push(connection);
      if (same.length > most.length) most = same;
    }
    most[0]?.close();
    this.#open.delete(most[0]);
    return most.length > 0;
  }

  #sweep(): void {
    this.#sweeping ??= this.#options.clock.after(SWEEP_INTERVAL, () => {
      this.#sweeping = undefined;
      const now = this.#service.now();
      for (const connection of this.#open) if (connection.deadline <= now) connection.expire();
      if (this.#open.size > 0) this.#sweep();
    });
  }
}

/** The time as HTTP writes it, made once a second. */
function dates(clock: Pick<Clock, "now" | "wall">): () => string {
  let text = "";
  let until = -Infinity;
  return () => {
    const now = clock.now();
    if (now >= until) {
      text = new Date(clock.wall()).toUTCString();
      until = now + 1_000;
    }
    return text;
  };
}
