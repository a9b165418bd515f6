import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bindAddress,
  boolean,
  ConfigError,
  definePlugin,
  didYouMean,
  duration,
  hostPort,
  integer,
  list,
  type LoadedPlugin,
  object,
  oneOf,
  optional,
  type Plugin,
  type PluginRequest,
  type Schema,
  string,
  url,
  withDefault,
} from "../api/mod.ts";
import { loadProfile } from "./profile.ts";

// `deno test core/config -- --update` writes what the cases give; read the difference before you commit it.
const update = Deno.args.includes("--update");
const cases = new URL("./cases/", import.meta.url);

const plugins: Record<string, Plugin> = {
  tcp: fake("tcp", object({})),
  utp: fake("utp", object({})),
  mse: fake(
    "mse",
    object({
      policy: withDefault(oneOf("off", "allow", "prefer", "require"), "prefer"),
      ciphers: optional(list(oneOf("rc4", "plaintext"))),
    }),
  ),
  tracker_http: fake(
    "tracker_http",
    object({
      timeout: duration({ default: "30s", min: "1s" }),
      user_agent: string({ default: "Weft/0.1" }),
      numwant: integer({ default: 200, min: 1 }),
    }),
  ),
  tracker_udp: fake(
    "tracker_udp",
    object({ timeout: duration({ default: "30s", min: "1s" }), numwant: integer({ default: 200, min: 1 }) }),
  ),
  pex: fake("pex", object({})),
  holepunch: fake("holepunch", object({})),
  metadata: fake("metadata", object({})),
  lpd: fake("lpd", object({ interfaces: list(string(), { default: [] }) })),
  dht: fake(
    "dht",
    object({
      bootstrap: list(hostPort(), {
        default: ["router.bittorrent.com", "dht.transmissionbt.com", "router.utorrent.com"].map((host) => ({
          host,
          port: 6881,
        })),
      }),
      secure: withDefault(oneOf("off", "prefer", "require"), "prefer"),
      read_only: boolean({ default: false }),
      queries_per_address: integer({ default: 20, min: 1 }),
      queries: integer({ default: 200, min: 1 }),
    }),
  ),
  peers: fake("peers", object({ peers: list(hostPort()), swarm: optional(string()) })),
  tracker_server: fake(
    "tracker_server",
    object({
      listen: bindAddress({ default: "[::]:6969" }),
      udp: boolean({ default: true }),
      interval: duration({ default: "30m" }),
      min_interval: duration({ default: "1m" }),
      numwant: integer({ default: 200, min: 1 }),
      max_peers: integer({ default: 1_000_000, min: 1 }),
      peers_per_address: integer({ default: 5_000, min: 1 }),
      requests_per_second: integer({ default: 50, min: 1 }),
      allow: optional(list(string())),
    }),
  ),
  "/profiles/roster.ts": fake(
    "roster",
    object({ url: url({ schemes: ["https:"] }), every: duration({ default: "5m", min: "30s" }) }),
  ),
};

function fake<T>(name: string, config: Schema<T>): Plugin {
  return definePlugin<T>({ name, config, setup() {} }) as Plugin;
}

function resolvePlugin({ use }: PluginRequest): Promise<LoadedPlugin | string> {
  if (use.endsWith("broken.ts")) return Promise.reject(new SyntaxError("Unexpected token"));
  const plugin = plugins[use];
  return Promise.resolve(
    plugin ? { plugin, version: "1", files: [] } : `unknown plugin "${use}"${didYouMean(use, Object.keys(plugins))}`,
  );
}

function load(text: string, file = "config.yaml") {
  return loadProfile({ text, file, baseDir: "/profiles", resolvePlugin });
}

async function outcome(text: string, file: string): Promise<string> {
  try {
    const { plugins, ...rest } = await load(text, file);
    const named = plugins.map(({ plugin: { name }, ...entry }) => ({ ...entry, plugin: name }));
    return JSON.stringify({ ...rest, plugins: named }, null, 2) + "\n";
  } catch (error) {
    if (error instanceof ConfigError) return error.message + "\n";
    throw error;
  }
}

Deno.test("loadProfile() gives what each case expects", async (t) => {
  const names = [...Deno.readDirSync(cases)].map(({ name }) => name).filter((name) => name.endsWith(".yaml")).sort();
  assert.ok(names.length > 0);
  for (const name of names) {
    await t.step(name, async () => {
      const expected = new URL(name.replace(/yaml$/, "expected"), cases);
      const got = await outcome(Deno.readTextFileSync(new URL(name, cases)), name);
      if (update) Deno.writeTextFileSync(expected, got);
      assert.equal(got, Deno.readTextFileSync(expected));
    });
  }
});

Deno.test("config.example.yaml loads, and what it shows are the defaults", async () => {
  const text = Deno.readTextFileSync(new URL("../../config.example.yaml", import.meta.url));
  const { plugins, places: _, ...shown } = await load(text, "config.example.yaml");
  const { plugins: _none, places: _elsewhere, ...defaults } = await load("plugins: []\n");
  assert.deepEqual(shown, defaults);
  assert.deepEqual(plugins.map(({ use }) => use), [
    "tcp",
    "utp",
    "mse",
    "tracker_http",
    "tracker_udp",
    "pex",
    "holepunch",
    "metadata",
    "dht",
    "lpd",
    "peers",
    "tracker_server",
  ]);
});

Deno.test("a profile may be written as JSON", async () => {
  const { plugins } = await load(JSON.stringify({ plugins: [{ use: "tcp" }] }));
  assert.deepEqual(plugins.map(({ name }) => name), ["tcp"]);
});

Deno.test({
  name: "a profile may be given as plain data, which needs no permission",
  permissions: "none",
  async fn() {
    const source = { file: "built-in profile", baseDir: "/profiles", resolvePlugin };
    const { plugins, listen } = await loadProfile({ ...source, value: { listen: 7000, plugins: [{ use: "tcp" }] } });
    assert.deepEqual(plugins.map(({ name }) => name), ["tcp"]);
    assert.deepEqual(listen, [{ ip: "::", port: 7000 }]);
    await assert.rejects(loadProfile({ ...source, value: { plugins: [{ use: "tpc" }] } }), {
      message: 'built-in profile:1:1: unknown plugin "tpc", did you mean "tcp"?',
    });
  },
});

Deno.test("loadProfile() refuses files too large, too deep, and aliases that stand for too much", async () => {
  await assert.rejects(
    load("#".repeat(2 ** 20 + 1)),
    /config.yaml:1:1: the profile must have at most 1048576 characters/,
  );
  await assert.rejects(load("[".repeat(50_000)), /the profile is nested too deeply|ends too early/);
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [name, of] of ["ba", "cb", "dc", "ed"]) bomb.push(`${name}: &${name} [${`*${of}, `.repeat(10)}]`);
  await assert.rejects(load(bomb.join("\n")), /aliases stand for more than 100 nodes/);
});

Deno.test("loadProfile() refuses a profile that is cut within a quote, a bracket or a key", async () => {
  const whole = 'plugins: [{ use: tcp }, { use: "mse", with: { policy: prefer } }]\n';
  for (let length = 0; length < whole.trimEnd().length; length++) {
    await assert.rejects(load(whole.slice(0, length)), ConfigError, whole.slice(0, length));
  }
  await load(whole);
});

Deno.test("loadProfile() answers any text with settings or a ConfigError", async () => {
  const pieces = [
    "plugins:",
    "swarms:",
    "- use: tcp",
    "with:",
    "a: 1",
    "&a",
    "*a",
    "!!str",
    "{",
    "}",
    "[",
    "]",
    '"',
    ": ",
  ];
  const filler = [
    ...pieces,
    "\n",
    "\n  ",
    "\n    ",
    "? ",
    "<<: ",
    "__proto__: ",
    "---\n",
    "#",
    "| ",
    "\ufeff",
    "\0",
    "- ",
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...filler), { maxLength: 30 }), async (parts) => {
      try {
        await load(parts.join(""));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.ok(error.problems.length > 0);
        for (const problem of error.problems) assert.match(problem, /^config\.yaml:\d+:\d+: ./s);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a plugin that can't read its config is a mistake at its place, and not the end of the others", async () => {
  const broken = {
    ...fake("broken", object({})),
    config: { expects: "a mapping", decode: () => (null as never as { oops: () => 1 }).oops() },
  } as Plugin;
  const text = "plugins:\n  - use: broken\n    with: { a: 1 }\n  - use: tcp\n    with: { b: 1 }\n";
  const resolvePlugin = ({ use }: PluginRequest): Promise<LoadedPlugin> =>
    Promise.resolve({ plugin: use === "broken" ? broken : plugins[use], version: "1", files: [] });
  await assert.rejects(loadProfile({ text, file: "p.yaml", baseDir: "/", resolvePlugin }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.problems[0], /^p\.yaml:3:11: "broken" can't read its config: .*null/);
    assert.match(error.problems[1], /^p\.yaml:5:13: unknown key "b"/);
    return true;
  });
});
