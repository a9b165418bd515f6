import { type ByteStream, NetError, type StreamListener } from "../../api/mod.ts";
import type { PeerAddress } from "../../wire/mod.ts";
import type { Life } from "./life.ts";
import type { MemoryStream } from "./stream.ts";

// Linux's listen queue as Deno asks for it: connections that nobody accepted yet. Further ones are dropped.
const BACKLOG = 128;

/** A listening socket on a memory host. */
export class MemoryListener implements StreamListener {
  readonly #queue: MemoryStream[] = [];
  readonly #waiting: { resolve(stream: ByteStream): void; reject(error: Error): void }[] = [];
  readonly #forget: () => void;
  #closed = false;

  constructor(readonly address: PeerAddress, readonly life: Life, readonly release: (holder: MemoryListener) => void) {
    this.#forget = life.atEnd(() => {
      this.#closed = true;
      this.#waiting.length = 0;
    });
  }

  get full(): boolean {
    return this.#queue.length >= BACKLOG;
  }

  accept(): Promise<ByteStream> {
    if (this.#closed) return Promise.reject(this.#closedError());
    const stream = this.#queue.shift();
    if (stream) return Promise.resolve(stream);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.release(this);
    for (const stream of this.#queue) stream.close();
    for (const { reject } of this.#waiting) reject(this.#closedError());
    this.#queue.length = this.#waiting.length = 0;
  }

  /** Hands over a connection that has arrived. */
  push(stream: MemoryStream): void {
    const waiting = this.#waiting.shift();
    if (this.#closed) stream.close();
    else if (waiting) waiting.resolve(stream);
    else this.#queue.push(stream);
  }

  #closedError(): NetError {
    return new NetError("closed", `Cannot accept on ${this.address.key}: the listener is closed`);
  }
}
