/** The head of an HTTP/1.1 request (RFC 9112): bytes to values, and no more than a server has to know. @module */

// What browsers and trackers' clients send is under 4 KiB; guards against a head without end.
const MAX_HEAD = 16 * 1024;
// Real requests have a dozen fields; each costs a little.
const MAX_FIELDS = 100;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const latin1 = new TextDecoder("latin1");
const LF = 10;
const CR = 13;

/** A request that is answered with `status` and goes no further. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  constructor(readonly status: 400 | 408 | 431 | 501 | 505, message: string) {
    super(message);
  }
}

/** What stands before a request's body. */
export interface RequestHead {
  readonly method: string;
  /** An absolute URL: of the target and the Host that was named. */
  readonly url: string;
  readonly headers: [name: string, value: string][];
  /** Bytes of the body, or `chunked` where they are counted on the way; 0 where there is none. */
  readonly length: number | "chunked";
  /** The client takes a body in chunks, and 100 Continue: it speaks HTTP/1.1. */
  readonly modern: boolean;
  /** The connection serves for further requests. */
  readonly keepAlive: boolean;
  /** The client waits for a word before it sends the body. */
  readonly expectsContinue: boolean;
}

/**
 * Where the head ends in `bytes`, the empty line included; undefined while it has not come whole.
 *
 * @throws {BadRequest} when it is too long
 */
export function headEnd(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1;
    if (bytes[next] === LF) return bounded(next + 1);
  }
  bounded(bytes.length);
  return undefined;
}

/**
 * Reads a head, up to the empty line that ends it.
 *
 * @throws {BadRequest} with what is wrong
 */
export function readHead(bytes: Uint8Array): RequestHead {
  // Empty lines may stand before it: some clients end a body with one too many.
  const [first, ...lines] = latin1.decode(bytes).replace(/^(?:\r?\n)+/, "").trimEnd().split(/\r?\n/);
  const [method, target, protocol, ...more] = first.split(" ");
  if (!TOKEN.test(method) || more.length > 0) throw bad("expected a request line");
  const version = /^HTTP\/1\.([01])$/.exec(protocol ?? "")?.[1];
  if (version === undefined) {
    throw /^HTTP\/\d/.test(protocol ?? "") ? new BadRequest(505, "HTTP/1.1 is spoken here") : bad("expected HTTP/1.1");
  }
  if (lines.length > MAX_FIELDS) throw new BadRequest(431, `there are more than ${MAX_FIELDS} header fields`);
  const modern = version === "1";
  const headers: [string, string][] = [];
  let host = "localhost";
  let length: number | undefined;
  let chunked = false;
  let connection = "";
  let expectsContinue = false;
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    // A name with a space, or a line that goes on, is where two readers begin to differ.
    if (colon < 0 || !TOKEN.test(name)) throw bad("a header field has no name");
    const value = line.slice(colon + 1).trim();
    headers.push([name, value]);
    if (name === "host") host = value;
    else if (name === "connection") connection = value.toLowerCase();
    else if (name === "expect") expectsContinue = modern && value.toLowerCase() === "100-continue";
    else if (name === "transfer-encoding") {
      if (value.toLowerCase() !== "chunked") throw new BadRequest(501, "the one transfer-encoding here is chunked");
      chunked = true;
    } else if (name === "content-length") {
      if (!/^\d{1,15}$/.test(value) || (length !== undefined && length !== Number(value))) {
        throw bad("content-length must be a whole number");
      }
      length = Number(value);
    }
  }
  if (chunked && length !== undefined) throw bad("expected either content-length or transfer-encoding");
  return {
    method,
    url: urlOf(target, host),
    headers,
    length: chunked ? "chunked" : length ?? 0,
    modern,
    keepAlive: modern ? connection !== "close" : connection === "keep-alive",
    expectsContinue,
  };
}

/** What stands in the target as it is would be changed by a URL where it isn't ASCII: it is percent-encoded here. */
function urlOf(target: string, host: string): string {
  const url = target.startsWith("/") ? `http://${host}${target}` : target;
  // A URL would drop control characters in silence.
  if (!/^http:\/\/[^/?#@\\]+(?:[/?]|$)/i.test(url) || /[\0-\x20\x7f]/.test(url)) {
    throw bad("expected a path and a host");
  }
  const text = url.replace(/[\x80-\xff]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  if (URL.canParse(text)) return text;
  // libtorrent names an IPv6 host without its brackets. The path is what is asked for, whoever it believes we are.
  if (!target.startsWith("/")) throw bad("expected a path and a host");
  return `http://localhost${text.slice(text.indexOf("/", "http://".length))}`;
}

function bounded(length: number): number {
  if (length > MAX_HEAD) throw new BadRequest(431, `a request's head must be at most ${MAX_HEAD} bytes`);
  return length;
}

function bad(why: string): BadRequest {
  return new BadRequest(400, `Cannot read the request: ${why}`);
}
