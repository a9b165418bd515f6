/**
 * The composition root: puts host, bus, plugins, store and swarms together, and offers them as a {@link Runtime}.
 *
 * @module
 */
import {
  type AddSwarm,
  CommandError,
  type Host,
  type LimitSettings,
  type Logger,
  type Plugin,
  type PluginEntry,
  type PluginSnapshot,
  type PublicSwarm,
  type Runtime,
  type RuntimeEvent,
  type RuntimeSnapshot,
  type Settings,
  swarmAdded,
  type SwarmDetail,
  swarmRemoved,
  type SwarmSnapshot,
  type SwarmsView,
  type UpdateSwarm,
} from "../api/mod.ts";
import { Bus } from "../bus/mod.ts";
import { StateStore, StoreMemory, type SwarmRecord } from "../store/mod.ts";
import { Egress } from "../swarm/egress.ts";
import type { Kernel } from "../swarm/kernel.ts";
import { Pacer } from "../swarm/pacer.ts";
import { RateLimiter } from "../swarm/rate_limit.ts";
import { ReadBuffers } from "../swarm/read_buffers.ts";
import { detailOf, snapshotOf } from "../swarm/snapshot.ts";
import { Swarm } from "../swarm/swarm.ts";
import { Swarms } from "../swarm/swarms.ts";
import { EventLog, plainEvent } from "./events.ts";
import { createPluginNet } from "./plugin_net.ts";
import { Scope } from "./scope.ts";
import { describeSource, type SourceDescription } from "./source.ts";
import { retire, type StagedEntry, stagePlugins, tableOf } from "./stage.ts";

/** One message of the runtime or of a plugin. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  /** The entry's name, or `weft`. */
  readonly source: string;
  readonly message: string;
}

/** What {@link startRuntime} needs. */
export interface StartOptions {
  readonly host: Host;
  readonly settings: Settings;
  /** The plugin that an entry's `use` names; throws when there is none. */
  readonly resolvePlugin: (use: string) => Promise<Plugin>;
  /** Plugins that may be named as the remedy for what an entry needs. */
  readonly builtins?: Readonly<Record<string, () => Promise<{ readonly default: Plugin }>>>;
  readonly version: string;
  readonly log?: (line: LogLine) => void;
}

/**
 * Starts a runtime: opens its state, starts its plugins, listens, and adds the swarms of state and profile.
 *
 * @throws {ConfigError} when an entry can't start; nothing of it is left then
 */
export async function startRuntime(options: StartOptions): Promise<Runtime> {
  const runtime = new WeftRuntime(options);
  await runtime.start();
  return runtime;
}

class WeftRuntime implements Runtime {
  readonly #options: StartOptions;
  readonly #host: Host;
  readonly #events: EventLog;
  readonly #bus: Bus;
  readonly #egress: Egress;
  readonly #kernel: Kernel;
  readonly #swarms: Swarms;
  readonly #memory: StoreMemory;
  readonly #readBuffers = new ReadBuffers();
  readonly #started: number;
  /** Undoes what was begun, last first. */
  readonly #undo = new AsyncDisposableStack();
  /** Keys of swarms that are being added or removed. */
  readonly #busy = new Set<string>();
  #state: StateStore | undefined;
  #staged: readonly StagedEntry[] = [];
  #generation = 0;
  #lastErrors = new Map<string, string>();
  #stopping: Promise<void> | undefined;

  constructor(options: StartOptions) {
    const { host, settings } = options;
    this.#options = options;
    this.#host = host;
    this.#started = host.clock.wall();
    this.#events = new EventLog(host.clock);
    this.#egress = new Egress(settings.egress);
    this.#memory = new StoreMemory(settings.limits);
    const log = this.#logger("weft");
    this.#bus = new Bus({
      clock: host.clock,
      log,
      onFailure: (failure) => this.#lastErrors.set(failure.plugin, failure.message),
    });
    this.#kernel = this.#createKernel(log);
    this.#swarms = new Swarms(this.#kernel);
  }

  async start(): Promise<void> {
    const { settings, resolvePlugin } = this.#options;
    try {
      await this.#openState();
      this.#staged = await stagePlugins({
        clock: this.#host.clock,
        entries: settings.plugins,
        resolvePlugin,
        remedies: (capability) => this.#remedies(capability),
        scope: (entry, plugin) => this.#scope(entry, plugin),
      });
      this.#undo.defer(() => retire(this.#staged));
      this.#commit();
      await this.#swarms.listen(settings.listen);
      this.#undo.defer(() => this.#swarms.stop());
      await this.#addKept();
      await this.#addFromProfile();
      this.#swarms.start();
    } catch (error) {
      await this.#undo.disposeAsync();
      throw error;
    }
  }

  async add(request: AddSwarm): Promise<SwarmSnapshot> {
    this.#refuseWhenStopping();
    const source = describeSource(request.source);
    const { settings } = this.#options;
    const { key } = source.id;
    const record: SwarmRecord = {
      key,
      source: request.source,
      path: request.path ?? settings.store.path,
      origin: request.origin ?? "user",
      added: this.#host.clock.wall(),
      paused: request.paused ?? false,
      select: request.select ?? source.select,
      sequential: request.sequential ?? false,
      limits: request.limits,
      allowLocal: request.allowLocal ?? false,
      peers: [...source.peers, ...request.peers ?? []],
      trackers: request.trackers ?? [],
      uploaded: 0,
      downloaded: 0,
      wasted: 0,
      seedTime: 0,
    };
    if (this.#swarms.find(source.id.wireIds[0].hex)) {
      const { name } = this.#swarms.get(source.id.key);
      throw new CommandError(`Cannot add "${source.name}": it is here already, as "${name}"`);
    }
    // Two at once, or one while it is still being removed, would share its files and its record.
    return await this.#alone(key, source.name, async () => {
      await this.#state!.saveSwarm(record);
      return snapshotOf(this.#begin(record, source, request.existing ?? "resume"), this.#host.clock.now());
    });
  }

  async remove(id: string, options: { readonly deleteData?: boolean } = {}): Promise<void> {
    const swarm = this.#swarms.get(id);
    const { key } = swarm.id;
    await this.#alone(key, swarm.name, async () => {
      this.#swarms.delete(swarm);
      await swarm.stop();
      await this.#state!.removeSwarm(key);
      if (options.deleteData) await swarm.deleteData();
      this.#kernel.tell(swarmRemoved, { id: swarm.id, name: swarm.name });
    });
  }

  async update(id: string, change: UpdateSwarm): Promise<SwarmSnapshot> {
    const swarm = this.#swarms.get(id);
    if (change.trackers || change.allowLocal !== undefined) await swarm.setTrackers(change);
    if (change.limits) await swarm.setLimits(change.limits);
    if (change.sequential !== undefined) await swarm.setSequential(change.sequential);
    const priorities = { ...change.select && swarm.prioritiesOf(change.select), ...change.priorities };
    if (Object.keys(priorities).length > 0) await swarm.setPriorities(priorities);
    if (change.paused !== undefined) await swarm.setPaused(change.paused);
    return snapshotOf(swarm, this.#host.clock.now());
  }

  recheck(id: string): Promise<void> {
    this.#swarms.get(id).recheck();
    return Promise.resolve();
  }

  async addPeers(id: string, peers: readonly string[]): Promise<void> {
    await this.#swarms.get(id).peers.admitNamed(peers);
    this.#swarms.wake();
  }

  announce(id: string): Promise<void> {
    this.#swarms.get(id).announceNow();
    return Promise.resolve();
  }

  snapshot(): RuntimeSnapshot {
    const now = this.#host.clock.now();
    const swarms = [...this.#swarms.all].map((swarm) => snapshotOf(swarm, now));
    return {
      sequence: this.#events.sequence,
      version: this.#options.version,
      started: this.#started,
      listening: this.#swarms.listening.map(({ key }) => key),
      down: swarms.reduce((sum, { down }) => sum + down, 0),
      up: swarms.reduce((sum, { up }) => sum + up, 0),
      connections: this.#swarms.connections,
      memory: { ...this.#memory.usage(), readBuffers: this.#readBuffers.bytes },
      swarms,
      plugins: this.#pluginSnapshots(),
    };
  }

  swarm(id: string): SwarmDetail {
    return detailOf(this.#swarms.get(id), this.#host.clock.now());
  }

  subscribe(listener: (event: RuntimeEvent) => void, since?: number): Disposable {
    return this.#events.subscribe(listener, since);
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#undo.disposeAsync();
  }

  #createKernel(log: Logger): Kernel {
    const { settings } = this.#options;
    const downLimit = new RateLimiter(settings.limits.down);
    const upLimit = new RateLimiter(settings.limits.up);
    // Getters, since these change or come later.
    const limits = (): LimitSettings => this.#options.settings.limits;
    const state = (): StateStore => this.#state!;
    const listenPort = (): number => this.#swarms.port;
    return {
      host: this.#host,
      bus: this.#bus,
      egress: this.#egress,
      memory: this.#memory,
      readBuffers: this.#readBuffers,
      pacer: new Pacer(this.#host.clock),
      log,
      downLimit,
      upLimit,
      get limits() {
        return limits();
      },
      get state() {
        return state();
      },
      get listenPort() {
        return listenPort();
      },
      tell: (hook, what) => {
        this.#bus.emit(hook, what);
        const { id } = what as { id?: { key: string } };
        this.#events.publish(hook.name, plainEvent(what), id?.key);
      },
    };
  }

  async #openState(): Promise<void> {
    const { state } = this.#options.settings.store;
    const db = await this.#host.db.open(state);
    this.#undo.defer(() => db.close());
    this.#state = await StateStore.open(db, (message) => this.#kernel.log.warn(message));
  }

  #scope({ name, config }: PluginEntry, plugin: Plugin): Scope {
    const scope = new Scope({
      name,
      config,
      clock: this.#host.clock,
      random: this.#host.random,
      log: this.#logger(name),
      swarms: this.#publicSwarms(),
      net: (scopeSignal) => createPluginNet({ host: this.#host, egress: this.#egress, scopeSignal }),
      changed: () => this.#changed(),
    });
    for (const target of plugin.egress?.(config) ?? []) scope.use(this.#egress.grant(target));
    return scope;
  }

  /** The plugins that were staged serve calls from now on. */
  #commit(): void {
    this.#bus.swap(tableOf(this.#staged, ++this.#generation));
  }

  /** A running plugin registered or withdrew something. */
  #changed(): void {
    if (this.#generation === 0) return;
    this.#bus.swap(tableOf(this.#staged, this.#generation));
    for (const swarm of this.#swarms.all) swarm.pluginsChanged();
  }

  async #remedies(capability: string): Promise<string[]> {
    const names: string[] = [];
    for (const [name, load] of Object.entries(this.#options.builtins ?? {})) {
      if ((await load()).default.provides?.includes(capability)) names.push(name);
    }
    return names;
  }

  async #addKept(): Promise<void> {
    for (const record of await this.#state!.swarms()) {
      try {
        const source = describeSource(record.source);
        const { wireIds } = source.id;
        if (wireIds.every(({ hex }) => hex !== record.key)) throw new Error(`what is saved is ${wireIds[0].hex}`);
        if (wireIds.some(({ hex }) => this.#swarms.find(hex))) throw new Error("it is saved twice");
        this.#begin(record, source, "resume");
      } catch (error) {
        this.#kernel.log.error(`Cannot resume swarm ${record.key}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }

  async #addFromProfile(): Promise<void> {
    for (
      const { add, path, select, sequential, paused, peers, allowLocal, ...limits } of this.#options.settings.swarms
    ) {
      try {
        const source = add.startsWith("magnet:")
          ? add
          : await this.#host.disk.readFile(add, { maxBytes: 64 * 1024 * 1024 });
        if (this.#swarms.find(describeSource(source).id.wireIds[0].hex)) continue;
        await this.add({ source, path, select, sequential, paused, peers, allowLocal, limits, origin: "profile" });
      } catch (error) {
        this.#kernel.log.error(`Cannot add "${add}": ${error instanceof Error ? error.message : error}`);
      }
    }
  }

  #begin(record: SwarmRecord, source: SourceDescription, existing: "resume" | "check" | "trust"): Swarm {
    const tiers = [...source.tiers, ...record.trackers.map((url) => [url])];
    const swarm = new Swarm(this.#kernel, {
      record,
      id: source.id,
      name: source.name,
      info: source.info,
      tiers,
      existing,
      wake: () => this.#swarms.wake(),
    });
    this.#swarms.add(swarm);
    this.#kernel.tell(swarmAdded, { id: swarm.id, name: swarm.name });
    swarm.start();
    return swarm;
  }

  #publicSwarms(): SwarmsView {
    const swarms = (): Swarm[] => [...this.#swarms.all].filter((swarm) => !swarm.private && swarm.active);
    const view = (swarm: Swarm): PublicSwarm => ({
      id: swarm.id,
      name: swarm.name,
      seeding: swarm.state === "seeding",
    });
    return {
      get size() {
        return swarms().length;
      },
      get: (wireId) => {
        const swarm = this.#swarms.find(wireId);
        return swarm && !swarm.private && swarm.active ? view(swarm) : undefined;
      },
      [Symbol.iterator]: () => swarms().map(view)[Symbol.iterator](),
    };
  }

  #pluginSnapshots(): PluginSnapshot[] {
    const stats = this.#bus.stats();
    return this.#staged.map(({ entry: { name, use } }) => ({
      name,
      use,
      state: "running",
      hooks: stats.filter(({ plugin }) => plugin === name)
        .map(({ hook, calls, failures, time }) => ({ hook, calls, failures, time })),
      lastError: this.#lastErrors.get(name),
    }));
  }

  #logger(source: string): Logger {
    const line = (level: LogLine["level"]) => (message: string): void => {
      this.#options.log?.({ level, source, message });
      if (level !== "debug") this.#events.publish("log", { level, source, message });
    };
    return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  }

  /** Runs what adds or removes a swarm, unless something of the kind is under way for it. */
  async #alone<T>(key: string, name: string, run: () => Promise<T>): Promise<T> {
    if (this.#busy.has(key)) throw new CommandError(`Cannot change "${name}": it is being added or removed`);
    this.#busy.add(key);
    try {
      return await run();
    } finally {
      this.#busy.delete(key);
    }
  }

  #refuseWhenStopping(): void {
    if (this.#stopping) throw new CommandError("Cannot add a swarm: this Weft is stopping");
  }
}
