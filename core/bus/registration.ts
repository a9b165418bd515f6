import type { EgressGrant, Handler, Hook, PluginError, Verb } from "../api/mod.ts";
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
  readonly contract: Pick<Hook["contract"], "deadline" | "concurrency" | "onFailure" | "mayBePrivate">;
};

/** Whose registration it is: one generation of one entry of the profile. */
export interface Owner {
  /** The profile entry's name, for errors and the log. */
  readonly name: string;
  /** Why it takes no calls for now, such as "it is quarantined for 30 s after 5 faults"; undefined when it does. */
  readonly barred: string | undefined;
  /** What is of private swarms may reach it. */
  readonly seesPrivate: boolean;
  /** What the user lets it reach beyond the others. */
  readonly egress?: EgressGrant;
  /** A call of one of its handlers began, or waits for its turn; `callEnded` follows. */
  callBegan(): void;
  /** The handler settled, or was given up: its deadline passed, or its caller left. */
  callEnded(): void;
  /** One of its handlers failed; the call may have ended already. The failure's `cause` is what the handler threw. */
  failed(failure: PluginError): void;
}

/**
 * One handler or one value of one plugin. A plugin's scope gathers them while it is set up; {@link HookTable.build}
 * puts those of all scopes into the next table. The same registration may stand in many generations: its statistics
 * and its concurrency go with it.
 */
export interface Registration {
  /** The owner's name. */
  readonly plugin: string;
  readonly owner: Owner;
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

/** A handler of `owner` for `hook`. */
export function registerHandler<V extends Exclude<Verb, "keyed">, In, Out>(
  owner: Owner,
  hook: Hook<V, In, Out>,
  handler: NoInfer<Handler<V, In, Out>>,
): HandlerRegistration<V, In, Out> {
  const limit = hook.contract.concurrency;
  const gate = limit === undefined ? undefined : new Gate(limit);
  return { plugin: owner.name, owner, hook, handler, stats: newStats(), gate };
}

/** A value that `owner` provides under `key`. */
export function registerValue<In, Out>(
  owner: Owner,
  hook: Hook<"keyed", In, Out>,
  key: string,
  value: NoInfer<Out>,
): Registration {
  return { plugin: owner.name, owner, hook, key, value, stats: newStats() };
}

function newStats(): CallStats {
  return { calls: 0, failures: 0, time: 0 };
}
