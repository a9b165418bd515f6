import assert from "node:assert/strict";
import { ConfigError, type Plugin, type PluginEntry } from "../api/mod.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { Scope } from "./scope.ts";
import { disposeAll, type StagedEntry, stagePlugins } from "./stage.ts";
import { testEntry } from "./test_entry.ts";

interface Script {
  readonly setup?: Plugin["setup"];
  readonly scopeFails?: boolean;
}

/** Stages plugins of these names; `undone` notes whose scopes were disposed of. */
async function stage(scripts: Record<string, Script>, undone: string[] = []): Promise<StagedEntry[]> {
  const simulation = createSimulation({ seed: 1 });
  const { clock, random } = simulation;
  const quiet = (): void => {};
  const entries: PluginEntry[] = Object.entries(scripts).map(([name, { setup = quiet }], i) =>
    testEntry({ name, setup }, { place: { file: "p.yaml", line: i + 1, column: 5 } })
  );
  const staging = stagePlugins(clock, entries, ({ name }) => {
    if (scripts[name].scopeFails) throw new Error("bad egress");
    const scope = new Scope({
      name,
      config: {},
      clock,
      random,
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      swarms: [] as never,
      net: () => ({}) as never,
      udp: () => ({ [Symbol.dispose]() {} }) as never,
      state: {} as never,
      changed: quiet,
    });
    scope.defer(() => void undone.push(name));
    return scope;
  });
  return await simulation.complete(staging);
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

Deno.test("plugins start in the order given", async () => {
  const order: string[] = [];
  const note = (name: string): Script => ({ setup: () => void order.push(name) });
  const staged = await stage({ tcp: note("tcp"), pex: note("pex") });
  assert.deepEqual(order, ["tcp", "pex"]);
  assert.deepEqual(staged.map(({ entry }) => entry.name), ["tcp", "pex"]);
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

Deno.test("disposeAll() undoes everything, last first", async () => {
  const undone: string[] = [];
  await disposeAll(await stage({ a: {}, b: {} }, undone));
  assert.deepEqual(undone, ["b", "a"]);
});

Deno.test("a setup that never ends is named after half a minute, and what had started is undone", async () => {
  const undone: string[] = [];
  assert.deepEqual(await problems({ a: {}, stuck: { setup: () => new Promise(() => {}) } }, undone), [
    'p.yaml:2:5: cannot start "stuck": it did not finish its setup within 30 s',
  ]);
  assert.deepEqual(undone, ["stuck", "a"]);
});
