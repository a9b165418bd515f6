/**
 * KRPC, the messages of the DHT: BEP 5, with the keys of BEP 32 (`want`, `nodes6`), 33 (`scrape`), 42 (`ip`), 43 (`ro`),
 * 44 (items) and 51 (samples).
 *
 * @module
 */
import {
  byteString,
  compactEntries,
  type DictSpan,
  type PeerAddress,
  ProtocolError,
  scan,
  type Span,
  utf8Decode,
  utf8Encode,
} from "weft";
import { type Contact, decodeAddress, decodeContacts, encodeAddress, encodeContacts } from "./contact.ts";
import { ID_LENGTH, type NodeId } from "./node_id.ts";
import { BencodeWriter } from "./writer.ts";

/** What a node may be asked. */
export type Method =
  | "ping"
  | "find_node"
  | "get_peers"
  | "announce_peer"
  | "get"
  | "put"
  | "sample_infohashes";

/** What belongs to an item of BEP 44. `v` is bencode as it came. */
export interface ItemFields {
  readonly v?: Uint8Array;
  /** 32 bytes. */
  readonly k?: Uint8Array;
  /** 64 bytes. */
  readonly sig?: Uint8Array;
  readonly seq?: number;
  readonly salt?: Uint8Array;
  readonly cas?: number;
}

/** The arguments of a query. What is absent, or of a wrong kind, is undefined. */
export interface Arguments extends ItemFields {
  readonly id?: NodeId;
  readonly target?: NodeId;
  readonly infoHash?: NodeId;
  readonly port?: number;
  readonly impliedPort?: boolean;
  readonly token?: Uint8Array;
  /** The families of nodes to answer with (BEP 32). */
  readonly want?: readonly (4 | 6)[];
  readonly scrape?: boolean;
  readonly noseed?: boolean;
  readonly seed?: boolean;
}

/** The values of a response. */
export interface Reply extends ItemFields {
  readonly id: NodeId;
  readonly nodes?: readonly Contact[];
  readonly nodes6?: readonly Contact[];
  readonly token?: Uint8Array;
  readonly values?: readonly PeerAddress[];
  /** Bloom filters of BEP 33, 256 bytes each. */
  readonly seeds?: Uint8Array;
  readonly peers?: Uint8Array;
  /** BEP 51: seconds until other samples are given, how many info-hashes there are, and some of them. */
  readonly interval?: number;
  readonly num?: number;
  readonly samples?: readonly NodeId[];
}

/** A message. `transaction` is whatever the asker chose. */
export type Message =
  | {
    readonly kind: "query";
    readonly transaction: Uint8Array;
    readonly method: string;
    readonly arguments: Arguments;
    /** The asker answers nothing itself (BEP 43). */
    readonly readOnly?: boolean;
  }
  | {
    readonly kind: "reply";
    readonly transaction: Uint8Array;
    readonly reply: Reply;
    /** The address of the asker, as the node that answers sees it (BEP 42). */
    readonly seen?: PeerAddress;
  }
  | { readonly kind: "error"; readonly transaction: Uint8Array; readonly code: number; readonly text: string };

/** Codes of errors: BEP 5's, and BEP 44's. */
export const ERROR = {
  generic: 201,
  server: 202,
  protocol: 203,
  method: 204,
  tooBig: 205,
  signature: 206,
  saltTooBig: 207,
  cas: 301,
  sequence: 302,
} as const;

// Messages fit into one packet of about 1,500 bytes; one far above is none of ours to read.
const MAX_MESSAGE = 4096;
// A hundred peers and an item of a thousand bytes stay below; more values are there to keep us busy.
const MAX_VALUES = 2048;
// We send 4 bytes and others 2 to 8; it is echoed, so a long one would be a way to make us send.
const MAX_TRANSACTION = 20;
// Longer than tokens in use; it is kept until the announce.
const MAX_TOKEN = 64;
const MAX_ERROR_TEXT = 200;

const LETTER = { query: "q", reply: "r", error: "e" } as const;

/** Reads a message. Throws ProtocolError when it is none, or a response lacks what every response has. */
export function decodeMessage(bytes: Uint8Array): Message {
  const message = scan(bytes, { maxBytes: MAX_MESSAGE, maxItems: MAX_VALUES });
  if (message.kind !== "dict") throw new ProtocolError("Cannot read DHT message: it must be a dictionary");
  const transaction = string(message, "t")?.slice();
  if (!transaction || transaction.length > MAX_TRANSACTION) {
    throw new ProtocolError(`Cannot read DHT message: "t" must be at most ${MAX_TRANSACTION} bytes`);
  }
  const kind = string(message, "y");
  switch (kind && byteString(kind)) {
    case "q":
      return {
        kind: "query",
        transaction,
        method: byteString(string(message, "q") ?? new Uint8Array()),
        arguments: readArguments(dict(message, "a"), bytes),
        readOnly: integer(message, "ro") === 1,
      };
    case "r":
      return { kind: "reply", transaction, reply: readReply(dict(message, "r"), bytes), seen: address(message, "ip") };
    case "e": {
      const parts = list(message, "e");
      const [code, text] = parts;
      return {
        kind: "error",
        transaction,
        code: code?.kind === "integer" ? Number(code.value) : ERROR.generic,
        text: text?.kind === "string" ? utf8Decode(text.bytes.subarray(0, MAX_ERROR_TEXT)) : "",
      };
    }
  }
  throw new ProtocolError('Cannot read DHT message: "y" must be "q", "r" or "e"');
}

/** Writes a message. Throws RangeError when it is longer than 4 KiB, which none of ours is. */
export function encodeMessage(message: Message): Uint8Array {
  const { kind, transaction } = message;
  const out = new BencodeWriter().raw("d");
  // Keys in order of their bytes.
  switch (kind) {
    case "query": {
      out.raw("1:a");
      writeArguments(out, message.arguments);
      out.raw("1:q").text(message.method);
      if (message.readOnly) out.raw("2:roi1e");
      break;
    }
    case "reply":
      if (message.seen) out.raw("2:ip").string(encodeAddress(message.seen));
      out.raw("1:r");
      writeReply(out, message.reply);
      break;
    case "error":
      out.raw("1:el").integer(message.code).string(utf8Encode(message.text)).raw("e");
  }
  return out.raw("1:t").string(transaction).raw("1:y1:").raw(LETTER[kind]).raw("e").end();
}

function readArguments(a: DictSpan | undefined, bytes: Uint8Array): Arguments {
  if (!a) return {};
  const want = list(a, "want").map((item) => item.kind === "string" ? byteString(item.bytes) : "");
  return {
    ...readItem(a, bytes),
    id: id(a, "id"),
    target: id(a, "target"),
    infoHash: id(a, "info_hash"),
    port: integer(a, "port"),
    impliedPort: (integer(a, "implied_port") ?? 0) !== 0,
    token: token(a),
    ...(want.length > 0 && { want: ([4, 6] as const).filter((family) => want.includes(`n${family}`)) }),
    scrape: integer(a, "scrape") === 1,
    noseed: integer(a, "noseed") === 1,
    seed: integer(a, "seed") === 1,
  };
}

function readReply(r: DictSpan | undefined, bytes: Uint8Array): Reply {
  const own = r && id(r, "id");
  if (!own) throw new ProtocolError('Cannot read DHT response: "id" must be 20 bytes');
  const [nodes, nodes6, samples] = [string(r, "nodes"), string(r, "nodes6"), string(r, "samples")];
  const values = list(r, "values").map((item) => item.kind === "string" ? decodeAddress(item.bytes) : undefined);
  return {
    ...readItem(r, bytes),
    id: own,
    ...(nodes && { nodes: decodeContacts(nodes, 4) }),
    ...(nodes6 && { nodes6: decodeContacts(nodes6, 6) }),
    token: token(r),
    ...(values.length > 0 && { values: values.filter((value) => value !== undefined) }),
    seeds: sized(r, "BFsd", 256),
    peers: sized(r, "BFpe", 256),
    interval: integer(r, "interval"),
    num: integer(r, "num"),
    ...(samples && { samples: compactEntries(samples, ID_LENGTH).map(byteString) }),
  };
}

function readItem(dict: DictSpan, bytes: Uint8Array): ItemFields {
  const value = dict.entries.get("v");
  return {
    v: value && bytes.slice(value.start, value.end),
    k: sized(dict, "k", 32),
    sig: sized(dict, "sig", 64),
    seq: integer(dict, "seq"),
    salt: string(dict, "salt")?.slice(),
    cas: integer(dict, "cas"),
  };
}

function writeArguments(out: BencodeWriter, a: Arguments): void {
  out.raw("d");
  integerField(out, "3:cas", a.cas);
  textField(out, "2:id", a.id);
  integerField(out, "12:implied_port", flag(a.impliedPort));
  textField(out, "9:info_hash", a.infoHash);
  stringField(out, "1:k", a.k);
  integerField(out, "6:noseed", flag(a.noseed));
  integerField(out, "4:port", a.port);
  stringField(out, "4:salt", a.salt);
  integerField(out, "6:scrape", flag(a.scrape));
  integerField(out, "4:seed", flag(a.seed));
  integerField(out, "3:seq", a.seq);
  stringField(out, "3:sig", a.sig);
  textField(out, "6:target", a.target);
  stringField(out, "5:token", a.token);
  if (a.v) out.raw("1:v").bytes(a.v);
  if (a.want) out.raw("4:wantl").raw(a.want.map((family) => `2:n${family}`).join("")).raw("e");
  out.raw("e");
}

function writeReply(out: BencodeWriter, r: Reply): void {
  out.raw("d");
  stringField(out, "4:BFpe", r.peers);
  stringField(out, "4:BFsd", r.seeds);
  textField(out, "2:id", r.id);
  integerField(out, "8:interval", r.interval);
  stringField(out, "1:k", r.k);
  stringField(out, "5:nodes", r.nodes && encodeContacts(r.nodes, 4));
  stringField(out, "6:nodes6", r.nodes6 && encodeContacts(r.nodes6, 6));
  integerField(out, "3:num", r.num);
  textField(out, "7:samples", r.samples?.join(""));
  integerField(out, "3:seq", r.seq);
  stringField(out, "3:sig", r.sig);
  stringField(out, "5:token", r.token);
  if (r.v) out.raw("1:v").bytes(r.v);
  if (r.values) {
    out.raw("6:valuesl");
    for (const value of r.values) out.string(encodeAddress(value));
    out.raw("e");
  }
  out.raw("e");
}

function integerField(out: BencodeWriter, key: string, value: number | undefined): void {
  if (value !== undefined) out.raw(key).integer(value);
}

function stringField(out: BencodeWriter, key: string, value: Uint8Array | undefined): void {
  if (value) out.raw(key).string(value);
}

function textField(out: BencodeWriter, key: string, value: string | undefined): void {
  if (value !== undefined) out.raw(key).text(value);
}

function flag(on: boolean | undefined): number | undefined {
  return on ? 1 : undefined;
}

function dict(from: DictSpan, key: string): DictSpan | undefined {
  const span = from.entries.get(key);
  return span?.kind === "dict" ? span : undefined;
}

function list(from: DictSpan, key: string): readonly Span[] {
  const span = from.entries.get(key);
  return span?.kind === "list" ? span.items : [];
}

function string(from: DictSpan, key: string): Uint8Array | undefined {
  const span = from.entries.get(key);
  return span?.kind === "string" ? span.bytes : undefined;
}

function integer(from: DictSpan, key: string): number | undefined {
  const span = from.entries.get(key);
  return span?.kind === "integer" && typeof span.value === "number" ? span.value : undefined;
}

/** A copy of a string of exactly this length. */
function sized(from: DictSpan, key: string, length: number): Uint8Array | undefined {
  const bytes = string(from, key);
  return bytes?.length === length ? bytes.slice() : undefined;
}

function id(from: DictSpan, key: string): NodeId | undefined {
  const bytes = string(from, key);
  return bytes?.length === ID_LENGTH ? byteString(bytes) : undefined;
}

function token(from: DictSpan): Uint8Array | undefined {
  const bytes = string(from, "token");
  return bytes && bytes.length <= MAX_TOKEN ? bytes.slice() : undefined;
}

function address(from: DictSpan, key: string): PeerAddress | undefined {
  const bytes = string(from, key);
  return bytes && decodeAddress(bytes);
}
