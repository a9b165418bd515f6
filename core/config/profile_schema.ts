import {
  type BindAddress,
  bindAddress,
  boolean,
  duration,
  hostPort,
  integer,
  type Isolation,
  list,
  number,
  object,
  oneOf,
  optional,
  path,
  rate,
  scalar,
  type Schema,
  size,
  string,
  withDefault,
} from "../api/mod.ts";
import { asText, mismatch } from "../api/schema_support.ts";
import { isMagnet, parseHostPort, parseIp, parseMagnet } from "../wire/mod.ts";

const unlimited = (): Schema<number | undefined> => rate({ default: "unlimited" });

/** Limits that a swarm shares with the whole runtime. */
const sharedLimits = {
  down: unlimited(),
  up: unlimited(),
  ratio: optional(number({ min: 0 })),
  seed_time: optional(duration()),
};

/** One entry of `swarms`. */
export const swarmSchema = object({
  add: torrentSource(),
  path: optional(path()),
  select: optional(list(integer({ min: 0 }))),
  sequential: boolean({ default: false }),
  paused: boolean({ default: false }),
  peers: list(hostPort(), { default: [] }),
  allow_local: boolean({ default: false }),
  force: boolean({ default: false }),
  limits: object(sharedLimits),
});

/** One entry of `plugins`; its `with` is decoded by the plugin's own schema. */
export const entrySchema = object({
  use: pluginName(),
  as: optional(string({ minLength: 1, maxLength: 64 })),
  with: anything(),
  isolate: withDefault(isolation(), "none"),
  permissions: optional(object({
    net: optional(hostsOrAll()),
    read: optional(list(path())),
    write: optional(list(path())),
    env: optional(list(string({ minLength: 1, maxLength: 256 }))),
    private: optional(boolean()),
  })),
  memory: size({ default: "256 MiB", min: "128 MiB" }),
  drain: duration({ default: "1h" }),
});

/** Where things are kept. */
export const storeSchema = object({ path: path({ default: "./downloads" }), state: path({ default: "./weft.db" }) });

/** The whole profile, without what is inside the entries of `plugins`. */
export const profileSchema = object({
  listen: oneOrMany(bindAddress(), [{ ip: "::", port: 6881 }]),
  store: storeSchema,
  egress: object({ allow: list(egressRule(), { default: [] }) }),
  limits: object({
    ...sharedLimits,
    connections: integer({ default: 200, min: 1, max: 65_535 }),
    peers: integer({ default: 60, min: 1, max: 65_535 }),
    unchoked: optional(integer({ min: 1 })),
    dials: integer({ default: 20, min: 1 }),
    half_open: integer({ default: 30, min: 1 }),
    handshakes: integer({ default: 64, min: 1 }),
    accepts_per_address: integer({ default: 10, min: 1 }),
    open_pieces: size({ default: "32 MiB", min: "1 MiB" }),
    read_ahead: size({ default: "16 MiB", min: "0" }),
    open_files: integer({ default: 128, min: 4 }),
  }),
  quarantine: object({
    faults: integer({ default: 5, min: 1 }),
    within: duration({ default: "1m", min: "1s" }),
    backoff: duration({ default: "30s", min: "1s" }),
    longest: duration({ default: "1h", min: "1s" }),
  }),
  swarms: list(swarmSchema, { default: [] }),
  plugins: list(anything()),
});

/** Hosts, perhaps with a port, or `true` for every host. */
function hostsOrAll(): Schema<readonly string[] | true> {
  const hosts = list(string({ minLength: 1, maxLength: 256 }));
  const expects = 'a list of hosts such as "tracker.example:443", or true';
  return {
    expects,
    decode(node) {
      if (node.value === true) return true;
      return Array.isArray(node.value) ? hosts.decode(node) : void node.problem(mismatch(node, expects, node.value));
    },
  };
}

function pluginName(): Schema<string> {
  return scalar("the name of a built-in plugin, or the path of a module such as ./roster.ts", (value) => {
    const text = asText(value);
    if (text === "") throw new TypeError("not a name");
    return text;
  });
}

/** A magnet link, or the path of a .torrent, made absolute. */
function torrentSource(): Schema<string> {
  return scalar("the path of a .torrent or a magnet link", (value, node) => {
    const text = asText(value);
    if (isMagnet(text)) {
      parseMagnet(text);
      return text;
    }
    if (text === "" || /^[a-z][a-z0-9+.-]+:\/\//i.test(text)) throw new TypeError("not a path");
    return node?.resolve?.(text) ?? text;
  });
}

/** What `egress.allow` lists. */
function egressRule(): Schema<string> {
  return scalar("loopback, private, an IP, a range such as 10.0.0.0/8 or a host name, perhaps with a port", (value) => {
    const text = asText(value);
    const [, target, port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
    const withPort = target !== undefined && Number(port) <= 65_535 &&
      (target.includes(":") ? /^\[.*\]$/.test(target) : true) && isEgressTarget(target.replace(/^\[|\]$/g, ""));
    if (!withPort && !isEgressTarget(text)) throw new TypeError("not a target");
    return text;
  });
}

function isEgressTarget(text: string): boolean {
  const [base, bits] = text.split("/");
  const ip = parseIp(base);
  if (ip) return bits === undefined || /^\d{1,3}$/.test(bits) && Number(bits) <= ip.bytes.length * 8;
  try {
    return parseHostPort(`${text}:1`).host !== "";
  } catch {
    return false;
  }
}

function oneOrMany(item: Schema<BindAddress>, standard: readonly BindAddress[]): Schema<readonly BindAddress[]> {
  const many = list(item);
  return withDefault({
    expects: item.expects,
    decode(node) {
      if (Array.isArray(node.value)) return many.decode(node);
      const one = item.decode(node);
      return one && [one];
    },
  }, standard);
}

/** Where a plugin's code runs; whoever only says that it shall be isolated gets what holds hostile code too. */
function isolation(): Schema<Isolation> {
  const expects = 'true, "worker", "process" or "none"';
  const words = oneOf("none", "worker", "process");
  return {
    expects,
    decode(node) {
      if (node.value === true) return "process";
      if (node.value === false) return "none";
      return words.decode({
        ...node,
        at: (key) => node.at(key),
        problem: (text) => node.problem(text.replace(words.expects, expects)),
      });
    },
  };
}

function anything(): Schema<unknown> {
  return { expects: "a mapping", fallback: { value: undefined }, decode: (node) => node.value };
}
