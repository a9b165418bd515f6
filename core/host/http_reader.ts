import { type ByteStream, NetError } from "../api/mod.ts";

// Longer lines only come from a server that means harm, or from something that is no HTTP server.
const MAX_LINE = 16 * 1024;
const BUFFER = 16 * 1024;

/** Lines and bytes of an HTTP message from a byte stream. */
export class HttpReader {
  readonly #stream: Pick<ByteStream, "read">;
  readonly #buffer = new Uint8Array(BUFFER);
  #start = 0;
  /** Something came since the last whole line, or body, was read to its end. */
  began = false;
  #end = 0;

  constructor(stream: Pick<ByteStream, "read">) {
    this.#stream = stream;
  }

  /** The next line without its end, in Latin-1. Throws NetError at the stream's end or when lines are too long. */
  async line(): Promise<string> {
    let text = "";
    this.began = this.#start < this.#end;
    for (;;) {
      const ending = this.#buffer.subarray(this.#start, this.#end).indexOf(10);
      const stop = ending < 0 ? this.#end : this.#start + ending;
      text += String.fromCharCode(...this.#buffer.subarray(this.#start, stop));
      if (text.length > MAX_LINE) throw unreadable("a line is too long");
      if (ending >= 0) {
        this.#start = stop + 1;
        return text.endsWith("\r") ? text.slice(0, -1) : text;
      }
      this.#start = this.#end = 0;
      this.#end = await this.#stream.read(this.#buffer);
      this.began ||= this.#end > 0;
      if (this.#end === 0) throw unreadable("the connection ended in its head");
    }
  }

  /** Up to `limit` bytes, a copy; undefined at the stream's end. */
  async some(limit: number): Promise<Uint8Array | undefined> {
    if (this.#start < this.#end) {
      const part = this.#buffer.slice(this.#start, Math.min(this.#end, this.#start + limit));
      this.#start += part.length;
      return part;
    }
    if (limit > BUFFER) return await this.#large(limit);
    // Read into our buffer and copied: a part of one byte must not hold on to the memory of a whole read.
    this.#start = this.#end = 0;
    this.#end = await this.#stream.read(this.#buffer);
    return this.#end > 0 ? await this.some(limit) : undefined;
  }

  /** More than our buffer holds, in one read and without a copy where that fills it well. */
  async #large(limit: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(limit);
    const got = await this.#stream.read(bytes);
    if (got === 0) return undefined;
    return got > limit / 2 ? bytes.subarray(0, got) : bytes.slice(0, got);
  }
}

/** What came is not HTTP. */
export function unreadable(why: string): NetError {
  return new NetError("io", `Cannot read the HTTP message: ${why}`);
}
