/**
 * The plugins of a runtime: which generation of which entry runs, and how the next one takes its place.
 *
 * @module
 */
import {
  type Builtins,
  type Clock,
  configReloaded,
  formatDuration,
  type Logger,
  type PluginEntry,
  type PluginSnapshot,
  pluginState,
  type QuarantineSettings,
  type Timer,
  type Transport,
  transports,
} from "../api/mod.ts";
import { type Bus, HookTable, type Owner } from "../bus/mod.ts";
import type { Kernel } from "../swarm/mod.ts";
import { placeOf, startOrder } from "./order.ts";
import type { EntryPlan } from "./plan.ts";
import { Quarantine } from "./quarantine.ts";
import { Scope, type ScopeHooks } from "./scope.ts";
import type { SocketPool } from "../net/mod.ts";
import { settledWithin } from "./patience.ts";
import { disposeAll, type StagedEntry, stagePlugins } from "./stage.ts";

/** What {@link Plugins} needs. */
export interface PluginsOptions {
  readonly clock: Clock;
  readonly bus: Bus;
  readonly log: Logger;
  readonly sockets: SocketPool;
  /** Plugins that may be named as the remedy for what an entry needs. */
  readonly builtins: Builtins;
  readonly quarantine: () => QuarantineSettings;
  readonly tell: Kernel["tell"];
  /** The scope of an entry's new generation, with `hooks` of the plugins around what it gets from the runtime. */
  createScope(entry: PluginEntry, hooks: ScopeHooks): Scope;
  /** What plugins provide or take part in changed. */
  changed(): void;
}

/** An entry that runs, and since which generation. */
interface LiveEntry extends StagedEntry {
  readonly generation: number;
}

/** What is set up beside what runs, and not yet in use. */
export interface StagedPlugins {
  /** The transports as they will be, by name. */
  readonly transports: ReadonlyMap<string, Transport>;
  /**
   * Takes the place of what runs, in one go; what is replaced or removed begins to retire.
   *
   * @throws {ConfigError} before anything changed, when a key is provided twice by now
   */
  commit(): void;
  /** Undoes what was set up; what runs was never touched. */
  abort(): Promise<void>;
}

export class Plugins {
  readonly #options: PluginsOptions;
  #live: readonly LiveEntry[] = [];
  readonly #retiring = new Map<LiveEntry, Promise<void>>();
  readonly #lastErrors = new WeakMap<Scope, string>();
  /** Until when (wall-clock milliseconds) a scope is left out, and the timer that lets it in again. */
  readonly #pauses = new Map<Scope, { readonly until: number; readonly timer: Timer }>();
  #generation = 0;

  constructor(options: PluginsOptions) {
    this.#options = options;
  }

  /** Counts the configurations that were committed, from 1; 0 before the first. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Sets up what is new, beside what runs.
   *
   * @param entries all entries, in the profile's order
   * @throws {ConfigError} when an entry can't start, its needs are unmet, or a key is provided twice; nothing of what
   * was begun is left then
   */
  async stage(entries: readonly PluginEntry[], plan: EntryPlan): Promise<StagedPlugins> {
    const { clock, sockets, builtins } = this.#options;
    const old = new Map(this.#live.map((live) => [live.entry.name, live]));
    const fresh = new Set([...plan.added, ...plan.replaced].map(({ name }) => name));
    const leaving = [...plan.removed, ...plan.replaced].flatMap(({ name }) => old.get(name) ?? []);
    const order = await startOrder(entries, builtins);
    const starting = order.filter(({ name }) => fresh.has(name));
    const yielding = sockets.yield(leaving.map(({ scope }) => scope));
    let started: readonly StagedEntry[] = [];
    const abort = async (): Promise<void> => {
      await disposeAll(started);
      yielding[Symbol.dispose]();
    };
    try {
      started = await stagePlugins(clock, starting, (entry) => this.#createScope(entry, old.get(entry.name)?.scope));
      const generation = this.#generation + 1;
      const scopes = new Map(started.map(({ entry, scope }) => [entry.name, scope]));
      const next = entries.map((entry): LiveEntry => {
        const scope = scopes.get(entry.name);
        return scope ? { entry, scope, generation } : { ...old.get(entry.name)!, entry };
      });
      const provided = tableOf(next, generation).values(transports);
      return {
        transports: new Map(provided.map(({ key, value }) => [key, value])),
        commit: () => {
          // Once more: what runs may have registered something meanwhile.
          this.#commit(next, tableOf(next, generation), leaving);
          yielding[Symbol.dispose]();
        },
        abort,
      };
    } catch (error) {
      await abort();
      throw error;
    }
  }

  /**
   * Ends every plugin, also those that retire, one after the other, last first.
   *
   * @param patience how long it may take (ms): past it, and a part of it for each, a plugin is told to end and not waited
   * for
   * @returns the names of those that had not ended
   */
  async stop(patience: number): Promise<readonly string[]> {
    const { clock } = this.#options;
    const all = [...this.#retiring.keys(), ...this.#live];
    this.#live = [];
    for (const { timer } of this.#pauses.values()) timer.cancel();
    const end = clock.now() + patience;
    const ending: [string, Promise<void>][] = [];
    for (const { scope } of all.toReversed()) {
      const work: [string, Promise<void>] = [scope.name, scope[Symbol.asyncDispose]()];
      ending.push(work);
      await settledWithin(clock, Math.min(patience / 2, end - clock.now()), [work]);
    }
    return await settledWithin(clock, 0, ending);
  }

  snapshots(): PluginSnapshot[] {
    const stats = this.#options.bus.stats();
    const describe = ({ entry, scope, generation }: LiveEntry, state: PluginSnapshot["state"]): PluginSnapshot => ({
      name: entry.name,
      use: entry.use,
      state,
      isolate: entry.isolate,
      generation,
      until: this.#pauses.get(scope)?.until,
      holds: scope.holds,
      hooks: state === "retiring" ? [] : stats.filter(({ plugin }) => plugin === entry.name)
        .map(({ hook, calls, failures, time }) => ({ hook, calls, failures, time })),
      lastError: this.#lastErrors.get(scope),
    });
    return [
      ...this.#live.map((live) => describe(live, live.scope.barred === undefined ? "running" : "quarantined")),
      ...[...this.#retiring.keys()].map((live) => describe(live, "retiring")),
    ];
  }

  #createScope(entry: PluginEntry, before: Scope | undefined): Scope {
    const { clock, createScope, quarantine } = this.#options;
    const machine = new Quarantine(quarantine);
    const scope: Scope = createScope(entry, {
      before,
      changed: () => {
        // While it is set up it isn't in the table yet.
        if (this.#live.some((live) => live.scope === scope)) this.#refresh();
      },
      erred: (message) => void this.#lastErrors.set(scope, message),
      failed: ({ message }) => {
        this.#lastErrors.set(scope, message);
        const pause = machine.fault(clock.now());
        if (pause !== undefined) this.#quarantine(scope, machine, pause, message);
      },
    });
    return scope;
  }

  #commit(next: readonly LiveEntry[], table: HookTable, leaving: readonly LiveEntry[]): void {
    const { bus, sockets, tell } = this.#options;
    bus.swap(table);
    this.#live = next;
    this.#generation = table.generation;
    for (const live of leaving) {
      sockets.retire(live.scope);
      this.#release(live.scope);
      const retired = live.scope.retire(live.entry.drain).finally(() => this.#retiring.delete(live));
      this.#retiring.set(live, retired);
    }
    for (const { scope } of next) scope.committed();
    tell(configReloaded, { generation: table.generation });
  }

  /** The same entries, with what they register and who of them takes part now. */
  #refresh(): void {
    this.#options.bus.swap(tableOf(this.#live, this.#generation));
    this.#options.changed();
  }

  #quarantine(scope: Scope, machine: Quarantine, pause: number, reason: string): void {
    const { clock, log, tell } = this.#options;
    if (!this.#live.some((live) => live.scope === scope)) return; // it is being set up, or on its way out
    const { name } = scope;
    const { faults, within } = this.#options.quarantine();
    const text = formatDuration(pause);
    scope.barred = `it is left out for ${text} after ${faults} faults within ${formatDuration(within)}`;
    log.warn(`Plugin "${name}" is left out for ${text}: ${reason}`);
    const timer = clock.after(pause, () => {
      this.#release(scope);
      machine.release(clock.now());
      log.info(`Plugin "${name}" takes part again`);
      tell(pluginState, { plugin: name, state: "running", reason: `after ${text}` });
      this.#refresh();
    });
    this.#pauses.set(scope, { until: clock.wall() + pause, timer });
    tell(pluginState, { plugin: name, state: "quarantined", reason, backoff: pause });
    this.#refresh();
  }

  #release(scope: Scope): void {
    scope.barred = undefined;
    this.#pauses.get(scope)?.timer.cancel();
    this.#pauses.delete(scope);
  }
}

function tableOf(entries: readonly StagedEntry[], generation: number): HookTable {
  const places = new Map<Owner, string>(entries.map(({ entry, scope }) => [scope, `${placeOf(entry)}: `]));
  const registrations = entries.flatMap(({ scope }) => [...scope.registrations]);
  return HookTable.build(registrations, generation, (owner) => places.get(owner)!);
}
