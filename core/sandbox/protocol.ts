/**
 * What Weft and an isolated plugin say to each other: plain data only. Each side reads what comes with
 * {@link readHostMessage} and {@link readGuestMessage}, which check every field.
 *
 * Weft asks first: `describe` or `start`. A started guest says `on` for each handler, then `ready`; calls carry
 * numbers that Weft chose. A `gather` may have {@link CREDIT} values under way that Weft has not taken yet.
 *
 * @module
 */
import type { Want } from "../api/mod.ts";
import { ProtocolError, quote } from "../wire/mod.ts";
import { copyPlain, type PlainLimits } from "./plain.ts";

/** Values that a gather may send before Weft took the first: enough to hide the way there, few enough to hold. */
export const CREDIT = 64;
/** Calls of one guest that may be under way; further ones fail at once, further events are dropped. */
export const MAX_CALLS = 256;
/** A text for people: names, errors, lines of the log (characters). */
export const MAX_LINE = 2_000;
/** Texts in one list, such as `needs`. */
const MAX_TEXTS = 100;
/** A message holds at most a torrent's metadata (8 MiB) and little else, so that a guest can't fill memory with one. */
export const MESSAGE_LIMITS: PlainLimits = { bytes: 10 * 1024 * 1024, values: 200_000 };

/** A swarm as it crosses. */
export interface PlainSwarm {
  /** Its id's key. */
  readonly key: string;
  /** Id and name, as `swarmAdded` carries them. */
  readonly event: unknown;
  readonly seeding: boolean;
  readonly nodes: readonly string[];
}

/** What one `carry` of a plugin handed on. */
export interface Carried {
  readonly key: string;
  readonly version: number;
  readonly data: unknown;
}

/** One mistake in a `with`: where below it, what, and at which key of that place. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly key?: string;
}

/** What a plugin says of itself, and of the `with` that its entry gives. */
export interface Description {
  readonly name: string;
  readonly summary?: string;
  readonly needs?: readonly string[];
  readonly provides?: readonly string[];
  readonly wants?: readonly Want[];
  readonly expects: string;
  readonly example?: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
}

/** What Weft says. */
export type HostMessage =
  | { readonly do: "describe"; readonly url: string; readonly config: unknown; readonly baseDir: string }
  | {
    readonly do: "start";
    readonly url: string;
    readonly config: unknown;
    readonly baseDir: string;
    readonly name: string;
    /** What the entry's permissions say of the network. */
    readonly net: readonly string[] | true;
    readonly carried: readonly Carried[];
  }
  | { readonly do: "call"; readonly call: number; readonly registration: number; readonly input: unknown }
  | { readonly do: "credit"; readonly call: number; readonly count: number }
  | { readonly do: "cancel"; readonly call: number }
  | { readonly do: "ping"; readonly ping: number }
  | {
    readonly do: "swarms";
    readonly added: readonly PlainSwarm[];
    readonly removed: readonly string[];
    /** Where Weft accepts peers, or 0. */
    readonly port: number;
  }
  | { readonly do: "stored"; readonly request: number; readonly value?: Uint8Array; readonly error?: string }
  | { readonly do: "stop" };

/** What a guest says. */
export type GuestMessage =
  | { readonly say: "described"; readonly description: Description }
  | { readonly say: "on"; readonly registration: number; readonly hook: string }
  | { readonly say: "off"; readonly registration: number }
  | { readonly say: "ready" }
  | { readonly say: "failed"; readonly message: string }
  /** Something was thrown or rejected that nobody caught. */
  | { readonly say: "stray"; readonly message: string }
  | { readonly say: "values"; readonly call: number; readonly values: readonly unknown[] }
  | { readonly say: "done"; readonly call: number; readonly value: unknown }
  | { readonly say: "error"; readonly call: number; readonly message: string }
  | { readonly say: "pong"; readonly ping: number; readonly carried?: readonly Carried[] }
  | { readonly say: "log"; readonly level: LogLevel; readonly message: string }
  | { readonly say: "hold" | "release"; readonly hold: number }
  | { readonly say: "get"; readonly request: number; readonly key: string }
  | { readonly say: "set"; readonly request: number; readonly key: string; readonly value: Uint8Array }
  | { readonly say: "review" }
  | { readonly say: "stopped" };

/** How loud a line of the log is. */
export type LogLevel = "debug" | "info" | "warn" | "error";
const LEVELS: readonly unknown[] = ["debug", "info", "warn", "error"] satisfies LogLevel[];

/**
 * A message from a guest, which may be hostile; `size` is told how long it is.
 *
 * @throws {ProtocolError} when it is none
 */
export function readGuestMessage(message: unknown, size?: { bytes: number }): GuestMessage {
  const fields = new Fields(copyPlain(message, MESSAGE_LIMITS, size));
  const say = fields.text("say");
  switch (say) {
    case "described":
      return { say, description: readDescription(new Fields(fields.any("description"))) };
    case "on":
      return { say, registration: fields.count("registration"), hook: fields.text("hook") };
    case "off":
      return { say, registration: fields.count("registration") };
    case "ready":
    case "review":
    case "stopped":
      return { say };
    case "failed":
    case "stray":
      return { say, message: fields.text("message") };
    case "values":
      return { say, call: fields.count("call"), values: fields.list("values", CREDIT) };
    case "done":
      return { say, call: fields.count("call"), value: fields.any("value") };
    case "error":
      return { say, call: fields.count("call"), message: fields.text("message") };
    case "pong": {
      const carried = fields.maybe("carried", () => readCarried(fields));
      return { say, ping: fields.count("ping"), ...(carried && { carried }) };
    }
    case "log": {
      const level = fields.text("level");
      if (!LEVELS.includes(level)) throw new ProtocolError(`unknown level ${quote(level)}`);
      return { say, level: level as LogLevel, message: fields.text("message") };
    }
    case "hold":
    case "release":
      return { say, hold: fields.count("hold") };
    case "get":
      return { say, request: fields.count("request"), key: fields.text("key") };
    case "set":
      return { say, request: fields.count("request"), key: fields.text("key"), value: fields.bytes("value") };
  }
  throw new ProtocolError(`unknown message ${quote(say)}`);
}

/**
 * A message from Weft, as a guest reads it.
 *
 * @throws {ProtocolError} when it is none
 */
export function readHostMessage(message: unknown): HostMessage {
  const fields = new Fields(message);
  const what = fields.text("do");
  const code = () => ({ url: fields.text("url"), config: fields.any("config"), baseDir: fields.text("baseDir") });
  switch (what) {
    case "describe":
      return { do: what, ...code() };
    case "start": {
      const net = fields.any("net") === true ? true : fields.texts("net");
      return { do: what, ...code(), name: fields.text("name"), net, carried: readCarried(fields) };
    }
    case "call":
      return {
        do: what,
        call: fields.count("call"),
        registration: fields.count("registration"),
        input: fields.any("input"),
      };
    case "credit":
      return { do: what, call: fields.count("call"), count: fields.count("count") };
    case "cancel":
      return { do: what, call: fields.count("call") };
    case "ping":
      return { do: what, ping: fields.count("ping") };
    case "swarms":
      return {
        do: what,
        added: fields.list("added", MESSAGE_LIMITS.values) as readonly PlainSwarm[],
        removed: fields.list("removed", MESSAGE_LIMITS.values) as readonly string[],
        port: fields.count("port"),
      };
    case "stored": {
      const value = fields.maybe("value", (key) => fields.bytes(key));
      const error = fields.maybe("error", (key) => fields.text(key));
      return {
        do: what,
        request: fields.count("request"),
        ...(value && { value }),
        ...(error !== undefined && { error }),
      };
    }
    case "stop":
      return { do: what };
  }
  throw new ProtocolError(`unknown message ${quote(what)}`);
}

function readCarried(fields: Fields): Carried[] {
  return fields.list("carried", MAX_TEXTS).map((item) => {
    const each = new Fields(item);
    return { key: each.text("key"), version: each.count("version"), data: each.any("data") };
  });
}

function readDescription(fields: Fields): Description {
  const summary = fields.maybe("summary", (key) => fields.text(key));
  const needs = fields.maybe("needs", (key) => fields.texts(key));
  const provides = fields.maybe("provides", (key) => fields.texts(key));
  const wants = fields.maybe("wants", (key) => fields.texts(key))?.filter((want): want is Want => want === "private");
  const example = fields.maybe("example", (key) => new Fields(fields.any(key)).all);
  return {
    name: fields.text("name"),
    expects: fields.text("expects"),
    ...(summary !== undefined && { summary }),
    ...(needs && { needs }),
    ...(provides && { provides }),
    ...(wants && { wants }),
    ...(example && { example }),
    problems: fields.list("problems", MAX_TEXTS).map((item) => {
      const each = new Fields(item);
      const path = each.list("path", MAX_TEXTS);
      if (!path.every((step) => typeof step === "string" || Number.isSafeInteger(step))) {
        throw new ProtocolError('"path" must hold keys and indexes');
      }
      const key = each.maybe("key", (name) => each.text(name));
      return { path: path as (string | number)[], message: each.text("message"), ...(key !== undefined && { key }) };
    }),
  };
}

/** A mapping's fields, each read as what it must be. */
class Fields {
  readonly all: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new ProtocolError("a message must be a mapping");
    }
    this.all = value as Record<string, unknown>;
  }

  any(key: string): unknown {
    return Object.hasOwn(this.all, key) ? this.all[key] : undefined;
  }

  maybe<T>(key: string, read: (key: string) => T): T | undefined {
    return this.any(key) == null ? undefined : read(key);
  }

  /** A text, cut where it is longer than any of use. */
  text(key: string): string {
    const value = this.any(key);
    if (typeof value !== "string") throw new ProtocolError(`${quote(key)} must be a text`);
    return value.slice(0, MAX_LINE);
  }

  count(key: string): number {
    const value = this.any(key);
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ProtocolError(`${quote(key)} must be a count`);
    return value as number;
  }

  bytes(key: string): Uint8Array {
    const value = this.any(key);
    if (!(value instanceof Uint8Array)) throw new ProtocolError(`${quote(key)} must be bytes`);
    return value;
  }

  list(key: string, most: number): readonly unknown[] {
    const value = this.any(key);
    if (!Array.isArray(value) || value.length > most) {
      throw new ProtocolError(`${quote(key)} must be a list of at most ${most} items`);
    }
    return value;
  }

  texts(key: string): readonly string[] {
    return this.list(key, MAX_TEXTS).map((item) => new Fields({ item }).text("item"));
  }
}
