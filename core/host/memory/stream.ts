import { type ByteStream, NetError } from "../../api/mod.ts";
import type { PeerAddress } from "../../wire/mod.ts";
import type { Life } from "./life.ts";
import { Pipe, type Wire } from "./pipe.ts";
import type { Timeline } from "./timeline.ts";

/** One end of a connection between two memory hosts. */
export class MemoryStream implements ByteStream {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #forget: () => void;
  #held: Uint8Array | undefined;
  #closed: Error | undefined;

  constructor(
    readonly local: PeerAddress,
    readonly remote: PeerAddress,
    incoming: Pipe,
    outgoing: Pipe,
    life: Life,
  ) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    incoming.onReset = () => outgoing.stop();
    incoming.onUnwanted = () => outgoing.reset();
    this.#forget = life.atEnd(() => this.#abandon());
  }

  read(into: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (!this.#held) return this.#incoming.read(into);
    const part = this.#held.subarray(0, into.length);
    into.set(part);
    this.#held = part.length < this.#held.length ? this.#held.subarray(part.length) : undefined;
    return Promise.resolve(part.length);
  }

  unread(bytes: Uint8Array): void {
    const held = this.#held ?? new Uint8Array();
    const joined = new Uint8Array(bytes.length + held.length);
    joined.set(bytes);
    joined.set(held, bytes.length);
    this.#held = joined.length > 0 ? joined : undefined;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#closed ? Promise.reject(this.#closed) : this.#outgoing.write(bytes);
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    this.#outgoing.finish();
    return Promise.resolve();
  }

  close(reason: Error = new NetError("closed", "Stream is closed")): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#forget();
    const unread = this.#incoming.unread;
    this.#incoming.breakReads(reason);
    this.#outgoing.breakWrites(reason);
    this.#outgoing.finish();
    // As TCP does: the other side learns by a reset that bytes it sent were never read.
    if (unread) this.#outgoing.reset();
  }

  #abandon(): void {
    this.#incoming.abandon();
    this.#outgoing.abandon();
    this.#incoming.breakReads(new NetError("closed", "The process was killed"));
    this.#outgoing.reset();
  }
}

/** Two connected ends. `wire` leads from each to the other. */
export function connectStreams(
  timeline: Timeline,
  client: { address: PeerAddress; life: Life; wire: Wire },
  server: { address: PeerAddress; life: Life; wire: Wire },
): [client: MemoryStream, server: MemoryStream] {
  const up = new Pipe(timeline, client.wire);
  const down = new Pipe(timeline, server.wire);
  return [
    new MemoryStream(client.address, server.address, down, up, client.life),
    new MemoryStream(server.address, client.address, up, down, server.life),
  ];
}
