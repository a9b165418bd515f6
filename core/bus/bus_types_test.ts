// The wrong verb, input or output does not compile: what stands here is checked by the compiler, and never run.
import { defineHook } from "../api/hook.ts";
import type { Bus } from "./bus.ts";
import { type Owner, registerHandler, registerValue } from "./registration.ts";

const told = defineHook<string>()("event", "types.told", { onFailure: "skip" });
const found = defineHook<string, number>()("gather", "types.found", { onFailure: "skip" });
const asked = defineHook<string, number>()("first", "types.asked", { onFailure: "skip" });
const agreed = defineHook<string, boolean>()("every", "types.agreed", { onFailure: "refuse" });
const wrapped = defineHook<string, number>()("around", "types.wrapped", { onFailure: "skip" });
const named = defineHook<string, number>()("keyed", "types.named", { onFailure: "skip" });

export function wrongVerbs(bus: Bus, owner: Owner, signal: AbortSignal): void {
  // @ts-expect-error a gather hook is not emitted
  bus.emit(found, "x");
  // @ts-expect-error an event is not gathered
  bus.gather(told, "x", signal);
  // @ts-expect-error an around hook is not asked
  bus.first(wrapped, "x", signal);
  // @ts-expect-error what all are asked has no first answer
  bus.first(agreed, "x", signal);
  // @ts-expect-error what one answers is not asked of all
  bus.every(asked, "x", signal);
  // @ts-expect-error a first hook wraps nothing
  bus.around(asked, "x", () => Promise.resolve(1));
  // @ts-expect-error an event has no keys
  bus.get(told, "x");
  // @ts-expect-error nobody observes a registry
  bus.observers(named);
  // @ts-expect-error a keyed hook has no handlers
  registerHandler(owner, named, () => 1);
  // @ts-expect-error values are provided for keyed hooks only
  registerValue(owner, asked, "key", 1);
}

export function wrongTypes(bus: Bus, owner: Owner, signal: AbortSignal): void {
  // @ts-expect-error the input is a string
  bus.emit(told, 1);
  // @ts-expect-error the input is a string
  bus.first(asked, 1, signal);
  // @ts-expect-error the input is a string
  bus.every(agreed, 1, signal);
  // @ts-expect-error what is inside gives a number
  bus.around(wrapped, "x", () => Promise.resolve("y"));
  // @ts-expect-error the value is a number
  registerValue(owner, named, "key", "value");
  // @ts-expect-error the handler takes a string
  registerHandler(owner, told, (_: number) => {});
  const value: number | undefined = bus.get(named, "x");
  const answer: Promise<number | undefined> = bus.first(asked, "x", signal);
  const answers: Promise<readonly boolean[]> = bus.every(agreed, "x", signal);
  void [value, answer, answers];
}
