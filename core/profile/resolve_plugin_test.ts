import assert from "node:assert/strict";
import {
  decodeValue,
  definePlugin,
  type HostModules,
  type LoadedPlugin,
  object,
  type PluginRequest,
} from "../api/mod.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { pluginResolver, type PluginSources } from "./resolve_plugin.ts";

const tcp = definePlugin({ name: "tcp", config: object({}), setup() {} });
const roster = definePlugin({ name: "roster", config: object({}), setup() {} });

/** What is at each URL; a URL that isn't listed has no plugin. */
const modules: HostModules = {
  inspect: (url) => Promise.resolve({ version: "7", files: [url] }),
  load: (url) => Promise.resolve({ version: "7", files: [url], exports: { default: sources[url] } }),
};
const sources: Record<string, unknown> = {
  "file:///profiles/my%20%23%C3%BC/roster.ts": roster,
  "file:///profiles/roster.js": roster,
  "npm:weft-roster": roster,
  "file:///profiles/bare.js": { name: "bare", setup() {} },
  "file:///profiles/odd.js": { name: "odd", config: {}, setup() {} },
  "file:///profiles/newer.js": { name: "newer", api: 2, setup() {} },
};

async function resolve(
  use: string,
  request: Partial<PluginRequest> = {},
  environment: Partial<PluginSources> = {},
): Promise<LoadedPlugin | string> {
  using simulation = createSimulation({ seed: 1 });
  const resolver = pluginResolver({
    builtins: { tcp: () => Promise.resolve({ default: tcp }) },
    host: Object.assign(simulation.host("a"), { modules }),
    version: "1.2.3",
    ...environment,
  });
  return await resolver({
    use,
    isolate: "none",
    permissions: {},
    memory: 0,
    config: {},
    baseDir: "/profiles",
    ...request,
  });
}

Deno.test("pluginResolver() finds built-ins by name; their version is Weft's", async () => {
  assert.deepEqual(await resolve("tcp"), { plugin: tcp, version: "1.2.3", files: [] });
});

Deno.test("pluginResolver() finds modules by path, by file URL and by npm name, with the state of their code", async () => {
  const paths = ["/profiles/my #ü/roster.ts", "/profiles/roster.js", "file:///profiles/roster.js", "npm:weft-roster"];
  for (const use of paths) {
    const found = await resolve(use) as LoadedPlugin;
    assert.equal(found.plugin, roster, use);
    assert.equal(found.version, "7");
    assert.equal(found.files.length, 1);
  }
});

Deno.test("pluginResolver() takes what is compiled in for the file that the profile names", async () => {
  const embedded = { "./roster.ts": () => Promise.resolve({ default: roster }) };
  const found = { plugin: roster, version: "1.2.3", files: [] };
  assert.deepEqual(await resolve("/profiles/roster.ts", {}, { embedded }), found);
  assert.deepEqual(await resolve("/other/roster.ts", { baseDir: "/other" }, { embedded }), found);
  assert.match(await resolve("/profiles/other.ts", {}, { embedded }) as string, /no plugin as its default export/);
});

Deno.test("pluginResolver() takes a plugin that nothing is to be said to", async () => {
  const { plugin } = await resolve("/profiles/bare.js") as LoadedPlugin;
  assert.equal(plugin.name, "bare");
  assert.deepEqual(decodeValue(plugin.config, {}, "with"), {});
  assert.throws(() => decodeValue(plugin.config, { every: "1s" }, "with"), /unknown key "every" in with/);
});

Deno.test("pluginResolver() says what is wrong, and what to do", async () => {
  assert.equal(await resolve("tpc"), 'unknown plugin "tpc", did you mean "tcp"?');
  assert.equal(await resolve("quantum"), 'unknown plugin "quantum"; the built-ins are tcp');
  assert.match(await resolve("constructor") as string, /unknown plugin/);
  assert.equal(
    await resolve("roster.ts"),
    'unknown plugin "roster.ts"; write "./roster.ts" for a file beside the profile',
  );
  assert.equal(
    await resolve("/profiles/none.ts"),
    '"/profiles/none.ts" has no plugin as its default export; write `export default definePlugin({ ... })`',
  );
  assert.equal(
    await resolve("/profiles/odd.js"),
    '"/profiles/odd.js" exports a plugin whose `config` is no schema; write it with `object` of "weft"',
  );
  assert.equal(
    await resolve("/profiles/newer.js"),
    '"/profiles/newer.js" is written for version 2 of the contract, and this Weft has version 1; update Weft',
  );
  const broken = { ...modules, load: () => Promise.reject(new Error("/x.ts:1:2: Unexpected token")) };
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("a");
  assert.equal(
    await resolve("/x.ts", {}, { host: Object.assign(host, { modules: broken }) }),
    'cannot load "/x.ts": /x.ts:1:2: Unexpected token',
  );
  assert.match(await resolve("/x.ts", {}, { host: simulation.host("b") }) as string, /nothing can be loaded here/);
});

Deno.test("pluginResolver() gives up a module that never ends loading", async () => {
  using simulation = createSimulation({ seed: 1 });
  const stuck = { ...modules, load: () => new Promise<never>(() => {}) };
  const host = Object.assign(simulation.host("a"), { modules: stuck });
  assert.equal(
    await simulation.complete(resolve("/x.ts", {}, { host })),
    'cannot load "/x.ts": it did not finish loading within 30 s',
  );
});

Deno.test("pluginResolver() refuses to isolate what can't be", async () => {
  assert.match(await resolve("tcp", { isolate: "worker" }) as string, /part of Weft and can't be isolated; remove/);
  assert.match(await resolve("npm:weft-roster", { isolate: "process" }) as string, /can't be isolated, only files can/);
});

Deno.test("pluginResolver() never imports the module of an entry that is isolated", async () => {
  let loaded = false;
  const watching = {
    ...modules,
    load: (url: string) => {
      loaded = true;
      return modules.load(url);
    },
  };
  using simulation = createSimulation({ seed: 1 });
  const host = Object.assign(simulation.host("a"), { modules: watching });
  await resolve("/profiles/roster.js", { isolate: "worker" }, { host });
  assert.equal(loaded, false);
});
