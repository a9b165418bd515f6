/**
 * Hooks: typed constants that plugins and the kernel meet at. The verb is part of the type, so that the wrong verb
 * does not compile; the name and version find a hook, so that a reloaded or bundled copy of this module still matches.
 *
 * @module
 */

import type { ByteStream } from "./host.ts";

/**
 * How a hook is called.
 *
 * - `event`: something happened; every handler is told.
 * - `gather`: every handler yields answers; the streams are merged.
 * - `first`: handlers are asked in order until one answers.
 * - `every`: all handlers are asked, and each answer counts; undefined is none.
 * - `around`: each handler wraps what is inside.
 * - `keyed`: a registry of values by name.
 */
export type Verb = "event" | "gather" | "first" | "every" | "around" | "keyed";

/** Turns what a hook carries into plain data and back, so that it can cross to a sandbox. */
export interface HookCodec<In, Out> {
  encodeInput(input: In): unknown;
  decodeInput(plain: unknown): In;
  encodeOutput(output: Out): unknown;
  decodeOutput(plain: unknown): Out;
}

/** What the bus promises to callers and handlers of a hook. */
export interface HookContract<In, Out> {
  /** Milliseconds a handler may take; without one, as long as the caller's signal lives. */
  readonly deadline?: number;
  /** How many calls of one handler may run at once; further ones wait. */
  readonly concurrency?: number;
  /**
   * What a handler that throws, or misses its deadline, means: `skip` goes on without it, `refuse` fails the call, for
   * hooks that must not fall open.
   */
  readonly onFailure: "skip" | "refuse";
  /**
   * For answers of `gather`, `first` and `every`, since plugins may give anything: what is wrong with one, if so. It is not
   * passed on then, and its handler has failed; what else a source yields counts.
   */
  readonly problem?: (answer: Out, input: In) => string | undefined;
  readonly codec?: HookCodec<In, Out>;
  /** What plugins get of an event in place of what the owner sees: without secrets. */
  readonly redact?: (input: In) => In;
  /**
   * A call may be about a private swarm before anybody knows: only plugins that want `private` may attach. Without it,
   * they alone get what says `private: true` of itself.
   */
  readonly mayBePrivate?: true;
  /**
   * For hooks whose answers or values are in use for longer than a call: says so of each stream and each promise, so
   * that an entry that is retired lives on until they are done.
   */
  readonly lends?: (given: Out, lend: Lend) => Out;
}

/** Says that what an entry gave is in use; returns it. */
export interface Lend {
  /** Until the stream is closed. */
  stream<S extends ByteStream>(stream: S): S;
  /** Until the promise settles. */
  during<T>(promise: Promise<T>): Promise<T>;
}

/** A hook: where plugins attach. Made with {@link defineHook}. */
export interface Hook<V extends Verb = Verb, In = unknown, Out = unknown> {
  readonly verb: V;
  readonly name: string;
  readonly version: number;
  readonly contract: HookContract<In, Out>;
  /** Types only, never present: keeps `In` and `Out` checked in both directions. */
  readonly types?: (input: In, output: Out) => [In, Out];
}

/** What a gather handler may return: when it wants to be asked again, in milliseconds since it was asked. */
export interface GatherReturn {
  readonly again?: number;
}

/** What a gather handler gives back. */
export type GatherStream<Out> = AsyncGenerator<Out, GatherReturn | void, unknown>;

/** The handler that fits a hook. A `keyed` hook has none: values are provided for it. */
export type Handler<V extends Verb, In, Out> = V extends "event" ? (input: In) => void | Promise<void>
  : V extends "gather" ? (input: In, signal: AbortSignal) => GatherStream<Out>
  : V extends "first" | "every" ? (input: In, signal: AbortSignal) => Out | undefined | Promise<Out | undefined>
  : V extends "around" ? (input: In, next: (input: In) => Promise<Out>) => Promise<Out>
  : never;

/**
 * Defines a hook.
 *
 * ```ts
 * import { defineHook } from "weft";
 * const greeted = defineHook<{ name: string }>()("event", "example.greeted", { onFailure: "skip" });
 * ```
 */
export function defineHook<In, Out = void>(): <V extends Verb>(
  verb: V,
  name: string,
  contract: HookContract<In, Out> & { readonly version?: number },
) => Hook<V, In, Out> {
  return (verb, name, { version = 1, ...contract }) => Object.freeze({ verb, name, version, contract });
}

/** The registry key of a hook: `name@version`. */
export function hookId(hook: { readonly name: string; readonly version: number }): string {
  return `${hook.name}@${hook.version}`;
}
