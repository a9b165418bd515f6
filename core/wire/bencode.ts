// Bencode (BEP 3) behind a guard. npm:bencode trusts its input: it allocates without end on a negative length, reads
// past the end, and lets keys collide or set a prototype. So outside bytes are read by the strict scan here, which has the
// value of every integer and string as it goes by, and dictionaries are Maps; the library writes.
//
// What a flaw costs, in everything that others send (the one policy; fields.ts, compact.ts and the codecs keep to it):
// - A flaw in what nothing depends on costs that alone. Bytes behind a message that is whole are passed over, and so are
//   zeros before a number, a negative zero and keys out of order, as libtorrent, Transmission and aria2 do. A value of a
//   wrong type or range counts as absent, a bad item of a list is left out, of a compact list the whole entries count.
// - What stands beside a refusal is read: intervals, peers and warnings of a tracker that says no.
// - Where two readings are possible there is none: a key that stands twice counts as absent.
// - An info dictionary has one reading only, since its hash names it: there (`strict`) every flaw is an error.
// - Nothing is guessed from a message that ends early, nests too deep, or is too large: that is an error.
import bencode from "bencode";
import { ProtocolError } from "./errors.ts";
import { byteString, fromByteString, quote } from "./text.ts";

/** A decoded value. Dictionary keys are byte strings (one character per byte): ASCII reads as it is, binary keys are lossless. */
export type Bencoded = number | bigint | Uint8Array | Bencoded[] | BencodedDict;
/** A decoded dictionary. */
export type BencodedDict = Map<string, Bencoded>;

/** What can be encoded. Text becomes UTF-8; keys are byte strings; a property that is undefined is left out. */
export type Encodable =
  | string
  | number
  | bigint
  | Uint8Array
  | Encoded
  | readonly Encodable[]
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable | undefined };

/** Bencode that exists already and goes into the output byte for byte. */
export class Encoded {
  constructor(readonly bytes: Uint8Array) {}
}

/** Where a value lies in the scanned bytes: from `start` up to, not including, `end`. */
export interface Place {
  readonly start: number;
  readonly end: number;
}
/** A value with its place; strings are views of the scanned bytes. */
export type Span =
  | Place & { readonly kind: "integer"; readonly value: number | bigint }
  | Place & { readonly kind: "string"; readonly bytes: Uint8Array }
  | Place & { readonly kind: "list"; readonly items: readonly Span[] }
  | DictSpan;
/** A dictionary with the places of its values. */
export type DictSpan = Place & { readonly kind: "dict"; readonly entries: ReadonlyMap<string, Span> };

/** How much a scan takes before it refuses. */
export interface ScanLimits {
  /** Bytes of input; default 64 MiB, the largest torrent file. */
  readonly maxBytes?: number;
  /** Nested lists and dictionaries; default 100, so that input can't exhaust the stack. */
  readonly maxDepth?: number;
  /** Values in all; default 2^20, so that "lelele…" can't turn each byte into an object of a hundred. */
  readonly maxItems?: number;
  /** Refuse every flaw: bytes after the value, zeros before a number, keys that stand twice. */
  readonly strict?: boolean;
  /** The key of the outermost dictionary whose value alone is read as with `strict`. */
  readonly strictKey?: string;
  /** Refuse keys out of order. They occur in the wild, so the default accepts them. */
  readonly sorted?: boolean;
}

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 100;
const MAX_ITEMS = 2 ** 20;
// 64-bit numbers have at most 20 digits; parsing millions of them would stall the thread.
const MAX_DIGITS = 20;

const MINUS = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const D = 0x64;
const E = 0x65;
const I = 0x69;
const L = 0x6c;

/**
 * Checks the structure and returns where everything lies; of flaws that matter to nobody, see the head of this file.
 * Throws ProtocolError with the offset of the fault.
 */
export function scan(bytes: Uint8Array, limits: ScanLimits = {}): Span {
  const maxBytes = limits.maxBytes ?? MAX_BYTES;
  if (bytes.length > maxBytes) {
    throw new ProtocolError(
      `Cannot decode bencode: size must be at most ${maxBytes}, current value is ${bytes.length}`,
    );
  }
  const span = new Scanner(bytes, limits).value(0, 0);
  if (limits.strict && span.end !== bytes.length) {
    throw new ProtocolError(`Cannot decode bencode: ${bytes.length - span.end} bytes follow the value`);
  }
  return span;
}

/** Decodes the value that the bytes begin with. Throws ProtocolError as {@link scan} does. */
export function decode(bytes: Uint8Array, limits?: ScanLimits): Bencoded {
  return spanValue(scan(bytes, limits));
}

/** Decodes the value that the bytes begin with, for messages with a payload behind it (BEP 9). `end` is where that starts. */
export function decodePrefix(bytes: Uint8Array, limits?: ScanLimits): { value: Bencoded; end: number } {
  const span = scan(bytes, limits);
  return { value: spanValue(span), end: span.end };
}

/** The decoded value of a span; byte strings stay views of the scanned bytes. */
export function spanValue(span: Span): Bencoded {
  switch (span.kind) {
    case "integer":
      return span.value;
    case "string":
      return span.bytes;
    case "list":
      return span.items.map(spanValue);
    case "dict":
      return new Map(Array.from(span.entries, ([key, value]) => [key, spanValue(value)]));
  }
}

/** The raw bytes of the top-level "info" dictionary: what the info-hash is the hash of. Throws ProtocolError without one. */
export function infoSpan(bytes: Uint8Array): Uint8Array {
  const span = scan(bytes, { strictKey: "info" });
  const info = span.kind === "dict" ? span.entries.get("info") : undefined;
  if (info?.kind !== "dict") throw new ProtocolError('Cannot read torrent: "info" must be a dictionary');
  return bytes.subarray(info.start, info.end);
}

/** Encodes canonically, keys in order of their bytes. Throws TypeError on what bencode can't hold (fractions, null, booleans). */
export function encode(value: Encodable): Uint8Array {
  const parts: Uint8Array[] = [];
  write(parts, value);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const [DICT_START, LIST_START, END] = [D, L, E].map((byte) => Uint8Array.of(byte));

function write(parts: Uint8Array[], value: Encodable): void {
  if (value instanceof Uint8Array || typeof value === "string" || Number.isSafeInteger(value)) {
    parts.push(bencode.encode(value));
  } else if (typeof value === "bigint") {
    parts.push(fromByteString(`i${value}e`));
  } else if (value instanceof Encoded) {
    parts.push(value.bytes);
  } else if (Array.isArray(value)) {
    parts.push(LIST_START);
    for (const item of value) write(parts, item);
    parts.push(END);
  } else if (typeof value === "object" && value !== null) {
    writeDict(parts, value instanceof Map ? [...value] : Object.entries(value));
  } else {
    throw new TypeError(
      `Cannot encode bencode: expected text, bytes, an integer, a list or a dictionary, not ${value}`,
    );
  }
}

function writeDict(parts: Uint8Array[], entries: [string, Encodable | undefined][]): void {
  parts.push(DICT_START);
  for (const [key, value] of entries.sort(([a], [b]) => a < b ? -1 : 1)) {
    if (value === undefined) continue;
    write(parts, fromByteString(key));
    write(parts, value);
  }
  parts.push(END);
}

/** Makes its view only when asked: of the strings of a torrent with many files, few are, and a view is a big object. */
class StringSpan implements Place {
  readonly kind = "string";

  constructor(readonly source: Uint8Array, readonly start: number, readonly from: number, readonly end: number) {}

  get bytes(): Uint8Array {
    return this.source.subarray(this.from, this.end);
  }
}

class Scanner {
  #items = 0;
  readonly #maxDepth: number;
  readonly #maxItems: number;
  readonly #sorted: boolean;
  readonly #strictKey: string | undefined;
  #strict: boolean;

  constructor(readonly bytes: Uint8Array, limits: ScanLimits) {
    this.#maxDepth = limits.maxDepth ?? MAX_DEPTH;
    this.#maxItems = limits.maxItems ?? MAX_ITEMS;
    this.#sorted = limits.sorted ?? false;
    this.#strictKey = limits.strictKey;
    this.#strict = limits.strict ?? false;
  }

  value(start: number, depth: number): Span {
    if (++this.#items > this.#maxItems) throw this.#fault(`more than ${this.#maxItems} values`, start);
    if (depth > this.#maxDepth) throw this.#fault(`nested deeper than ${this.#maxDepth}`, start);
    switch (this.bytes[start]) {
      case I:
        return this.#integer(start);
      case L:
        return this.#list(start, depth);
      case D:
        return this.#dict(start, depth);
      default:
        return this.#string(start);
    }
  }

  #integer(start: number): Span {
    const negative = this.bytes[start + 1] === MINUS;
    const digits = start + (negative ? 2 : 1);
    const stop = this.#digits(digits);
    if (this.bytes[stop] !== E) throw this.#fault("expected the end of an integer", stop);
    if (this.#strict && negative && this.bytes[digits] === ZERO) throw this.#fault("negative zero", start);
    const number = this.#number(digits, stop);
    if (Number.isSafeInteger(number)) {
      return { kind: "integer", start, end: stop + 1, value: negative ? 0 - number : number };
    }
    // It may have been rounded: read exactly.
    return { kind: "integer", start, end: stop + 1, value: BigInt(byteString(this.bytes.subarray(start + 1, stop))) };
  }

  #string(start: number): StringSpan {
    const stop = this.#digits(start);
    if (this.bytes[stop] !== COLON) throw this.#fault("expected a colon after a length", stop);
    const length = this.#number(start, stop);
    const end = stop + 1 + length;
    if (end > this.bytes.length) throw this.#fault(`a string of ${length} bytes passes the end`, start);
    return new StringSpan(this.bytes, start, stop + 1, end);
  }

  #list(start: number, depth: number): Span {
    const items: Span[] = [];
    let at = start + 1;
    while (this.bytes[at] !== E) {
      const item = this.value(at, depth + 1);
      items.push(item);
      at = item.end;
    }
    return { kind: "list", start, end: at + 1, items };
  }

  #dict(start: number, depth: number): Span {
    const entries = new Map<string, Span>();
    let twice: Set<string> | undefined;
    let previous = "";
    let at = start + 1;
    while (this.bytes[at] !== E) {
      const name = this.#string(at);
      const key = byteString(name.bytes);
      if (entries.has(key)) {
        if (this.#strict) throw this.#fault(`duplicate key ${quote(key)}`, at);
        (twice ??= new Set()).add(key);
      }
      if (this.#sorted && key < previous) throw this.#fault(`key ${quote(key)} out of order`, at);
      const strict = this.#strict;
      this.#strict ||= depth === 0 && key === this.#strictKey;
      const value = this.value(name.end, depth + 1);
      this.#strict = strict;
      entries.set(key, value);
      previous = key;
      at = value.end;
    }
    for (const key of twice ?? []) entries.delete(key);
    return { kind: "dict", start, end: at + 1, entries };
  }

  /** What the digits from `at` to `stop` say; rounded past 2^53. */
  #number(at: number, stop: number): number {
    let number = 0;
    for (let i = at; i < stop; i++) number = number * 10 + (this.bytes[i] - ZERO);
    return number;
  }

  /** Where the digits at `at` end: at least one, bounded; strictly, without a leading zero. */
  #digits(at: number): number {
    let stop = at;
    while (this.bytes[stop] >= ZERO && this.bytes[stop] <= ZERO + 9) {
      if (++stop - at > MAX_DIGITS) throw this.#fault(`a number of more than ${MAX_DIGITS} digits`, at);
    }
    if (stop === at) throw this.#fault(at < this.bytes.length ? "expected a value" : "unexpected end", at);
    if (this.#strict && this.bytes[at] === ZERO && stop - at > 1) throw this.#fault("leading zero", at);
    return stop;
  }

  #fault(what: string, at: number): ProtocolError {
    return new ProtocolError(`Cannot decode bencode: ${what} at byte ${at}`);
  }
}
