import type { Handler, Hook, Verb } from "../api/hook.ts";
import { Gate } from "./gate.ts";

/** What calls of one handler have cost so far. */
export interface CallStats {
  calls: number;
  failures: number;
  /** Milliseconds that the handler itself ran or waited; not what it spent inside `next` or waiting for its reader. */
  time: number;
}

/** A hook without its types: what a table needs of it. */
export type AnyHook = Pick<Hook, "verb" | "name" | "version"> & {
  readonly contract: Pick<Hook["contract"], "deadline" | "concurrency" | "onFailure">;
};

/**
 * One handler or one value of one plugin. A plugin's scope gathers them while it is set up; {@link HookTable.build}
 * puts those of all scopes into the next table. The same registration may stand in many generations: its statistics
 * and its concurrency go with it.
 */
export interface Registration {
  /** The profile entry's name, for errors and the log. */
  readonly plugin: string;
  readonly hook: AnyHook;
  readonly handler?: unknown;
  readonly key?: string;
  readonly value?: unknown;
  readonly stats: CallStats;
  /** Present when the hook's contract limits how many calls may run at once. */
  readonly gate?: Gate;
}

/** A registration whose handler is known to fit. */
export interface HandlerRegistration<V extends Verb, In, Out> extends Registration {
  readonly handler: Handler<V, In, Out>;
}

/** A handler of `plugin` for `hook`. */
export function registerHandler<V extends Exclude<Verb, "keyed">, In, Out>(
  plugin: string,
  hook: Hook<V, In, Out>,
  handler: NoInfer<Handler<V, In, Out>>,
): HandlerRegistration<V, In, Out> {
  const limit = hook.contract.concurrency;
  return { plugin, hook, handler, stats: newStats(), gate: limit === undefined ? undefined : new Gate(limit) };
}

/** A value that `plugin` provides under `key`. */
export function registerValue<In, Out>(
  plugin: string,
  hook: Hook<"keyed", In, Out>,
  key: string,
  value: NoInfer<Out>,
): Registration {
  return { plugin, hook, key, value, stats: newStats() };
}

function newStats(): CallStats {
  return { calls: 0, failures: 0, time: 0 };
}
