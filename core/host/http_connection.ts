/** One connection of an HTTP server: its requests, one after another. @module */
import { type ByteStream, type HttpHandler, NetError } from "../api/mod.ts";
import type { PeerAddress } from "../wire/mod.ts";
import { chunked, counted, isBodiless } from "./http_body.ts";
import { HttpReader } from "./http_reader.ts";
import { BadRequest, headEnd, readHead, type RequestHead } from "./http_request.ts";
import { RequestBody } from "./http_request_body.ts";

// From the connection's begin, or the last answer, to the next request's whole head (ms): silence holds a descriptor.
const REQUEST_TIMEOUT = 10_000;
// A body comes on within this, and is there within that (ms): half a body holds up whoever waits for the other half.
const BODY_PAUSE = 10_000;
const BODY_TIMEOUT = 5 * 60_000;
// A client that takes nothing for so long has left (ms).
const WRITE_TIMEOUT = 30_000;
// How long what is still on its way from a client is read and thrown away (ms): a close before that would destroy the
// answer under way to it. And how long an answer goes on for one that said it sends no more.
const LINGER = 1_000;
// Answers that say their length are sent in one piece up to here.
const MAX_WHOLE = 64 * 1024;
// Holds the usual head, and the usual answer; one that is longer gets more room.
const BUFFER = 4 * 1024;
const MAX_SPARE = 64;

/** What a connection is read from and written to; `remote` is absent on a Unix socket. */
export interface HttpStream extends Omit<ByteStream, "local" | "remote"> {
  readonly remote?: PeerAddress;
}

/** What the connections of a server share. */
export interface HttpService {
  readonly handler: HttpHandler;
  /** Monotonic milliseconds. */
  now(): number;
  /** The time for people, as HTTP writes it. */
  date(): string;
  /** Buffers that nobody uses: most connections bring one request, and last a millisecond. */
  readonly buffers: Uint8Array[];
}

const empty = new Uint8Array();
// One for all: an error takes its stack along, which costs as much as an answer.
const CLOSED = new NetError("closed", "The connection is closed");
const CRLF = Uint8Array.of(13, 10);
const encoder = new TextEncoder();

export class HttpConnection {
  readonly #service: HttpService;
  readonly #stream: HttpStream;
  #buffer: Uint8Array;
  #filled = 0;
  #deadline = Infinity;
  #listening = true;
  #body: RequestBody | undefined;
  /** Ends an answer that is being produced. */
  #endAnswer = (): void => {};

  constructor(service: HttpService, stream: HttpStream) {
    this.#service = service;
    this.#stream = stream;
    this.#buffer = this.#takeBuffer();
  }

  /** Who is at the other end; undefined on a Unix socket. */
  get ip(): string | undefined {
    return this.#stream.remote?.ip;
  }

  /** When the client must have done what is waited for; infinite while it is the handler's turn. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Whether the client's next bytes are waited for: a request, or more of its body. */
  get listening(): boolean {
    return this.#listening;
  }

  /** Answers requests until the connection closes. Never rejects. */
  async run(): Promise<void> {
    try {
      while (await this.#exchange());
    } catch (error) {
      // Anything else: the client has left, or was cut off.
      if (error instanceof BadRequest) await this.#refuse(error).catch(() => {});
    } finally {
      this.close();
      this.#giveBuffer(this.#buffer);
    }
  }

  /** The deadline passed. */
  expire(): void {
    this.#deadline = Infinity;
    if (this.#body?.awaited) this.#body.giveUp(new BadRequest(408, "the request's body did not come"));
    else this.close();
  }

  /** Closes it at once, whatever is under way. Twice is fine. */
  close(): void {
    this.#endAnswer();
    this.#stream.close(CLOSED);
  }

  /** Answers one request. Returns whether another may follow. */
  async #exchange(): Promise<boolean> {
    this.#listen(this.#service.now() + REQUEST_TIMEOUT);
    const head = await this.#readHead();
    if (!head) return false;
    this.#listened();
    const body = head.length === 0 ? undefined : this.#openBody(head);
    const response = await this.#ask(head, body?.stream);
    if (body?.fault) {
      await response.body?.cancel();
      throw body.fault;
    }
    // What follows a body would have to be told from it: no client needs that.
    const again = await this.#answer(response, head, head.keepAlive && !body);
    if (body && !body.read) await this.#linger();
    return again;
  }

  /** The next request's head; undefined where the client ends in good order. */
  async #readHead(): Promise<RequestHead | undefined> {
    for (;;) {
      const end = headEnd(this.#buffer.subarray(0, this.#filled));
      if (end !== undefined) {
        const head = readHead(this.#buffer.subarray(0, end));
        this.#buffer.copyWithin(0, end, this.#filled);
        this.#filled -= end;
        return head;
      }
      if (this.#filled === this.#buffer.length) {
        const larger = new Uint8Array(4 * this.#buffer.length);
        larger.set(this.#buffer);
        this.#buffer = larger;
      }
      const length = await this.#stream.read(this.#buffer.subarray(this.#filled));
      if (length === 0) return undefined;
      this.#filled += length;
    }
  }

  #openBody({ length, expectsContinue }: RequestHead): RequestBody {
    this.#stream.unread(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
    const reader = new HttpReader(this.#stream);
    const next = length === "chunked" ? chunked(reader) : counted(reader, length);
    const end = this.#service.now() + BODY_TIMEOUT;
    let waits = expectsContinue;
    const read = async (): Promise<Uint8Array | undefined> => {
      if (waits) await this.#stream.write(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
      waits = false;
      return await next();
    };
    return this.#body = new RequestBody(read, {
      began: () => this.#listen(Math.min(this.#service.now() + BODY_PAUSE, end)),
      ended: () => this.#listened(),
    });
  }

  async #ask({ url, method, headers }: RequestHead, body: ReadableStream<Uint8Array> | undefined): Promise<Response> {
    const bodiless = method === "GET" || method === "HEAD";
    let request: Request;
    try {
      request = new Request(url, { method, headers, ...(body && !bodiless && { body, duplex: "half" }) });
    } catch {
      throw new BadRequest(400, "Cannot read the request: its method, URL or a header field is malformed");
    }
    try {
      return await this.#service.handler(request, this.#stream.remote);
    } catch {
      return new Response("Internal Server Error", { status: 500 });
    }
  }

  /** Sends the response. Returns whether the connection can go on. */
  async #answer(response: Response, { method, modern }: RequestHead, keepAlive: boolean): Promise<boolean> {
    const { headers, status, body } = response;
    const said = headers.get("content-length");
    const bodiless = method === "HEAD" || isBodiless(status);
    let whole: Uint8Array | undefined;
    if (body === null || bodiless) whole = empty;
    else if (said !== null && Number(said) <= MAX_WHOLE) whole = await response.bytes();
    const again = keepAlive && whole !== undefined;

    let head = `HTTP/1.1 ${status} ${response.statusText || (response.ok ? "OK" : "")}\r\n`;
    for (const [name, value] of headers) {
      if (name !== "content-length" && name !== "transfer-encoding" && name !== "connection") {
        head += `${name}: ${value}\r\n`;
      }
    }
    if (bodiless ? said !== null : whole) head += `content-length: ${bodiless ? said : whole!.length}\r\n`;
    else if (!bodiless && modern) head += "transfer-encoding: chunked\r\n";
    if (!headers.has("date")) head += `date: ${this.#service.date()}\r\n`;
    head += again ? "\r\n" : "connection: close\r\n\r\n";

    if (whole) {
      await this.#writeWhole(head, whole);
      if (bodiless) await body?.cancel();
    } else {
      await this.#write(encoder.encode(head));
      await this.#sendParts(body!, modern);
    }
    return again;
  }

  /** Sends a body as it comes, until it or the client ends. */
  async #sendParts(body: ReadableStream<Uint8Array>, inChunks: boolean): Promise<void> {
    const reader = body.getReader();
    let left = false;
    this.#endAnswer = () => void reader.cancel().catch(() => {});
    const wait = (): void => {
      this.#deadline = left ? this.#service.now() + LINGER : Infinity;
    };
    // Nothing else tells that a client has left while there is nothing to send.
    void this.#untilEnd().then(() => {
      left = true;
      if (this.#deadline === Infinity) wait();
    }, () => this.close());
    for (;;) {
      wait();
      const { done, value } = await reader.read();
      if (done) break;
      if (!inChunks) await this.#write(value);
      else if (value.length > 0) await this.#write(encoder.encode(`${value.length.toString(16)}\r\n`), value, CRLF);
    }
    if (inChunks) await this.#write(encoder.encode("0\r\n\r\n"));
  }

  /** Answers a request that can't be served, and ends the connection. */
  async #refuse({ status, message }: BadRequest): Promise<void> {
    const head = `HTTP/1.1 ${status} \r\ncontent-type: text/plain\r\ncontent-length: ${message.length}\r\n`;
    await this.#write(encoder.encode(`${head}date: ${this.#service.date()}\r\nconnection: close\r\n\r\n${message}`));
    // What a late body's reader waits for is still being read.
    if (status !== 408) await this.#linger();
  }

  /** Takes what is still on its way, so that the close doesn't overtake the answer. */
  async #linger(): Promise<void> {
    this.#within(LINGER);
    await this.#stream.closeWrite();
    await this.#untilEnd();
  }

  async #untilEnd(): Promise<void> {
    const thrown = new Uint8Array(BUFFER);
    while (await this.#stream.read(thrown) > 0);
  }

  /** In a buffer that others had: most answers fit, and they are what a server makes most of. */
  async #writeWhole(head: string, body: Uint8Array): Promise<void> {
    // A header's text is Latin-1, which takes at most two bytes.
    if (2 * head.length + body.length > BUFFER) return await this.#write(encoder.encode(head), body);
    const buffer = this.#takeBuffer();
    const { written } = encoder.encodeInto(head, buffer);
    buffer.set(body, written);
    await this.#write(buffer.subarray(0, written + body.length));
    this.#giveBuffer(buffer);
  }

  #takeBuffer(): Uint8Array {
    return this.#service.buffers.pop() ?? new Uint8Array(BUFFER);
  }

  /** Nothing reads into it or sends it any more. */
  #giveBuffer(buffer: Uint8Array): void {
    const { buffers } = this.#service;
    if (buffers.length < MAX_SPARE && buffer.length === BUFFER) buffers.push(buffer);
  }

  async #write(...parts: readonly Uint8Array[]): Promise<void> {
    this.#within(WRITE_TIMEOUT);
    await this.#stream.write(parts.length === 1 ? parts[0] : joined(parts));
  }

  /** It is the client's turn until `deadline`. */
  #listen(deadline: number): void {
    this.#listening = true;
    this.#deadline = deadline;
  }

  /** It is the handler's turn. */
  #listened(): void {
    this.#listening = false;
    this.#deadline = Infinity;
  }

  /** The client has `milliseconds` for what is waited for now. */
  #within(milliseconds: number): void {
    this.#deadline = this.#service.now() + milliseconds;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
