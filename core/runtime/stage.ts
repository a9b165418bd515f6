/** Stages plugins: sets each up in its own scope, or undoes them all. @module */
import { type Clock, ConfigError, faultText, type PluginEntry } from "../api/mod.ts";
import { withDeadline } from "../net/mod.ts";
import { placeOf } from "./order.ts";
import type { Scope } from "./scope.ts";

/** A plugin that has started. */
export interface StagedEntry {
  readonly entry: PluginEntry;
  readonly scope: Scope;
}

// A plugin that looks up names while it starts is done long before; one that never is must not keep the rest waiting.
const SETUP_TIMEOUT = 30_000;

/**
 * Sets up entries one after the other, in this order.
 *
 * @throws {ConfigError} with the place of the entry that can't start; those that had started are undone
 */
export async function stagePlugins(
  clock: Clock,
  entries: readonly PluginEntry[],
  createScope: (entry: PluginEntry) => Scope,
): Promise<StagedEntry[]> {
  const started: StagedEntry[] = [];
  for (const entry of entries) {
    try {
      const scope = createScope(entry);
      started.push({ entry, scope });
      await withDeadline(clock, SETUP_TIMEOUT, "it did not finish its setup", () => entry.plugin.setup(scope));
    } catch (error) {
      await disposeAll(started);
      throw new ConfigError([`${placeOf(entry)}: cannot start "${entry.name}": ${faultText(error)}`]);
    }
  }
  return started;
}

/** Undoes entries at once, last first. */
export async function disposeAll(staged: readonly StagedEntry[]): Promise<void> {
  for (const { scope } of staged.toReversed()) await scope[Symbol.asyncDispose]();
}
