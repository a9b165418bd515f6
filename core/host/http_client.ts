/**
 * HTTP/1.1 (RFC 9112) over any byte stream: one request, one response, then the stream is closed.
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
  return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
}

/**
 * Sends the request over `stream` and resolves once the response's head is there. The stream closes when the body was
 * read to its end or cancelled, or when the request's signal aborts. Throws NetError on what is not HTTP/1.
 */
export async function exchange(stream: Pipe, request: HttpRequest): Promise<Response> {
  const { signal } = request;
  const abort = () => stream.close(signal?.reason);
  const release = () => {
    signal?.removeEventListener("abort", abort);
    stream.close();
  };
  signal?.addEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    await stream.write(requestBytes(request));
    const reader = new HttpReader(stream);
    const head = await readHead(reader);
    const read = bodyReader(reader, head);
    if (!read) release();
    return toResponse(head, read ? toStream(read, release) : null);
  } catch (error) {
    release();
    throw error;
  }
}

function requestBytes({ url, method = "GET", headers = {}, body }: HttpRequest): Uint8Array {
  const fields = new Headers({ "accept-encoding": "gzip, deflate", ...headers, host: url.host, connection: "close" });
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

async function readHead(reader: HttpReader): Promise<ResponseHead> {
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    const first = await reader.line();
    const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(first)?.[1];
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
    if (status >= "200") return { status: Number(status), headers };
  }
  throw unreadable("there are too many interim responses");
}

/** Yields the body in parts, and undefined at its end. No reader: there is no body. */
function bodyReader(reader: HttpReader, { status, headers }: ResponseHead): BodyReader | undefined {
  if (isBodiless(status)) return undefined;
  if (headers.get("transfer-encoding")?.toLowerCase().includes("chunked")) return chunked(reader);
  const length = headers.get("content-length");
  if (length === null) return () => reader.some(CHUNK);
  if (!/^\d{1,15}$/.test(length)) throw unreadable(`content-length is ${JSON.stringify(length.slice(0, 60))}`);
  return length === "0" ? undefined : counted(reader, Number(length));
}

type Pipe = Pick<ByteStream, "read" | "write" | "close">;
function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
