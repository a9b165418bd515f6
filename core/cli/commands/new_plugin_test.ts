import assert from "node:assert/strict";
import { createSimulation, MemoryTerminal } from "../../host/memory/mod.ts";
import type { WeftSources } from "../environment.ts";
import { main } from "../mod.ts";

const template: Readonly<Record<string, string>> = {
  "core/cli/commands/new/roster.ts": 'import { definePlugin } from "weft"; // roster',
  "core/cli/commands/new/roster_test.ts": 'import plugin from "./roster.ts";',
  "core/api/mod.ts": "export {};",
};
const sources: WeftSources = {
  root: "file:///weft/",
  imports: { weft: "./core/api/mod.ts", "weft/testing": "./tests/testing/mod.ts", bencode: "npm:bencode@4.0.1" },
  read: (path) => Promise.resolve(template[path]),
  list: () => Promise.resolve(Object.keys(template)),
};

const paths = ["my-peers.ts", "my-peers_test.ts", "deno.json", ".weft/core/api/mod.ts"].map((path) =>
  `my-peers/${path}`
);

/** Runs `weft new plugin` with arguments in /home, once for each list of them, and shows what came of the last. */
async function newPlugin(sources: WeftSources, ...runs: string[][]) {
  using simulation = createSimulation({ seed: 1 });
  const { disk, ...host } = simulation.host("here");
  const terminal = new MemoryTerminal();
  const builtins = { tcp: () => Promise.reject(new Error("not asked for")) };
  const start = () => Promise.reject(new Error("nothing is started"));
  const world = { terminal, builtins, start, sources, version: "1.2.3", cwd: "/home", temporary: "/tmp" };
  let code = 0;
  for (const args of runs) {
    code = await simulation.complete(main(["new", "plugin", ...args], { ...world, host: { ...host, disk } }));
  }
  const files: Record<string, string> = {};
  for (const path of [...paths, "other/my-peers.ts"]) {
    const bytes = disk.readFile(`/home/${path}`).catch(() => new Uint8Array());
    files[path] = new TextDecoder().decode(await simulation.complete(bytes));
  }
  return { code, out: terminal.output, error: terminal.errors, files };
}

Deno.test("weft new plugin writes the plugin, its test and what its names mean, and says how to use it", async () => {
  const { code, out, files } = await newPlugin(sources, ["my-peers"]);
  const [plugin, test, project, copy] = paths.map((path) => files[path]);
  assert.equal(code, 0);
  assert.equal(plugin, 'import { definePlugin } from "weft"; // my-peers');
  assert.equal(test, 'import plugin from "./my-peers.ts";');
  assert.equal(copy, "");
  const { imports, scopes } = JSON.parse(project);
  assert.deepEqual(imports, {
    weft: "file:///weft/core/api/mod.ts",
    "weft/testing": "file:///weft/tests/testing/mod.ts",
  });
  assert.equal(scopes["file:///weft/"].bencode, "npm:bencode@4.0.1");
  assert.match(out, /cd \.\/my-peers && deno test/);
  assert.match(out, /plugins:\n {2}- use: \.\/my-peers\/my-peers\.ts\n {4}with: /);
});

Deno.test("weft new plugin copies Weft's code where nothing else can read it", async () => {
  const { code, files } = await newPlugin({ ...sources, root: undefined }, ["my-peers"]);
  const [, , project, copy] = paths.map((path) => files[path]);
  assert.equal(code, 0);
  assert.equal(copy, "export {};");
  const { imports, scopes, exclude } = JSON.parse(project);
  assert.equal(imports.weft, "./.weft/core/api/mod.ts");
  assert.deepEqual(Object.keys(scopes), ["./.weft/"]);
  assert.deepEqual(exclude, [".weft"]);
});

Deno.test("weft new plugin writes where it is told, and overwrites nothing", async () => {
  const told = await newPlugin(sources, ["my-peers", "--dir", "other/"]);
  assert.notEqual(told.files["other/my-peers.ts"], "");
  assert.match(told.out, /use: \.\/other\/my-peers\.ts/);
  const twice = await newPlugin(sources, ["my-peers"], ["my-peers"]);
  assert.equal(twice.code, 2);
  assert.match(twice.error, /"\/home\/my-peers\/my-peers\.ts" exists; choose another folder with --dir/);
});

Deno.test("weft new plugin refuses names that are none, or taken", async () => {
  for (const name of ["", "Roster", "a b", "../x", "ro.ster", "1st", "é", "x".repeat(41)]) {
    const { code, error } = await newPlugin(sources, [name]);
    assert.equal(code, 2, name);
    assert.match(error, /is no name for a plugin: write small letters, digits, - and _, up to 40/);
  }
  assert.match((await newPlugin(sources, ["tcp"])).error, /"tcp" is a built-in plugin; choose another name/);
});
