/** The stream once both sides agreed: the same calls, with RC4 between. @module */
import type { ByteStream, PeerAddress } from "weft";
import type { Agreement } from "./handshake.ts";
import type { Rc4 } from "./rc4.ts";
import type { WriteBuffers } from "./write_buffers.ts";

/**
 * The stream that an agreement was made over, from where its handshake ended. In plaintext it is the stream itself, but
 * for the initial payload.
 */
export function secureStream(stream: ByteStream, agreement: Agreement, buffers: WriteBuffers): ByteStream {
  const { cipher, initial, rest } = agreement;
  if (rest.length > 0) stream.unread(rest);
  return cipher === "plaintext" && initial === 0 ? stream : new SecureStream(stream, agreement, buffers);
}

class SecureStream implements ByteStream {
  readonly #stream: ByteStream;
  readonly #receive: Rc4;
  readonly #send: Rc4 | undefined;
  readonly #buffers: WriteBuffers;
  /** How many of the bytes to come are encrypted. */
  #encrypted: number;
  #held: Uint8Array | undefined;
  #into: Uint8Array = new Uint8Array();

  constructor(stream: ByteStream, { cipher, send, receive, initial }: Agreement, buffers: WriteBuffers) {
    this.#stream = stream;
    this.#receive = receive;
    this.#send = cipher === "rc4" ? send : undefined;
    this.#encrypted = cipher === "rc4" ? Infinity : initial;
    this.#buffers = buffers;
  }

  get local(): PeerAddress {
    return this.#stream.local;
  }

  get remote(): PeerAddress {
    return this.#stream.remote;
  }

  read(into: Uint8Array): Promise<number> {
    if (this.#held) return Promise.resolve(this.#readHeld(this.#held, into));
    if (this.#encrypted === 0) return this.#stream.read(into);
    // One read may be pending at a time, so that no closure is made for each.
    this.#into = into.length > this.#encrypted ? into.subarray(0, this.#encrypted) : into;
    return this.#stream.read(this.#into).then(this.#decrypt);
  }

  unread(bytes: Uint8Array): void {
    const held = this.#held ?? new Uint8Array();
    const joined = new Uint8Array(bytes.length + held.length);
    joined.set(bytes);
    joined.set(held, bytes.length);
    this.#held = joined.length > 0 ? joined : undefined;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (!this.#send) return this.#stream.write(bytes);
    const buffer = this.#buffers.take(bytes.length);
    const sealed = buffer.subarray(0, bytes.length);
    this.#send.crypt(bytes, sealed);
    // One whose write failed is not used again: nobody knows who still reads it.
    return this.#stream.write(sealed).then(() => this.#buffers.give(buffer));
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(reason?: Error): void {
    this.#held = undefined;
    this.#stream.close(reason);
  }

  readonly #decrypt = (length: number): number => {
    this.#receive.crypt(this.#into.subarray(0, length));
    this.#encrypted -= length;
    return length;
  };

  #readHeld(held: Uint8Array, into: Uint8Array): number {
    const part = held.subarray(0, into.length);
    into.set(part);
    this.#held = part.length < held.length ? held.subarray(part.length) : undefined;
    return part.length;
  }
}
