// The wrong handler does not compile: what stands here is checked by the compiler, and never run.
import { defineHook } from "./hook.ts";
import type { PluginScope } from "./plugin.ts";

const told = defineHook<string>()("event", "types.told", { onFailure: "skip" });
const found = defineHook<string, number>()("gather", "types.found", { onFailure: "skip" });
const asked = defineHook<string, number>()("first", "types.asked", { onFailure: "skip" });
const agreed = defineHook<string, boolean>()("every", "types.agreed", { onFailure: "refuse" });
const wrapped = defineHook<string, number>()("around", "types.wrapped", { onFailure: "skip" });
const named = defineHook<string, number>()("keyed", "types.named", { onFailure: "skip" });

export function right(plugin: PluginScope): void {
  plugin.on(told, (name) => void name.length);
  plugin.on(found, async function* (name, signal) {
    signal.throwIfAborted();
    yield name.length;
    return { again: 1_000 };
  });
  plugin.on(asked, (name) => name === "" ? undefined : name.length);
  plugin.on(agreed, (name, signal) => signal.aborted ? undefined : name !== "");
  plugin.on(wrapped, async (name, next) => 1 + await next(name));
  plugin.provide(named, "key", 1);
}

export function wrong(plugin: PluginScope): void {
  // @ts-expect-error a source is a generator
  plugin.on(found, () => 1);
  // @ts-expect-error a source yields numbers
  plugin.on(found, async function* () {
    yield "x";
  });
  // @ts-expect-error an answer is a number
  plugin.on(asked, () => "x");
  // @ts-expect-error an answer is a flag
  plugin.on(agreed, () => 1);
  // @ts-expect-error the input is a string
  plugin.on(told, (_: number) => {});
  // @ts-expect-error what wraps gives a promise of a number
  plugin.on(wrapped, () => 1);
  // @ts-expect-error a registry has no handlers
  plugin.on(named, () => 1);
  // @ts-expect-error values are provided for keyed hooks only
  plugin.provide(told, "key", undefined);
  // @ts-expect-error the value is a number
  plugin.provide(named, "key", "x");
}
