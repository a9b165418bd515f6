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
