import assert from "node:assert/strict";
import type { PluginEntry, Settings } from "../api/mod.ts";
import { differences, planEntries, planSettings, same } from "./plan.ts";
import { testEntry } from "./test_entry.ts";

const entry = (name: string, change: Partial<PluginEntry> = {}): PluginEntry => testEntry({ name }, change);

function lines(before: readonly PluginEntry[], after: readonly PluginEntry[]): string[] {
  return planEntries(before, after).changes.map(({ action, what, why }) => `${action} ${what}${why ? `: ${why}` : ""}`);
}

Deno.test("planEntries() finds what was added, removed, replaced and moved", () => {
  const before = [entry("a"), entry("b"), entry("c", { config: { every: 5, list: [1] } })];
  const after = [entry("d"), entry("c", { config: { every: 10, list: [1] }, version: "2" }), entry("a")];
  assert.deepEqual(lines(before, after), [
    "remove plugin b",
    "add plugin d",
    "replace plugin c: with.every, its code",
    "change order of plugins",
  ]);
  const { added, removed, replaced } = planEntries(before, after);
  assert.deepEqual([added, removed, replaced].map((some) => some.map(({ name }) => name)), [["d"], ["b"], ["c"]]);
});

Deno.test("planEntries() finds nothing between equal entries, wherever they stand in the file", () => {
  const place = { file: "p.yaml", line: 99, column: 1 };
  const config = (): unknown => ({
    url: new URL("https://peers.example/"),
    bytes: new Uint8Array([1]),
    none: undefined,
  });
  assert.deepEqual(lines([entry("a", { config: config() })], [entry("a", { config: config(), place })]), []);
});

Deno.test("planEntries() replaces for isolation, permissions and memory, and only notes another drain", () => {
  const change = { isolate: "worker", permissions: { net: ["a"] }, memory: 128 * 2 ** 20 } as const;
  assert.deepEqual(lines([entry("a")], [entry("a", change)]), [
    "replace plugin a: permissions.net, isolate: none to worker, memory: 256 MiB to 128 MiB",
  ]);
  assert.deepEqual(lines([entry("a")], [entry("a", { use: "b" })]), ["replace plugin a: a to b"]);
  assert.deepEqual(lines([entry("a")], [entry("a", { drain: 10_000 })]), ["change plugin a, drain: 1h to 10s"]);
  assert.deepEqual(planEntries([entry("a")], [entry("a", { drain: 10_000 })]).replaced, []);
});

Deno.test("planSettings() tells each setting with what it was and becomes", () => {
  const limits = { connections: 200, peers: 60, dials: 20, halfOpen: 30, handshakes: 64, acceptsPerAddress: 10 };
  const sizes = { openPieces: 2 ** 25, readAhead: 2 ** 24, openFiles: 128 };
  const before = {
    listen: [{ ip: "::", port: 6881 }],
    store: { path: "/a", state: "/s" },
    egress: { allow: [] },
    limits: { ...limits, ...sizes, down: 2 ** 20 },
    quarantine: { faults: 5, within: 60_000, backoff: 30_000, longest: 3_600_000 },
  } as unknown as Settings;
  const after = {
    ...before,
    listen: [{ ip: "0.0.0.0", port: 7000 }],
    store: { path: "/b", state: "/s" },
    egress: { allow: ["private"] },
    limits: { ...limits, ...sizes, halfOpen: 10, seedTime: 60_000 },
    quarantine: { ...before.quarantine, within: 120_000 },
  };
  assert.deepEqual(planSettings(before, after).map(({ what, why }) => `${what}: ${why}`), [
    "listen: [::]:6881 to 0.0.0.0:7000",
    "store.path: /a to /b, for swarms that are added from now on",
    "egress.allow: nothing to private",
    "limits.half_open: 30 to 10",
    "limits.down: 1 MiB/s to unlimited",
    "limits.seed_time: unlimited to 1m",
    "quarantine.within: 1m to 2m",
  ]);
  assert.deepEqual(planSettings(before, before), []);
});

Deno.test("same() compares what values say", () => {
  const pairs: [unknown, unknown, boolean][] = [
    [NaN, NaN, true],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true],
    [{ a: 1 }, { a: 1, b: undefined }, false],
    [new Map([["a", 1]]), new Map([["a", 1]]), true],
    [new Map([["a", 1]]), new Map([["a", 2]]), false],
    [new Set([1]), new Set([2]), false],
    [/a/i, /a/i, true],
    [/a/i, /a/, false],
    [new URL("http://a/"), new URL("http://b/"), false],
    [[], {}, false],
    [null, {}, false],
    [() => {}, () => {}, false],
  ];
  for (const [a, b, expected] of pairs) assert.equal(same(a, b), expected, `${String(a)} and ${String(b)}`);
  assert.deepEqual(differences({ a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 }, d: 1 }, "with"), ["with.a.c", "with.d"]);
});
