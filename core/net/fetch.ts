/**
 * HTTP through the egress guard: names are resolved once and the address pinned, each redirect is checked anew, bodies
 * are bounded after inflating.
 *
 * @module
 */
import {
  EgressError,
  type FetchAnswer,
  type FetchOptions,
  type HostNet,
  type HttpAnswer,
  type RequestOptions,
} from "../api/mod.ts";
import type { Egress } from "./egress.ts";
import { parseIp, type PeerAddress, peerAddress, ProtocolError, quote, utf8Decode } from "../wire/mod.ts";

/** What {@link guardedFetch} goes through. */
export interface FetchMeans {
  readonly net: HostNet;
  readonly egress: Pick<Egress, "check">;
  /** Resolves a name and tells the guard. */
  resolve(name: string): Promise<readonly string[]>;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
// Tracker answers and peer lists are far smaller; a caller who expects more says so.
const DEFAULT_MAX_BYTES = 1024 * 1024;
// Most answers fit; longer ones double it.
const FIRST_BYTES = 4 * 1024;
// A name with many dead addresses must not eat the caller's whole timeout, nor be a way to probe them all.
const MAX_ADDRESSES = 3;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** One request of a chain of redirects. */
interface Hop {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The IP of the server that redirected here. */
  readonly namedBy?: string;
}

/**
 * Sends a request over HTTP or HTTPS, following redirects.
 *
 * @throws {EgressError} when a target may not be connected to
 * @throws {Error} naming the host and the cause, never the path: it may hold a passkey
 */
export async function guardedRequest(
  means: FetchMeans,
  url: string | URL,
  options: RequestOptions & { readonly signal: AbortSignal },
): Promise<HttpAnswer> {
  let hop = firstHop(url, options);
  for (let redirects = 0;; redirects++) {
    const [response, from] = await request(means, hop, options);
    const { status, headers } = response;
    const location = headers.get("location");
    if (!REDIRECTS.includes(status) || location === null) {
      const body = response.body ?? new Blob([]).stream();
      return { status, ok: status >= 200 && status < 300, headers, from, url: hop.url, body };
    }
    await response.body?.cancel().catch(() => {});
    try {
      if (redirects === MAX_REDIRECTS) throw new ProtocolError(`more than ${MAX_REDIRECTS} redirects`);
      hop = nextHop(hop, status, location, from);
    } catch (error) {
      throw failure(hop.url, error);
    }
  }
}

/** As {@link guardedRequest}, with the body read to its end or the bound. */
export async function guardedFetch(
  means: FetchMeans,
  url: string | URL,
  options: FetchOptions & { readonly signal: AbortSignal },
): Promise<FetchAnswer> {
  const { status, ok, headers, from, url: last, body } = await guardedRequest(means, url, options);
  try {
    const bytes = await readBounded(body, options.maxBytes ?? DEFAULT_MAX_BYTES);
    const text = (): string => utf8Decode(bytes);
    return { status, ok, headers, bytes, from, text, json: () => JSON.parse(text()) };
  } catch (error) {
    throw options.signal.aborted ? options.signal.reason : failure(last, error);
  } finally {
    await body.cancel().catch(() => {});
  }
}

function firstHop(target: string | URL, { method = "GET", headers = {}, body }: RequestOptions): Hop {
  const url = checkedUrl(new URL(target));
  const own: Record<string, string> = { "accept-encoding": "gzip" };
  for (const [name, value] of Object.entries(headers)) own[name.toLowerCase()] = value;
  if (url.username || url.password) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    own.authorization ??= `Basic ${btoa(credentials)}`;
    url.username = url.password = "";
  }
  return { url, method, headers: own, body };
}

function nextHop(hop: Hop, status: number, location: string, from: string): Hop {
  if (!URL.canParse(location, hop.url.href)) throw new ProtocolError("it redirects to what is no URL");
  const url = checkedUrl(new URL(location, hop.url.href));
  url.username = url.password = "";
  const keepsMethod = hop.method === "GET" || status === 307 || status === 308;
  if (url.origin === hop.url.origin) {
    return { ...hop, url, namedBy: from, ...(!keepsMethod && { method: "GET", body: undefined }) };
  }
  if (hop.body && keepsMethod) throw new ProtocolError(`it redirects a POST to another origin, ${quote(url.origin)}`);
  const { "user-agent": agent, "accept-encoding": encoding } = hop.headers;
  return {
    url,
    method: "GET",
    headers: { ...(agent && { "user-agent": agent }), "accept-encoding": encoding },
    namedBy: from,
  };
}

function checkedUrl(url: URL): URL {
  if (Number(url.port || DEFAULT_PORTS[url.protocol]) === 0) {
    throw new ProtocolError(`Cannot fetch from ${quote(url.host)}: port 0 can't be connected to`);
  }
  if (url.protocol in DEFAULT_PORTS) return url;
  throw new EgressError(`Cannot fetch from ${quote(url.protocol)}: only http and https are allowed`);
}

/** Sends one request, trying the next address of a name when one can't be reached. */
async function request(
  means: FetchMeans,
  hop: Hop,
  { signal, keepAlive }: RequestOptions & { readonly signal: AbortSignal },
): Promise<[Response, from: string]> {
  const { url, method, headers, body } = hop;
  let fault: unknown;
  for (const connectTo of await targets(means, hop, signal)) {
    try {
      const response = await means.net.http({
        url,
        method,
        headers,
        ...(body && { body }),
        connectTo,
        signal,
        keepAlive,
      });
      return [response, connectTo.ip];
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      fault = error;
      if (method !== "GET") break; // the first address may have taken it
    }
  }
  throw failure(url, fault);
}

/** The addresses to try: those that the guard lets pass. */
async function targets({ egress, resolve }: FetchMeans, hop: Hop, signal: AbortSignal): Promise<PeerAddress[]> {
  const name = hop.url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(hop.url.port) || DEFAULT_PORTS[hop.url.protocol];
  const literal = parseIp(name)?.text;
  let ips: readonly string[];
  try {
    ips = literal ? [literal] : await resolve(name);
  } catch (error) {
    throw signal.aborted ? signal.reason : failure(hop.url, error);
  }
  if (ips.length === 0) throw failure(hop.url, new Error(`${quote(name)} has no address`));
  const addresses = ips.map((ip) => peerAddress(ip, port));
  const refusals = addresses.map((address) => egress.check(address, { namedBy: hop.namedBy }));
  const allowed = addresses.filter((_, i) => refusals[i] === undefined);
  if (allowed.length > 0) return allowed.slice(0, MAX_ADDRESSES);
  throw new EgressError(literal ? refusals[0]! : `${refusals[0]} (the address of ${quote(name)})`);
}

function failure(url: URL, cause: unknown): Error {
  if (cause instanceof EgressError) return cause;
  return new Error(`Cannot fetch from "${url.host}": ${cause instanceof Error ? cause.message : cause}`, { cause });
}

/** Reads to the end, or gives up at the bound without reading on. */
async function readBounded(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  // One buffer that grows: a body that comes byte by byte must not become a million arrays.
  let bytes = new Uint8Array(FIRST_BYTES);
  let length = 0;
  for await (const part of stream) {
    const end = length + part.length;
    if (end > maxBytes) throw new ProtocolError(`the answer is larger than ${maxBytes} bytes`);
    if (end > bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * bytes.length));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(part, length);
    length = end;
  }
  return bytes.subarray(0, length);
}
