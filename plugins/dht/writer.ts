/** Writes bencode straight into one buffer: messages are small and many, and each part of them is known. @module */

// Larger than any message of ours: an item of 1,000 bytes with nodes, or 50 peers with both families' nodes.
const CAPACITY = 4096;

const scratch = new Uint8Array(CAPACITY);

/** A message being written. Only one at a time. */
export class BencodeWriter {
  #at = 0;

  /** ASCII as it is: `d`, `e`, keys with their length such as `1:q`. */
  raw(ascii: string): this {
    for (let i = 0; i < ascii.length; i++) scratch[this.#at++] = ascii.charCodeAt(i);
    return this;
  }

  /** Bytes as they are: bencode that exists already. */
  bytes(bytes: Uint8Array): this {
    scratch.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** A string of bytes. */
  string(bytes: Uint8Array): this {
    return this.raw(`${bytes.length}:`).bytes(bytes);
  }

  /** A string, of which each character is a byte. */
  text(byteString: string): this {
    return this.raw(`${byteString.length}:`).raw(byteString);
  }

  integer(value: number): this {
    return this.raw(`i${value}e`);
  }

  /** A copy of what was written. Throws RangeError when it was more than 4 KiB. */
  end(): Uint8Array {
    if (this.#at > CAPACITY) {
      throw new RangeError(`Cannot write message: it has ${this.#at} bytes, more than ${CAPACITY}`);
    }
    return scratch.slice(0, this.#at);
  }
}
