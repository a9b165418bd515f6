import { type ByteStream, NetError, type StreamListener } from "../../../api/mod.ts";
import type { PeerAddress } from "../../../wire/mod.ts";
import { netError } from "./error.ts";
import { canonical, DenoStream } from "./stream.ts";

// Without descriptors, accept fails at once and forever, while the connection stays in the queue: wait between tries.
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1000;

/** A TCP listener. */
export class DenoListener implements StreamListener {
  readonly address: PeerAddress;
  readonly #listener: Pick<Deno.TcpListener, "addr" | "accept" | "close">;
  #closed = false;
  #endPause: (() => void) | undefined;

  constructor(listener: Pick<Deno.TcpListener, "addr" | "accept" | "close">) {
    this.#listener = listener;
    this.address = canonical(listener.addr);
  }

  async accept(): Promise<ByteStream> {
    for (let pause = FIRST_PAUSE; !this.#closed;) {
      try {
        return await this.#next();
      } catch (error) {
        const { fault } = netError(error, "accept");
        if (fault === "tooManyFiles") {
          await this.#wait(pause);
          pause = Math.min(2 * pause, LONGEST_PAUSE);
        } else if (fault !== "reset" && !this.#closed) { // reset: the peer left before it was accepted
          throw netError(error, `accept on ${this.address.key}`);
        }
      }
    }
    throw new NetError("closed", `Cannot accept on ${this.address.key}: the listener is closed`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#endPause?.();
  }

  async #next(): Promise<ByteStream> {
    const conn = await this.#listener.accept();
    try {
      return new DenoStream(conn);
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
