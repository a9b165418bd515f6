import { type ByteStream, NetError } from "../../../api/mod.ts";
import { type PeerAddress, peerAddress } from "../../../wire/mod.ts";
import { netError } from "./error.ts";

type Conn = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/** Any connection of Deno's: TCP, TLS or a Unix socket. */
export class ConnStream implements Omit<ByteStream, "local" | "remote"> {
  readonly #conn: Conn;
  #held: Uint8Array | undefined;
  #closed: Error | undefined;
  #rejectWrite: (reason: Error) => void = () => {};

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  read(into: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#held) return Promise.resolve(this.#readHeld(this.#held, into));
    return this.#conn.read(into).then(zeroAtEnd, this.#fail);
  }

  unread(bytes: Uint8Array): void {
    const held = this.#held ?? new Uint8Array();
    const joined = new Uint8Array(bytes.length + held.length);
    joined.set(bytes);
    joined.set(held, bytes.length);
    this.#held = joined.length > 0 ? joined : undefined;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      this.#writeAll(bytes, resolve);
    });
  }

  async closeWrite(): Promise<void> {
    if (this.#closed) throw this.#closed;
    try {
      await this.#conn.closeWrite();
    } catch (error) {
      this.#fail(error);
    }
  }

  close(reason: Error = new NetError("closed", "Stream is closed")): void {
    if (this.#closed) return;
    this.#closed = reason;
    // In Deno 2.4, a write that waits for the peer outlives the connection's close.
    this.#rejectWrite(reason);
    // Deno's close throws when the resource is already gone, which is what was wanted.
    try {
      this.#conn.close();
    } catch { /* gone */ }
  }

  #readHeld(held: Uint8Array, into: Uint8Array): number {
    const part = held.subarray(0, into.length);
    into.set(part);
    this.#held = part.length < held.length ? held.subarray(part.length) : undefined;
    return part.length;
  }

  #writeAll(bytes: Uint8Array, resolve: () => void): void {
    this.#conn.write(bytes).then((written) => {
      if (written < bytes.length) this.#writeAll(bytes.subarray(written), resolve);
      else resolve();
    }, (error) => this.#rejectWrite(this.#failure(error)));
  }

  #failure(error: unknown): Error {
    return this.#closed ?? netError(error, "use the connection");
  }

  readonly #fail = (error: unknown): never => {
    throw this.#failure(error);
  };
}

/** A TCP connection. */
export class DenoStream extends ConnStream implements ByteStream {
  readonly local: PeerAddress;
  readonly remote: PeerAddress;

  constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    super(conn);
    this.local = canonical(conn.localAddr);
    this.remote = canonical(conn.remoteAddr);
    // A message waits for nobody: the writer above coalesces. It fails only when the peer has already left.
    try {
      if ("setNoDelay" in conn) conn.setNoDelay(true);
    } catch { /* the first read will say so */ }
  }
}

/** Deno's address as ours. Throws ProtocolError on a port of 0, which only a forged datagram comes from. */
export function canonical(address: { hostname: string; port: number }): PeerAddress {
  return peerAddress(address.hostname, address.port);
}

function zeroAtEnd(length: number | null): number {
  return length ?? 0;
}
