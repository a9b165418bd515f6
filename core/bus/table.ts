import { ConfigError, type Hook, hookId, type Verb } from "../api/mod.ts";
import type { HandlerRegistration, Owner, Registration } from "./registration.ts";

const NONE: readonly never[] = Object.freeze([]);

/** A value of a keyed hook, and whose it is. */
export interface ProvidedValue<Out> {
  readonly plugin: string;
  readonly owner: Owner;
  readonly key: string;
  readonly value: Out;
}

/** Every handler and value of one generation. Immutable: a reload builds the next table and swaps it in. */
export class HookTable {
  /** The table of a runtime without plugins. */
  static readonly empty: HookTable = HookTable.build([], 0);

  readonly #byId: ReadonlyMap<string, readonly Registration[]>;
  // By the constant itself, so that a hot path builds no id; filled as hooks are asked for.
  readonly #byHook = new Map<object, readonly Registration[]>();

  private constructor(
    /** All registrations, in the order of the profile. */
    readonly entries: readonly Registration[],
    /** Counts the configurations that were committed, from 1. */
    readonly generation: number,
    byId: ReadonlyMap<string, readonly Registration[]>,
  ) {
    this.#byId = byId;
  }

  /**
   * A table of `entries`, whose order is the order of handlers.
   *
   * @param place where the profile has an owner, as the beginning of an error's line
   * @throws {ConfigError} when a key is provided twice, naming both plugins, with one line for each such key
   */
  static build(
    entries: readonly Registration[],
    generation: number,
    place: (owner: Owner) => string = () => "",
  ): HookTable {
    const byId = new Map<string, Registration[]>();
    const problems: string[] = [];
    for (const entry of entries) {
      const id = hookId(entry.hook);
      const known = byId.get(id);
      const rival = entry.key === undefined ? undefined : known?.find(({ key }) => key === entry.key);
      if (rival) problems.push(place(entry.owner) + describeRivals(rival, entry));
      if (known) known.push(entry);
      else byId.set(id, [entry]);
    }
    if (problems.length > 0) throw new ConfigError(problems);
    return new HookTable([...entries], generation, byId);
  }

  /** The handlers of a hook, in order. */
  handlers<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
  ): readonly HandlerRegistration<V, In, Out>[] {
    return this.#find(hook) as readonly HandlerRegistration<V, In, Out>[];
  }

  /** The value provided under `key`, if any, unless its owner takes no calls. */
  value<In, Out>(hook: Hook<"keyed", In, Out>, key: string): Out | undefined {
    const entry = this.#find(hook).find((entry) => entry.key === key);
    return entry?.owner.barred === undefined ? entry?.value as Out | undefined : undefined;
  }

  /** Every value of a hook with its key and plugin, in order; also of owners that take no calls. */
  values<In, Out>(hook: Hook<"keyed", In, Out>): readonly ProvidedValue<Out>[] {
    return this.#find(hook) as readonly (Registration & ProvidedValue<Out>)[];
  }

  #find(hook: { readonly verb: Verb; readonly name: string; readonly version: number }): readonly Registration[] {
    let found = this.#byHook.get(hook);
    if (!found) {
      found = this.#byId.get(hookId(hook))?.filter((entry) => entry.hook.verb === hook.verb) ?? NONE;
      this.#byHook.set(hook, found);
    }
    return found;
  }
}

function describeRivals(first: Registration, second: Registration): string {
  const what = `Cannot provide "${second.key}" for ${second.hook.name} twice`;
  return first.plugin === second.plugin
    ? `${what}: plugin "${first.plugin}" does so; it must provide each key once`
    : `${what}: plugins "${first.plugin}" and "${second.plugin}" both do; remove one of the two entries`;
}
