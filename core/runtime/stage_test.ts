import assert from "node:assert/strict";
import { ConfigError, definePlugin, object, type Plugin, type PluginEntry, transports } from "../api/mod.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { Scope } from "./scope.ts";
import { retire, type StagedEntry, stagePlugins, tableOf } from "./stage.ts";

interface Script {
  readonly needs?: readonly string[];
  readonly provides?: readonly string[];
  readonly setup?: Plugin["setup"];
  readonly scopeFails?: boolean;
}

/** Stages plugins of these names; `undone` notes whose scopes were disposed of. */
async function stage(scripts: Record<string, Script>, undone: string[] = []): Promise<StagedEntry[]> {
  const simulation = createSimulation({ seed: 1 });
  const { clock, random } = simulation;
  const quiet = (): void => {};
  const entries: PluginEntry[] = Object.keys(scripts).map((name, i) => ({
    name,
    use: name,
    config: {},
    place: { file: "p.yaml", line: i + 1, column: 5 },
  }));
  return await simulation.complete(stagePlugins({
    clock,
    entries,
    resolvePlugin: (use) => {
      const { setup = quiet, ...rest } = scripts[use];
      if (use.startsWith("missing")) return Promise.reject(new Error(`no plugin "${use}"`));
      return Promise.resolve(definePlugin({ name: use, config: object({}), setup, ...rest }) as Plugin);
    },
    remedies: () => Promise.resolve([]),
    scope: ({ name }) => {
      if (scripts[name].scopeFails) throw new Error("bad egress");
      const scope = new Scope({
        name,
        config: {},
        clock,
        random,
        log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
        swarms: [] as never,
        net: () => ({}) as never,
        changed: quiet,
      });
      scope.defer(() => void undone.push(name));
      return scope;
    },
  }));
}

async function problems(scripts: Record<string, Script>, undone: string[] = []): Promise<readonly string[]> {
  try {
    await stage(scripts, undone);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${error}`);
    return error.problems;
  }
  return [];
}

const provide = (key: string): Plugin["setup"] => (scope) => void scope.provide(transports, key, {} as never);

Deno.test("plugins start by need, and stand in the profile's order", async () => {
  const order: string[] = [];
  const note = (name: string) => (): void => void order.push(name);
  const staged = await stage({
    pex: { needs: ["sessions"], setup: note("pex") },
    tcp: { provides: ["sessions"], setup: note("tcp") },
  });
  assert.deepEqual(order, ["tcp", "pex"]);
  assert.deepEqual(staged.map(({ entry }) => entry.name), ["pex", "tcp"]);
});

Deno.test("a plugin that fails while starting is named, and all that had started is undone, last first", async () => {
  const undone: string[] = [];
  const fails = (): never => {
    throw new Error("port 6881 is taken");
  };
  assert.deepEqual(await problems({ a: {}, b: {}, bad: { setup: fails }, never: {} }, undone), [
    'p.yaml:3:5: cannot start "bad": port 6881 is taken',
  ]);
  assert.deepEqual(undone, ["bad", "b", "a"]);
});

Deno.test("a setup that rejects, and a scope that can't be made, are named too", async () => {
  const rejects = (): Promise<void> => Promise.reject(new Error("no"));
  assert.deepEqual(await problems({ bad: { setup: rejects } }), ['p.yaml:1:5: cannot start "bad": no']);
  const undone: string[] = [];
  assert.deepEqual(await problems({ a: {}, bad: { scopeFails: true } }, undone), [
    'p.yaml:2:5: cannot start "bad": bad egress',
  ]);
  assert.deepEqual(undone, ["a"]);
});

Deno.test("every plugin that can't be loaded is told at once", async () => {
  assert.deepEqual(await problems({ missing1: {}, ok: {}, missing2: {} }), [
    'p.yaml:1:5: cannot load "missing1": no plugin "missing1"',
    'p.yaml:3:5: cannot load "missing2": no plugin "missing2"',
  ]);
});

Deno.test("two plugins for one key are refused, and undone", async () => {
  const undone: string[] = [];
  const [problem] = await problems({ a: { setup: provide("tcp") }, b: { setup: provide("tcp") } }, undone);
  assert.match(problem, /"a".*"b"/);
  assert.deepEqual(undone, ["b", "a"]);
});

Deno.test("retire() undoes everything, last first", async () => {
  const undone: string[] = [];
  const staged = await stage({ a: { setup: provide("tcp") }, b: {} }, undone);
  assert.deepEqual(tableOf(staged, 1).values(transports).map(({ key }) => key), ["tcp"]);
  await retire(staged);
  assert.deepEqual(undone, ["b", "a"]);
});

Deno.test("a setup that never ends is named after half a minute, and what had started is undone", async () => {
  const undone: string[] = [];
  assert.deepEqual(await problems({ a: {}, stuck: { setup: () => new Promise(() => {}) } }, undone), [
    'p.yaml:2:5: cannot start "stuck": it did not finish its setup within 30 s',
  ]);
  assert.deepEqual(undone, ["stuck", "a"]);
});
