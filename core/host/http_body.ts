import { type HttpReader, unreadable } from "./http_reader.ts";

/** What is read at once: small, since a compressed part inflates a thousandfold before anybody can count. */
export const CHUNK = 16 * 1024;
/** The same of a body that is what it seems: larger reads cost less. */
export const PLAIN_CHUNK = 64 * 1024;
const CODINGS: Readonly<Record<string, "gzip" | "deflate">> = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate" };

/** What stands before a response's body. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText?: string;
  readonly headers: Headers;
}

/** Statuses whose responses have no body (RFC 9110, 6.4.1). */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/**
 * A response with `body`, inflated when a content coding says so (RFC 9110, 8.4.1). It is inflated as it is read, so
 * a reader that counts and stops bounds what a bomb can do.
 */
export function toResponse(head: ResponseHead, body: ReadableStream<Uint8Array> | null): Response {
  const { status, statusText } = head;
  const headers = new Headers(head.headers);
  const coding = CODINGS[headers.get("content-encoding")?.trim().toLowerCase() ?? ""];
  if (isBodiless(status)) return new Response(null, { status, statusText, headers });
  if (body && coding) {
    headers.delete("content-encoding");
    headers.delete("content-length");
    body = body.pipeThrough(new DecompressionStream(coding) as ReadableWritablePair<Uint8Array, Uint8Array>);
  }
  return new Response(body as BodyInit | null, { status, statusText, headers });
}

/** Yields a body in parts, and undefined at its end. */
export type BodyReader = () => Promise<Uint8Array | undefined>;

/** A body of `left` bytes, read at most so many at once. */
export function counted(reader: HttpReader, left: number, most: number = CHUNK): BodyReader {
  return async () => {
    if (left === 0) return undefined;
    const part = await reader.some(Math.min(left, most));
    if (!part) throw unreadable(`the connection ended ${left} bytes too early`);
    left -= part.length;
    return part;
  };
}

/** A body in chunks (RFC 9112, 7.1). */
export function chunked(reader: HttpReader, most: number = CHUNK): BodyReader {
  let left = 0;
  let first = true;
  return async () => {
    if (left === 0) {
      if (!first) await reader.line();
      first = false;
      const line = await reader.line();
      const size = /^([0-9a-f]{1,12})\s*(?:;|$)/i.exec(line)?.[1];
      if (!size) throw unreadable(`expected a chunk size, current value is ${JSON.stringify(line.slice(0, 60))}`);
      left = parseInt(size, 16);
      if (left === 0) {
        while (await reader.line() !== ""); // trailers
        return undefined;
      }
    }
    const part = await reader.some(Math.min(left, most));
    if (!part) throw unreadable("the connection ended inside a chunk");
    left -= part.length;
    return part;
  };
}

/**
 * The body as a stream; `release` is called once it was read to its end (then with true), failed, or its reader left.
 */
export function toStream(read: BodyReader, release: (whole: boolean) => void): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const part = await read();
        if (part) return controller.enqueue(part);
        controller.close();
        release(true);
      } catch (error) {
        controller.error(error);
        release(false);
      }
    },
    cancel: () => release(false),
  }, { highWaterMark: 0 });
}
