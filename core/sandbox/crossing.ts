/** Which hooks cross. @module */
import * as catalogue from "../api/hooks.ts";
import { type Hook, type HookCodec, hookId, type Verb } from "../api/mod.ts";

/** A hook that has a codec and a verb that can be spoken in messages. */
export type CrossingHook = Hook<"event" | "gather" | "first" | "every"> & {
  readonly contract: { readonly codec: HookCodec<unknown, unknown> };
};

const CROSSING: readonly Verb[] = ["event", "gather", "first", "every"];

/** Whether handlers of this hook may run in a sandbox. */
export function crosses(hook: Pick<Hook, "verb"> & { readonly contract: object }): hook is CrossingHook {
  return CROSSING.includes(hook.verb) && (hook.contract as Hook["contract"]).codec !== undefined;
}

/** The kernel's hooks that cross, by `name@version`: a guest may name no others. */
export const crossingHooks: ReadonlyMap<string, CrossingHook> = new Map(
  (Object.values(catalogue) as unknown as Hook[]).filter(crosses).map((hook) => [hookId(hook), hook]),
);
