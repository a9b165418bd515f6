import { type ByteStream, NetError, type StreamListener } from "../../../api/mod.ts";
import type { PeerAddress } from "../../../wire/mod.ts";
import { netError } from "./error.ts";
import { canonical, DenoStream } from "./stream.ts";

// Without descriptors, accept fails at once and forever, while the connection stays in the queue: wait between tries.
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1000;

/** What Deno listens with. */
export interface Listening<Conn extends Deno.Conn<Deno.Addr>> {
  accept(): Promise<Conn>;
  close(): void;
}

/** Accepts connections, whatever they come over, as what `open` makes of them. */
export class Acceptor<Conn extends Deno.Conn<Deno.Addr>, Stream> {
  readonly #listener: Listening<Conn>;
  readonly #name: string;
  readonly #open: (conn: Conn) => Stream;
  #closed = false;
  #endPause: (() => void) | undefined;

  /** @param name where it listens, for errors */
  constructor(listener: Listening<Conn>, name: string, open: (conn: Conn) => Stream) {
    this.#listener = listener;
    this.#name = name;
    this.#open = open;
  }

  async accept(): Promise<Stream> {
    for (let pause = FIRST_PAUSE; !this.#closed;) {
      try {
        return await this.#next();
      } catch (error) {
        const { fault } = netError(error, "accept");
        if (fault === "tooManyFiles") {
          await this.#wait(pause);
          pause = Math.min(2 * pause, LONGEST_PAUSE);
        } else if (fault !== "reset" && !this.#closed) { // reset: the peer left before it was accepted
          throw netError(error, `accept on ${this.#name}`);
        }
      }
    }
    throw new NetError("closed", `Cannot accept on ${this.#name}: the listener is closed`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#endPause?.();
  }

  async #next(): Promise<Stream> {
    const conn = await this.#listener.accept();
    try {
      return this.#open(conn);
    } catch (error) {
      conn.close();
      throw error;
    }
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A TCP listener. */
export class DenoListener extends Acceptor<Deno.TcpConn, ByteStream> implements StreamListener {
  readonly address: PeerAddress;

  constructor(listener: Pick<Deno.TcpListener, "addr" | "accept" | "close">) {
    const address = canonical(listener.addr);
    super(listener, address.key, (conn) => new DenoStream(conn));
    this.address = address;
  }
}
