/**
 * HTTP/1.1 (RFC 9112) over any byte stream.
 *
 * Not `fetch`: it connects where NO_PROXY and the resolver say, and a connection must go to the very address that the
 * egress guard looked at.
 *
 * @module
 */
import type { ByteStream, HttpRequest } from "../api/mod.ts";
import {
  type BodyReader,
  CHUNK,
  chunked,
  counted,
  isBodiless,
  PLAIN_CHUNK,
  type ResponseHead,
  toResponse,
  toStream,
} from "./http_body.ts";
import { HttpReader, unreadable } from "./http_reader.ts";

// No server needs more interim (1xx) responses; guards against one that never gets to the point.
const MAX_INTERIM = 8;
// Real responses have a few dozen fields; guards against a head without end.
const MAX_FIELDS = 256;

/** The port that a URL means. */
export function httpPort(url: URL): number {
  return Number(url.port || (url.protocol === "https:" ? 443 : 80));
}

/** Sends one request over a new stream, which closes behind it. */
export function exchange(stream: Pipe, request: HttpRequest): Promise<Response> {
  return new HttpConnection(stream).exchange(request);
}

/** A connection to a server, for one request after another. */
export class HttpConnection {
  readonly #stream: Pipe;
  readonly #reader: HttpReader;
  #reused = false;

  constructor(stream: Pipe) {
    this.#stream = stream;
    this.#reader = new HttpReader(stream);
  }

  /**
   * Sends the request and resolves once the response's head is there. The connection closes when the body was read to
   * its end or cancelled, or when the request's signal aborts; but where `keep` is given and both sides agree, it is
   * handed there once the body was read.
   *
   * @throws {NetError} on what is not HTTP/1
   * @throws {StaleConnectionError} when the server had closed it before it answered anything
   */
  async exchange(request: HttpRequest, keep?: (connection: HttpConnection) => void): Promise<Response> {
    const { signal } = request;
    const abort = () => this.#stream.close(signal?.reason);
    let over = false;
    const release = (reusable: boolean) => {
      if (over) return;
      over = true;
      signal?.removeEventListener("abort", abort);
      if (reusable && keep) keep(this);
      else this.#stream.close();
    };
    signal?.addEventListener("abort", abort);
    const reused = this.#reused;
    this.#reused = true;
    try {
      signal?.throwIfAborted();
      const first = await this.#begin(request, keep !== undefined);
      if (first === undefined && reused) throw new StaleConnectionError();
      const head = await readHead(this.#reader, first);
      const { read, delimited } = bodyReader(this.#reader, head);
      const reusable = delimited && head.keepAlive;
      if (!read) release(reusable);
      return toResponse(head, read ? toStream(read, (whole) => release(whole && reusable)) : null);
    } catch (error) {
      release(false);
      throw error;
    }
  }

  close(): void {
    this.#stream.close();
  }

  /** Sends the request; the first line of the answer, or undefined where the connection ends before it. */
  async #begin(request: HttpRequest, keepAlive: boolean): Promise<string | undefined> {
    try {
      await this.#stream.write(requestBytes(request, keepAlive));
      return await this.#reader.line();
    } catch (error) {
      request.signal?.throwIfAborted();
      if (this.#reused && !this.#reader.began) return undefined;
      throw error;
    }
  }
}

/** The server closed an idle connection just when it was to be used again: nothing of the request was answered. */
export class StaleConnectionError extends Error {
  override readonly name = "StaleConnectionError";
}

function requestBytes({ url, method = "GET", headers = {}, body }: HttpRequest, keepAlive: boolean): Uint8Array {
  const fields = new Headers({
    "accept-encoding": "gzip, deflate",
    ...headers,
    host: url.host,
    connection: keepAlive ? "keep-alive" : "close",
  });
  if (url.username && !fields.has("authorization")) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    fields.set("authorization", `Basic ${btoa(credentials)}`);
  }
  if (body) fields.set("content-length", String(body.length));
  const lines = [...fields].map(([name, value]) => `${name.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase())}: ${value}`);
  const text = [`${method} ${url.pathname}${url.search} HTTP/1.1`, ...lines, "", ""].join("\r\n");
  const head = Uint8Array.from(text, (char) => char.charCodeAt(0));
  if (!body) return head;
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** @param first the line that was read already */
async function readHead(reader: HttpReader, first?: string): Promise<ResponseHead & { readonly keepAlive: boolean }> {
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    first ??= await reader.line();
    const [, version, status] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(first) ?? [];
    if (!status) throw unreadable(`expected a status line, current value is ${JSON.stringify(first.slice(0, 60))}`);
    const headers = new Headers();
    let fields = 0;
    for (let line = await reader.line(); line !== ""; line = await reader.line()) {
      if (++fields > MAX_FIELDS) throw unreadable(`there are more than ${MAX_FIELDS} header fields`);
      const [name, value] = splitOnce(line, ":");
      // Careless servers send fields that no parser takes; the others still count.
      try {
        headers.append(name, value.trim());
      } catch { /* leave it out */ }
    }
    if (status >= "200") return { status: Number(status), headers, keepAlive: keepsAlive(version, headers) };
    first = undefined;
  }
  throw unreadable("there are too many interim responses");
}

function keepsAlive(version: string, headers: Headers): boolean {
  const options = headers.get("connection")?.toLowerCase() ?? "";
  return version === "1" ? !options.includes("close") : options.includes("keep-alive");
}

/**
 * Yields the body in parts, and undefined at its end; without a reader there is no body. What is `delimited` ends by
 * itself, not with the connection.
 */
function bodyReader(
  reader: HttpReader,
  { status, headers }: ResponseHead,
): { readonly read?: BodyReader; readonly delimited: boolean } {
  if (isBodiless(status)) return { delimited: true };
  const part = headers.has("content-encoding") ? CHUNK : PLAIN_CHUNK;
  if (headers.get("transfer-encoding")?.toLowerCase().includes("chunked")) {
    return { read: chunked(reader, part), delimited: true };
  }
  const length = headers.get("content-length");
  if (length === null) return { read: () => reader.some(part), delimited: false };
  if (!/^\d{1,15}$/.test(length)) throw unreadable(`content-length is ${JSON.stringify(length.slice(0, 60))}`);
  return length === "0" ? { delimited: true } : { read: counted(reader, Number(length), part), delimited: true };
}

type Pipe = Pick<ByteStream, "read" | "write" | "close">;
function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
