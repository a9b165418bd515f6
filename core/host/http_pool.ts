/** Connections that servers keep open for the next request (RFC 9112, 9.3). @module */
import type { Clock, Timer } from "../api/mod.ts";
import type { HttpConnection } from "./http_client.ts";

// Servers close connections that are idle for longer: nginx after 75 s, Node after 5.
const IDLE_TIME = 4_000;
// More to one server than anybody asks at once; the rest is closed.
const MAX_IDLE = 16;

interface Idle {
  readonly key: string;
  readonly connection: HttpConnection;
  readonly timer: Timer;
}

/** Idle connections by where they lead. */
export class HttpPool {
  readonly #clock: Clock;
  /** The one that was used last stands last. */
  readonly #idle: Idle[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The connection that was idle for the shortest time, for one request; it is no longer in the pool. */
  take(key: string): HttpConnection | undefined {
    const at = this.#idle.findLastIndex((idle) => idle.key === key);
    if (at < 0) return undefined;
    const [{ connection, timer }] = this.#idle.splice(at, 1);
    timer.cancel();
    return connection;
  }

  /** Keeps a connection for a while. */
  give(key: string, connection: HttpConnection): void {
    if (this.#idle.length === MAX_IDLE) this.#drop(this.#idle[0]);
    const idle: Idle = { key, connection, timer: this.#clock.after(IDLE_TIME, () => this.#drop(idle)) };
    this.#idle.push(idle);
  }

  /** Closes all that is idle. */
  close(): void {
    for (const idle of [...this.#idle]) this.#drop(idle);
  }

  #drop(idle: Idle): void {
    const at = this.#idle.indexOf(idle);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    idle.timer.cancel();
    idle.connection.close();
  }
}
