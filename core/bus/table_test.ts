import assert from "node:assert/strict";
import { defineHook } from "../api/hook.ts";
import { registerHandler, registerValue } from "./registration.ts";
import { HookTable } from "./table.ts";
import { testOwner } from "./test_owner.ts";

const greeted = defineHook<string>()("event", "test.greeted", { onFailure: "skip" });
const tools = defineHook<string, number>()("keyed", "test.tools", { onFailure: "skip" });

Deno.test("HookTable keeps handlers and values in the order of the entries", () => {
  const one = registerHandler(testOwner("one"), greeted, () => {});
  const two = registerHandler(testOwner("two"), greeted, () => {});
  const table = HookTable.build(
    [two, registerValue(testOwner("a"), tools, "saw", 1), one, registerValue(testOwner("b"), tools, "axe", 2)],
    7,
  );
  assert.equal(table.generation, 7);
  assert.deepEqual(table.handlers(greeted), [two, one]);
  assert.deepEqual(table.values(tools).map(({ plugin, key, value }) => [plugin, key, value]), [["a", "saw", 1], [
    "b",
    "axe",
    2,
  ]]);
  assert.equal(table.value(tools, "axe"), 2);
  assert.equal(table.value(tools, "drill"), undefined);
});

Deno.test("HookTable finds a hook by name and version, so that another copy of the constant matches", () => {
  const copy = defineHook<string>()("event", "test.greeted", { onFailure: "skip" });
  const newer = defineHook<string>()("event", "test.greeted", { onFailure: "skip", version: 2 });
  const table = HookTable.build([registerHandler(testOwner("one"), greeted, () => {})], 1);
  assert.equal(table.handlers(copy).length, 1);
  assert.equal(table.handlers(newer).length, 0);
});

Deno.test("HookTable never gives a handler to a hook of another verb", () => {
  const other = defineHook<string, string>()("gather", "test.greeted", { onFailure: "skip" });
  const table = HookTable.build([registerHandler(testOwner("one"), greeted, () => {})], 1);
  assert.deepEqual(table.handlers(other), []);
});

Deno.test("HookTable.build() names both plugins of every key that is provided twice", () => {
  const entries = ["one", "two"].flatMap((name) => [
    registerValue(testOwner(name), tools, "saw", 1),
    registerValue(testOwner(name), tools, "axe", 1),
    registerValue(testOwner(name), tools, name, 1),
  ]);
  assert.throws(() => HookTable.build(entries, 1), {
    name: "ConfigError",
    problems: [
      'Cannot provide "saw" for test.tools twice: plugins "one" and "two" both do; remove one of the two entries',
      'Cannot provide "axe" for test.tools twice: plugins "one" and "two" both do; remove one of the two entries',
    ],
  });
});
