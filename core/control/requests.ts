/** What a caller may send, checked key by key: callers are trusted no further than peers are. @module */
import { type AddSwarm, CommandError, type UpdateSwarm } from "../api/mod.ts";
import { byteString, fromByteString } from "../wire/mod.ts";

interface Check {
  readonly expects: string;
  test(value: unknown): boolean;
}
type Shape = Readonly<Record<string, Check>>;

/** No list that a caller sends is longer: file indexes of the largest torrent fit. */
const MAX_ITEMS = 2 ** 20;

const text: Check = { expects: "text", test: (value) => typeof value === "string" };
const flag: Check = { expects: "true or false", test: (value) => typeof value === "boolean" };
const index: Check = { expects: "a whole number from 0 up", test: isIndex };
const priority: Check = { expects: "0 to 7", test: (value) => isIndex(value) && value <= 7 };

const absolutePath: Check = {
  expects: "an absolute path",
  test: (value) => typeof value === "string" && /^(?:[A-Za-z]:)?[\\/]/.test(value),
};

const limits: Check = {
  expects: 'an object of "down", "up", "ratio" and "seedTime", each a number from 0 up',
  test: (value) => isLimits(value, isAmount),
};
const limitChanges: Check = {
  expects: `${limits.expects}, or null to lift it`,
  test: (value) => isLimits(value, (limit) => limit === null || isAmount(limit)),
};
const priorities: Check = {
  expects: "an object of file indexes with priorities 0 to 7",
  test: (value) =>
    isRecord(value) && Object.entries(value).every(([key, n]) => /^\d{1,7}$/.test(key) && priority.test(n)),
};

const changes = {
  paused: flag,
  select: listOf(index),
  sequential: flag,
  trackers: listOf(text),
  allowLocal: flag,
  force: flag,
  limits,
};
const addShape: Shape = {
  ...changes,
  path: text,
  peers: listOf(text),
  existing: oneOf("resume", "check", "trust"),
  readOnly: flag,
  followLinks: flag,
};
const updateShape: Shape = { ...changes, limits: limitChanges, priorities };

/** The body of `add`: an {@link AddSwarm} whose .torrent stands in base64 as `torrent`, its magnet as `magnet`. */
export function readAdd(body: unknown): AddSwarm {
  const { torrent, magnet, ...rest } = checked(body, { ...addShape, torrent: text, magnet: text });
  if ((torrent === undefined) === (magnet === undefined)) {
    throw new CommandError('Cannot add: expected either "torrent" or "magnet"');
  }
  return { ...rest, source: magnet === undefined ? fromBase64(torrent as string) : magnet as string, origin: "user" };
}

/** The body of `add` for a request: what {@link readAdd} reads. */
export function writeAdd({ source, origin: _, ...rest }: AddSwarm): Record<string, unknown> {
  return typeof source === "string" ? { magnet: source, ...rest } : { torrent: btoa(byteString(source)), ...rest };
}

/** The body of `update`: a swarm's id and what changes. A limit that is lifted is null in JSON, undefined here. */
export function readUpdate(body: unknown): { id: string; change: UpdateSwarm } {
  const { id, ...change } = checked(body, { ...updateShape, id: text }, "id");
  return { id: id as string, change: withLimits(change, (limit) => limit ?? undefined) };
}

/** The body of `update` for a change: what {@link readUpdate} reads. */
export function writeUpdate(id: string, change: UpdateSwarm): Record<string, unknown> {
  return { id, ...withLimits(change, (limit) => limit ?? null) };
}

/** The body of the commands that name a swarm, and perhaps peers or whether its data goes too. */
export function readCommand(body: unknown): { id: string; peers: readonly string[]; deleteData: boolean } {
  const { id, peers = [], deleteData = false } = checked(
    body,
    { id: text, peers: listOf(text), deleteData: flag },
    "id",
  );
  return { id: id as string, peers: peers as string[], deleteData: deleteData as boolean };
}

/** The body of `reload`: nothing. */
export function readReload(body: unknown): void {
  checked(body, {});
}

/** The body of `plan`: the profile's path, absolute, since the caller may stand in another folder. */
export function readPlan(body: unknown): { profile?: string } {
  const { profile } = checked(body, { profile: absolutePath });
  return profile === undefined ? {} : { profile: profile as string };
}

function checked(body: unknown, shape: Shape, ...required: string[]): Record<string, unknown> {
  if (!isRecord(body)) throw new CommandError("Cannot read command: expected a JSON object");
  for (const [key, value] of Object.entries(body)) {
    const check = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!check) throw new CommandError(`Cannot read command: unknown key ${JSON.stringify(key.slice(0, 100))}`);
    if (!check.test(value)) throw new CommandError(`Cannot read command: "${key}" must be ${check.expects}`);
  }
  for (const key of required) {
    if (body[key] === undefined) throw new CommandError(`Cannot read command: "${key}" is missing`);
  }
  return body;
}

function withLimits(change: UpdateSwarm, each: (limit: unknown) => unknown): UpdateSwarm {
  if (!change.limits) return change;
  const limits = Object.entries(change.limits).map(([key, limit]) => [key, each(limit)]);
  return { ...change, limits: Object.fromEntries(limits) };
}

function listOf(item: Check): Check {
  return {
    expects: `a list of at most ${MAX_ITEMS} items, each ${item.expects}`,
    test: (value) => Array.isArray(value) && value.length <= MAX_ITEMS && value.every((each) => item.test(each)),
  };
}

function oneOf(...values: readonly string[]): Check {
  return {
    expects: values.map((value) => `"${value}"`).join(" or "),
    test: (value) => values.includes(value as string),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLimits(value: unknown, isLimit: (limit: unknown) => boolean): boolean {
  const keys = ["down", "up", "ratio", "seedTime"];
  return isRecord(value) && Object.entries(value).every(([key, limit]) => keys.includes(key) && isLimit(limit));
}

function isAmount(value: unknown): boolean {
  return typeof value === "number" && value >= 0;
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}

function fromBase64(encoded: string): Uint8Array {
  try {
    return fromByteString(atob(encoded));
  } catch {
    throw new CommandError('Cannot read command: "torrent" must be base64');
  }
}
