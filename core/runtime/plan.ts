/** What differs between the settings that run and others: the plan of a reload. @module */
import {
  formatDuration,
  formatRate,
  formatSize,
  type PlanChange,
  type PluginEntry,
  type Settings,
} from "../api/mod.ts";

/** How the entries of two profiles relate. Entries are the same ones when their names are. */
export interface EntryPlan {
  readonly added: readonly PluginEntry[];
  readonly removed: readonly PluginEntry[];
  /** Entries that start anew, as they are afterwards. */
  readonly replaced: readonly PluginEntry[];
  readonly changes: readonly PlanChange[];
}

/** Compares the plugins of two profiles. */
export function planEntries(before: readonly PluginEntry[], after: readonly PluginEntry[]): EntryPlan {
  const old = new Map(before.map((entry) => [entry.name, entry]));
  const names = new Set(after.map(({ name }) => name));
  const added = after.filter(({ name }) => !old.has(name));
  const removed = before.filter(({ name }) => !names.has(name));
  const replaced: PluginEntry[] = [];
  const changes: PlanChange[] = removed.map(({ name }) => ({ action: "remove", what: `plugin ${name}` }));
  for (const entry of after) {
    const known = old.get(entry.name);
    const what = `plugin ${entry.name}`;
    if (!known) {
      changes.push({ action: "add", what });
      continue;
    }
    const differences = entryDifferences(known, entry);
    if (differences.length > 0) {
      replaced.push(entry);
      changes.push({ action: "replace", what, why: differences.join(", ") });
    } else if (known.drain !== entry.drain) {
      changes.push({ action: "change", what: `${what}, drain`, why: fromTo(known.drain, entry.drain, formatDuration) });
    }
  }
  const order = (entries: readonly PluginEntry[], others: ReadonlyMap<string, unknown> | Set<string>): string =>
    entries.map(({ name }) => name).filter((name) => others.has(name)).join("\n");
  if (order(before, names) !== order(after, old)) changes.push({ action: "change", what: "order of plugins" });
  return { added, removed, replaced, changes };
}

/** What of an entry changed so that it must start anew, in words. */
function entryDifferences(before: PluginEntry, after: PluginEntry): string[] {
  if (before.use !== after.use) return [`${before.use} to ${after.use}`];
  return [
    ...differences(before.config, after.config, "with"),
    ...differences(before.permissions, after.permissions, "permissions"),
    ...(before.isolate === after.isolate ? [] : [`isolate: ${before.isolate} to ${after.isolate}`]),
    ...(before.memory === after.memory ? [] : [`memory: ${fromTo(before.memory, after.memory, formatSize)}`]),
    ...(before.version === after.version ? [] : ["its code"]),
  ];
}

// Keys of `limits` and `quarantine` as the profile writes them, and how people read them.
const WRITTEN: Readonly<Record<string, string>> = {
  halfOpen: "half_open",
  handshakes: "handshakes",
  acceptsPerAddress: "accepts_per_address",
  openPieces: "open_pieces",
  readAhead: "read_ahead",
  openFiles: "open_files",
  seedTime: "seed_time",
};
const FORMATS: Readonly<Record<string, (value: number) => string>> = {
  down: formatRate,
  up: formatRate,
  openPieces: formatSize,
  readAhead: formatSize,
  seedTime: formatDuration,
  within: formatDuration,
  backoff: formatDuration,
  longest: formatDuration,
};

/** Compares everything but plugins and swarms. */
export function planSettings(before: Settings, after: Settings): PlanChange[] {
  const changes: PlanChange[] = [];
  const list = (values: readonly { readonly ip: string; readonly port: number }[]): string =>
    values.map(({ ip, port }) => ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`).join(", ");
  if (!same(before.listen, after.listen)) {
    changes.push({ action: "change", what: "listen", why: `${list(before.listen)} to ${list(after.listen)}` });
  }
  if (before.store.path !== after.store.path) {
    const why = `${before.store.path} to ${after.store.path}, for swarms that are added from now on`;
    changes.push({ action: "change", what: "store.path", why });
  }
  if (!same(before.egress.allow, after.egress.allow)) {
    const why = `${before.egress.allow.join(", ") || "nothing"} to ${after.egress.allow.join(", ") || "nothing"}`;
    changes.push({ action: "change", what: "egress.allow", why });
  }
  for (const section of ["limits", "quarantine"] as const) {
    const [old, now] = [before[section], after[section]] as unknown as Record<string, number | undefined>[];
    for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
      if (old[key] === now[key]) continue;
      const why = fromTo(old[key], now[key], FORMATS[key]);
      changes.push({ action: "change", what: `${section}.${WRITTEN[key] ?? key}`, why });
    }
  }
  return changes;
}

/** The keys in which two values differ, as paths. */
export function differences(before: unknown, after: unknown, path: string): string[] {
  if (same(before, after)) return [];
  if (!isRecord(before) || !isRecord(after)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], `${path}.${key}`));
}

/** Whether two decoded values say the same. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => same(each, b[i]));
  if (a instanceof Map && b instanceof Map) return same([...a], [...b]);
  if (a instanceof Set && b instanceof Set) return same([...a], [...b]);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return same([...bytesOf(a)], [...bytesOf(b)]);
  if (!isRecord(a) || !isRecord(b)) return textOf(a) !== undefined && textOf(a) === textOf(b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What a value of a class stands for (a URL, a Date, a RegExp, an address with a key); undefined when it can't be told. */
function textOf(value: object): string | undefined {
  const { key, text } = value as { key?: unknown; text?: unknown };
  if (typeof key === "string") return key;
  if (typeof text === "string") return text;
  return value.toString === Object.prototype.toString ? undefined : String(value);
}

function fromTo<T extends number>(
  before: T | undefined,
  after: T | undefined,
  format: (value: T) => string = String,
): string {
  const text = (value: T | undefined): string => value === undefined ? "unlimited" : format(value);
  return `${text(before)} to ${text(after)}`;
}
