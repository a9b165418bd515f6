/** What came of a handshake and wasn't read yet: a generator's way to wait for bytes. @module */
import { ProtocolError } from "weft";

/** A part of a machine that is waiting for more bytes whenever it yields. */
export type Waiting<T> = Generator<void, T, void>;

export class Inbox {
  #bytes: Uint8Array = new Uint8Array();

  /** Adds a copy of what came. */
  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
  }

  /** The next `length` bytes, once they are there. */
  *take(length: number): Waiting<Uint8Array> {
    while (this.#bytes.length < length) yield;
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  /**
   * Drops everything up to and with `pattern`, before which at most `most` other bytes stand.
   *
   * @throws {ProtocolError} when it isn't there, saying that `what` is missing
   */
  *skipPast(pattern: Uint8Array, most: number, what: string): Waiting<void> {
    for (let at = 0; at <= most; at++) {
      while (this.#bytes.length < at + pattern.length) yield;
      if (startsWith(this.#bytes, at, pattern)) {
        this.#bytes = this.#bytes.subarray(at + pattern.length);
        return;
      }
    }
    throw new ProtocolError(`Cannot encrypt: expected ${what} after at most ${most} bytes of padding`);
  }

  /** All that is left. */
  rest(): Uint8Array {
    const rest = this.#bytes;
    this.#bytes = new Uint8Array();
    return rest;
  }
}

function startsWith(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  for (let i = 0; i < pattern.length; i++) if (bytes[at + i] !== pattern[i]) return false;
  return true;
}
