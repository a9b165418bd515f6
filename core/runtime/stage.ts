/** Stages the plugins of a profile: sets each up in its own scope, or undoes them all. @module */
import { errorText } from "../api/errors.ts";
import { type Clock, ConfigError, type Plugin, type PluginEntry } from "../api/mod.ts";
import { HookTable } from "../bus/mod.ts";
import { withDeadline } from "../swarm/deadline.ts";
import { placeOf, type PlannedEntry, startOrder } from "./order.ts";
import type { Scope } from "./scope.ts";

/** A plugin that has started. */
export interface StagedEntry extends PlannedEntry {
  readonly scope: Scope;
}

// A plugin that looks up names while it starts is done long before; one that never is must not keep the rest waiting.
const SETUP_TIMEOUT = 30_000;

/** What staging needs. */
export interface StageOptions {
  readonly clock: Clock;
  readonly entries: readonly PluginEntry[];
  resolvePlugin(use: string): Promise<Plugin>;
  /** Names of plugins that would provide a capability. */
  remedies(capability: string): Promise<readonly string[]>;
  scope(entry: PluginEntry, plugin: Plugin): Scope;
}

/**
 * Loads and sets up every entry, in the order of their needs.
 *
 * @returns the started entries, in the profile's order
 * @throws {ConfigError} with the place of each entry that can't start; those that had started are undone
 */
export async function stagePlugins(options: StageOptions): Promise<StagedEntry[]> {
  const planned: PlannedEntry[] = [];
  const problems: string[] = [];
  for (const entry of options.entries) {
    try {
      planned.push({ entry, plugin: await options.resolvePlugin(entry.use) });
    } catch (error) {
      problems.push(`${placeOf(entry)}: cannot load "${entry.use}": ${errorText(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const started = new Map<PluginEntry, StagedEntry>();
  try {
    for (const { entry, plugin } of await startOrder(planned, options.remedies)) {
      try {
        const scope = options.scope(entry, plugin);
        started.set(entry, { entry, plugin, scope });
        await withDeadline(options.clock, SETUP_TIMEOUT, "it did not finish its setup", () => plugin.setup(scope));
      } catch (error) {
        throw new ConfigError([`${placeOf(entry)}: cannot start "${entry.name}": ${errorText(error)}`]);
      }
    }
    const staged = options.entries.map((entry) => started.get(entry)!);
    // Two plugins for one key is a mistake of the profile too.
    tableOf(staged, 1);
    return staged;
  } catch (error) {
    await retire([...started.values()]);
    throw error;
  }
}

/** The hook table of these entries. */
export function tableOf(staged: readonly StagedEntry[], generation: number): HookTable {
  return HookTable.build(staged.flatMap(({ scope }) => [...scope.registrations]), generation);
}

/** Undoes entries, last first. */
export async function retire(staged: readonly StagedEntry[]): Promise<void> {
  for (const { scope } of staged.toReversed()) await scope[Symbol.asyncDispose]();
}
