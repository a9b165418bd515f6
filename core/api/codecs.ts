/**
 * How hooks cross to isolated code: values as plain data and back. What comes from there is hostile, so decoding
 * checks every field and keeps no other.
 *
 * @module
 */
import {
  fromHex,
  InfoHash,
  parsePeerAddress,
  type PeerAddress,
  quote,
  toHex,
  type TorrentId,
  torrentId,
} from "../wire/mod.ts";
import type { HookCodec } from "./hook.ts";
import type {
  PeerEvent,
  PeerUnreachableEvent,
  PieceEvent,
  PluginStateEvent,
  SwarmEvent,
  SwarmStateEvent,
} from "./events.ts";
import type { AdmitAnswer, AdmitRequest, DiscoverRequest, HoldRequest, PeerCandidate } from "./requests.ts";
import type { TrackerStatus } from "./tracker.ts";

// Longer than any name, URL or reason of use.
const MAX_TEXT = 8 * 1024;
// One batch of candidates is far smaller; a list past this is no answer to anything that was asked.
const MAX_ITEMS = 20_000;
// A torrent's info dictionary is at most this long (bytes); see what peers may send of it.
const MAX_METADATA = 8 * 1024 * 1024;

/** One way of writing a value as plain data. */
interface Field<T> {
  encode(value: T): unknown;
  /** @throws {TypeError} when `plain` is no such value; wire's ProtocolError when it is a malformed one */
  decode(plain: unknown): T;
}

type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

const text: Field<string> = checked("a text", (plain) => typeof plain === "string" && plain.length <= MAX_TEXT);
const flag: Field<boolean> = checked("true or false", (plain) => typeof plain === "boolean");
const amount: Field<number> = checked("a number", (plain) => typeof plain === "number" && Number.isFinite(plain));
const count: Field<number> = checked("a count", (plain) => Number.isSafeInteger(plain) && (plain as number) >= 0);
const metadata: Field<Uint8Array> = checked(
  `at most ${MAX_METADATA} bytes`,
  (plain) => plain instanceof Uint8Array && plain.length <= MAX_METADATA,
);

const address: Field<PeerAddress> = {
  encode: ({ key }) => key,
  decode: (plain) => parsePeerAddress(text.decode(plain)),
};

const id: Field<TorrentId> = {
  encode: ({ v1, v2 }) => ({ ...(v1 && { v1: v1.hex }), ...(v2 && { v2: toHex(v2) }) }),
  decode: (plain) => {
    const { v1, v2 } = mapping<{ v1?: string; v2?: string }>({ v1: optional(text), v2: optional(text) }).decode(plain);
    return torrentId({
      ...(v1 !== undefined && { v1: InfoHash.from(fromHex(v1)) }),
      ...(v2 !== undefined && { v2: fromHex(v2) }),
    });
  },
};

const swarm: Fields<SwarmEvent> = { id, name: text, private: flag };

/** For `discoverPeers`. */
export const discoverCodec: HookCodec<DiscoverRequest, PeerCandidate> = codec(
  mapping({ id, wanted: count, port: count }),
  mapping<PeerCandidate>({ address, namedBy: optional(text) }),
);

/** For `admitPeers`. */
export const admitCodec: HookCodec<AdmitRequest, AdmitAnswer> = codec(
  mapping<AdmitRequest>({
    stage: oneOf("candidate", "arrival", "session"),
    id: optional(id),
    private: flag,
    source: text,
    addresses: list(address),
  }),
  list(flag),
);

/** For `resolveMetadata`. */
export const metadataCodec: HookCodec<{ readonly id: TorrentId }, Uint8Array> = codec(mapping({ id }), metadata);

/** For `swarmAdded`, `swarmRemoved` and `swarmCompleted`. */
export const swarmCodec: HookCodec<SwarmEvent, void> = told(swarm);

/** For `swarmState`. */
export const swarmStateCodec: HookCodec<SwarmStateEvent, void> = told<
  SwarmStateEvent
>({ ...swarm, state: text, error: optional(text), held: optional(text) });

/** For `holdSwarm`. */
export const holdCodec: HookCodec<HoldRequest, string> = codec(
  mapping<HoldRequest>({
    ...swarm,
    doing: oneOf("metadata", "checking", "downloading", "seeding"),
    path: text,
    length: count,
    left: count,
    added: amount,
  }),
  text,
);

const peer: Fields<PeerEvent> = { ...swarm, address, incoming: flag, transport: text };

/** For `peerConnected`. */
export const peerCodec: HookCodec<PeerEvent, void> = told(peer);

/** For `peerClosed`. */
export const peerClosedCodec: HookCodec<PeerEvent & { readonly reason: string }, void> = told<
  PeerEvent & { readonly reason: string }
>({ ...peer, reason: text });

/** For `peerUnreachable`. */
export const peerUnreachableCodec: HookCodec<PeerUnreachableEvent, void> = told<PeerUnreachableEvent>({
  ...swarm,
  address,
  error: text,
  namedBy: list(text),
});

/** For `pieceVerified` and `pieceFailed`. */
export const pieceCodec: HookCodec<PieceEvent, void> = told<PieceEvent>({ ...swarm, piece: count });

/** For `trackerStatus`. */
export const trackerStatusCodec: HookCodec<SwarmEvent & { readonly status: TrackerStatus }, void> = told<
  SwarmEvent & { readonly status: TrackerStatus }
>({
  ...swarm,
  status: mapping<TrackerStatus>({
    url: text,
    tier: count,
    state: oneOf("idle", "announcing", "working", "failed", "disabled"),
    lastAnnounce: optional(amount),
    nextAnnounce: optional(amount),
    seeders: optional(amount),
    leechers: optional(amount),
    peers: optional(amount),
    error: optional(text),
    warning: optional(text),
  }),
});

/** For `dhtNodeNamed`. */
export const nodeNamedCodec: HookCodec<{ readonly address: PeerAddress }, void> = told<
  { readonly address: PeerAddress }
>({ address });

/** For `pluginState`. */
export const pluginStateCodec: HookCodec<PluginStateEvent, void> = told<PluginStateEvent>({
  plugin: text,
  state: oneOf("running", "quarantined"),
  reason: text,
  backoff: optional(amount),
});

/** For `configReloaded`. */
export const configReloadedCodec: HookCodec<{ readonly generation: number }, void> = told<
  { readonly generation: number }
>({ generation: count });

function codec<In, Out>(input: Field<In>, output: Field<Out>): HookCodec<In, Out> {
  return {
    encodeInput: (value) => input.encode(value),
    decodeInput: (plain) => input.decode(plain),
    encodeOutput: (value) => output.encode(value),
    decodeOutput: (plain) => output.decode(plain),
  };
}

/** The codec of an event, which nothing answers. */
function told<In>(fields: Fields<In>): HookCodec<In, void> {
  return codec<In, void>(mapping<In>(fields), { encode: () => undefined, decode: () => undefined });
}

function checked<T>(what: string, fits: (plain: unknown) => boolean): Field<T> {
  return {
    encode: (value) => value,
    decode(plain) {
      if (fits(plain)) return plain as T;
      throw new TypeError(`Cannot read value: expected ${what}, current value is ${shown(plain)}`);
    },
  };
}

function oneOf<const W extends readonly string[]>(...words: W): Field<W[number]> {
  return checked(words.map(quote).join(" or "), (plain) => words.includes(plain as string));
}

function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    encode: (value) => value === undefined ? undefined : field.encode(value),
    decode: (plain) => plain == null ? undefined : field.decode(plain),
  };
}

function list<T>(item: Field<T>): Field<readonly T[]> {
  const items = checked<readonly unknown[]>(
    `a list of at most ${MAX_ITEMS} items`,
    (plain) => Array.isArray(plain) && plain.length <= MAX_ITEMS,
  );
  return {
    encode: (values) => values.map((value) => item.encode(value)),
    decode: (plain) => items.decode(plain).map((value) => item.decode(value)),
  };
}

/** The fields' keys and no others; what is undefined is left out. */
function mapping<T>(fields: Fields<T>): Field<T> {
  const keys = Object.keys(fields) as (keyof T & string)[];
  const build = (value: (key: keyof T & string) => unknown): unknown =>
    Object.fromEntries(keys.map((key) => [key, value(key)] as const).filter(([, field]) => field !== undefined));
  return {
    encode: (value) => build((key) => fields[key].encode(value[key])),
    decode(plain) {
      if (typeof plain !== "object" || plain === null) {
        throw new TypeError(`Cannot read value: expected a mapping, current value is ${shown(plain)}`);
      }
      const own = (key: string): unknown =>
        Object.hasOwn(plain, key) ? (plain as Record<string, unknown>)[key] : undefined;
      return build((key) => fields[key].decode(own(key))) as T;
    },
  };
}

function shown(plain: unknown): string {
  return typeof plain === "string" ? quote(plain) : typeof plain === "number" ? `${plain}` : `of type ${typeof plain}`;
}
