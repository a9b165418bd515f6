import assert from "node:assert/strict";
import { definePlugin, object } from "../api/mod.ts";
import { pluginResolver } from "./resolve_plugin.ts";

const tcp = definePlugin({ name: "tcp", config: object({}), setup() {} });
const resolve = pluginResolver({ tcp: () => Promise.resolve({ default: tcp }) });

Deno.test("pluginResolver() finds built-ins by name, and modules by URL", async () => {
  assert.equal(await resolve("tcp"), tcp);
  const module = `data:text/javascript,${encodeURIComponent('export default { name: "x", config: {}, setup() {} };')}`;
  assert.equal((await resolve(module) as { name: string }).name, "x");
});

Deno.test("pluginResolver() says what is wrong", async () => {
  assert.equal(await resolve("tpc"), 'unknown plugin "tpc", did you mean "tcp"?');
  assert.equal(await resolve("quantum"), 'unknown plugin "quantum"; the built-ins are tcp');
  assert.match(await resolve("constructor") as string, /unknown plugin/);
  assert.match(await resolve("data:text/javascript,export default 1") as string, /no plugin as its default export/);
  assert.match(await resolve("data:text/javascript,syntax error") as string, /^cannot load/);
});
