import assert from "node:assert/strict";
import { ConfigError, type PluginEntry } from "../api/mod.ts";
import { startOrder } from "./order.ts";
import { testEntry } from "./test_entry.ts";

let line = 0;

function entry(name: string, { needs = [] as string[], provides = [] as string[] } = {}): PluginEntry {
  return testEntry({ name, needs, provides }, { place: { file: "p.yaml", line: ++line, column: 5 } });
}

const provides = ["transports"];
const builtins = Object.fromEntries(
  ["tcp", "utp"].map((name) => [name, () => Promise.resolve({ default: testEntry({ name, provides }).plugin })]),
);

async function names(planned: readonly PluginEntry[]): Promise<string[]> {
  return (await startOrder(planned, builtins)).map(({ name }) => name);
}

async function problems(planned: readonly PluginEntry[]): Promise<readonly string[]> {
  try {
    await names(planned);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

Deno.test("entries that need nothing keep the profile's order", async () => {
  assert.deepEqual(await names([entry("a"), entry("b"), entry("c")]), ["a", "b", "c"]);
});

Deno.test("what an entry needs starts before it, over several steps", async () => {
  const planned = [
    entry("pex", { needs: ["sessions"] }),
    entry("mse", { needs: ["transports"], provides: ["sessions"] }),
    entry("tcp", { provides: ["transports"] }),
    entry("utp", { provides: ["transports"] }),
  ];
  assert.deepEqual(await names(planned), ["tcp", "utp", "mse", "pex"]);
});

Deno.test("an entry may provide what it needs itself", async () => {
  assert.deepEqual(await names([entry("a", { needs: ["x"], provides: ["x"] })]), ["a"]);
});

Deno.test("every unmet need is told, with its place and the remedy", async () => {
  line = 11;
  const planned = [entry("pex", { needs: ["transports"] }), entry("x", { needs: ["y"] })];
  assert.deepEqual(await problems(planned), [
    'p.yaml:12:5: cannot start "pex": it needs transports, which no entry provides; add "- use: tcp" or "- use: utp"',
    'p.yaml:13:5: cannot start "x": it needs y, which no entry provides',
  ]);
});

Deno.test("a circle is told with its place, and what to do", async () => {
  line = 0;
  const planned = [
    entry("a", { needs: ["b"], provides: ["a"] }),
    entry("b", { needs: ["c"], provides: ["b"] }),
    entry("c", { needs: ["a"], provides: ["c"] }),
  ];
  assert.deepEqual(await problems(planned), [
    'p.yaml:1:5: cannot start "a": "a" needs "b" needs "c" needs "a"; remove one of these entries',
  ]);
});
