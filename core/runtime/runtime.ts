/**
 * The composition root: puts host, bus, plugins, store and swarms together, and offers them as a {@link Runtime}.
 *
 * @module
 */
import {
  type AddSwarm,
  type Builtins,
  CommandError,
  ConfigError,
  errorText,
  type Host,
  type LimitSettings,
  type Logger,
  NetError,
  type PluginEntry,
  type PublicSwarm,
  type ReloadPlan,
  type Runtime,
  type RuntimeEvent,
  type RuntimeSnapshot,
  type Settings,
  type SwarmDetail,
  type SwarmFile,
  type SwarmSnapshot,
  type SwarmsView,
  type UpdateSwarm,
} from "../api/mod.ts";
import { Bus } from "../bus/mod.ts";
import { StateStore, StoreMemory } from "../store/mod.ts";
import { createPluginNet, Egress, SharedUdp, SocketPool, type StagedUdp } from "../net/mod.ts";
import { redactUrls } from "../wire/mod.ts";
import {
  detailOf,
  type Kernel,
  Pacer,
  RateLimiter,
  ReadBuffers,
  snapshotOf,
  type Swarm,
  Swarms,
} from "../swarm/mod.ts";
import { EventLog, plainEvent } from "./events.ts";
import { startOrder } from "./order.ts";
import { type EntryPlan, planEntries, planSettings } from "./plan.ts";
import { Plugins } from "./plugins.ts";
import { settledWithin } from "./patience.ts";
import type { SwarmPlan } from "./profile_swarms.ts";
import { Scope, type ScopeHooks } from "./scope.ts";
import { SwarmKeeper } from "./swarm_keeper.ts";

// How long a stop waits for each of its steps (ms), under ten seconds in all: trackers have four to be told.
const STOP_PATIENCE = { changes: 1_000, swarms: 5_000, plugins: 2_000, state: 1_000 };
// A handler that has been busy with an event for longer (ms) goes on as long as its plugin does.
const RECENT_EVENT = 10_000;
// Names in one line of the log.
const MAX_TOLD = 10;
// What peers don't take is for files, state, control, trackers and servers: connections that strangers open must not
// leave Weft without the descriptor that it saves with.
const DESCRIPTORS_PER_CONNECTION = 2;

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
  /** Plugins that may be named as the remedy for what an entry needs. */
  readonly builtins?: Builtins;
  readonly version: string;
  /** The id of a swarm that, if an earlier run left it, begins with its first update: with what is wished now. */
  readonly hold?: string;
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
  readonly #keeper: SwarmKeeper;
  readonly #memory: StoreMemory;
  readonly #readBuffers = new ReadBuffers();
  readonly #started: number;
  #closeState = (): Promise<void> => Promise.resolve();
  readonly #sockets: SocketPool;
  readonly #udp: SharedUdp;
  readonly #plugins: Plugins;
  #settings: Settings;
  /** Those of the settings, as far as this process can keep to them. */
  #limits: LimitSettings;
  #state: StateStore | undefined;
  /** The reload under way, or the last one: the next one waits for it. */
  #reloading: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  constructor(options: StartOptions) {
    const { host, settings } = options;
    this.#options = options;
    this.#settings = settings;
    this.#host = host;
    this.#started = host.clock.wall();
    this.#events = new EventLog(host.clock);
    this.#egress = new Egress(settings.egress);
    this.#memory = new StoreMemory(settings.limits);
    const log = this.#logger("weft");
    this.#bus = new Bus({ clock: host.clock, log });
    this.#kernel = this.#createKernel(log);
    this.#limits = settings.limits;
    this.#swarms = new Swarms(this.#kernel);
    this.#keeper = new SwarmKeeper(this.#kernel, this.#swarms, () => this.#settings);
    this.#sockets = new SocketPool(host.net);
    this.#udp = new SharedUdp({
      net: host.net,
      turn: () => host.clock.turn(),
      failed: (error) => log.debug(`UDP: ${errorText(error)}`),
      lost: (error) => log.error(`A UDP socket is lost until Weft starts again: ${errorText(error)}`),
    });
    this.#plugins = new Plugins({
      clock: host.clock,
      bus: this.#bus,
      log,
      sockets: this.#sockets,
      builtins: options.builtins ?? {},
      quarantine: () => this.#settings.quarantine,
      tell: this.#kernel.tell,
      createScope: (entry, hooks) => this.#scope(entry, hooks),
      changed: () => this.#pluginsChanged(),
    });
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    this.#limits = this.#affordable(settings.limits);
    try {
      await this.#openState();
      const staged = await this.#plugins.stage(settings.plugins, planEntries([], settings.plugins));
      staged.commit();
      const listeners = await this.#swarms.listeners.stage(settings.listen, staged.transports);
      listeners.commit();
      (await this.#stageUdp(settings, this.#swarms.listeners.port)).commit();
      await this.#keeper.restore(this.#options.hold);
      this.#swarms.start();
    } catch (error) {
      await this.#end().catch(() => {});
      throw error;
    }
  }

  async plan(settings: Settings): Promise<ReloadPlan> {
    return (await this.#plan(settings)).plan;
  }

  reload(settings: Settings): Promise<ReloadPlan> {
    const reloaded = this.#reloading.then(() => this.#reload(settings));
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  async add(request: AddSwarm): Promise<SwarmSnapshot> {
    this.#refuseWhenStopping("add a swarm");
    return await this.#keeper.add(request);
  }

  async remove(id: string, options?: { readonly deleteData?: boolean }): Promise<void> {
    this.#refuseWhenStopping("remove a swarm");
    await this.#keeper.remove(id, options);
  }

  update(id: string, change: UpdateSwarm): Promise<SwarmSnapshot> {
    return this.#keeper.update(id, change);
  }

  recheck(id: string): Promise<void> {
    this.#swarms.get(id).recheck();
    return Promise.resolve();
  }

  async addPeers(id: string, peers: readonly string[]): Promise<void> {
    await this.#swarms.get(id).peers.admitNamed(peers);
  }

  announce(id: string): Promise<void> {
    this.#swarms.get(id).announceNow();
    return Promise.resolve();
  }

  async openFile(id: string, index: number): Promise<SwarmFile> {
    return await this.#swarms.get(id).openFile(index);
  }

  snapshot(): RuntimeSnapshot {
    const now = this.#host.clock.now();
    const swarms = [...this.#swarms.all].map((swarm) => snapshotOf(swarm, now));
    return {
      sequence: this.#events.sequence,
      version: this.#options.version,
      started: this.#started,
      generation: this.#plugins.generation,
      listening: this.#swarms.listeners.addresses.map(({ key }) => key),
      down: swarms.reduce((sum, { down }) => sum + down, 0),
      up: swarms.reduce((sum, { up }) => sum + up, 0),
      connections: this.#swarms.connections,
      memory: { ...this.#memory.usage(), readBuffers: this.#readBuffers.bytes },
      swarms,
      plugins: this.#plugins.snapshots(),
    };
  }

  swarm(id: string): SwarmDetail {
    return detailOf(this.#swarms.get(id), this.#host.clock.now());
  }

  subscribe(listener: (event: RuntimeEvent) => void, since?: number): Disposable {
    return this.#events.subscribe(listener, since);
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    // What is under way is finished first: half of a reload can't be undone in order, and a swarm that is being added
    // would begin when nobody stops it any more.
    const settled = this.#reloading.then(() => this.#keeper.settled());
    this.#tellLeft(
      await settledWithin(this.#host.clock, STOP_PATIENCE.changes, [["a change that is under way", settled]]),
    );
    await this.#end();
  }

  /**
   * Ends what was begun, last first and step by step, each bounded: whatever hangs (trackers, plugins, the disk), this
   * ends, and says what didn't. Rejects with what failed first, once all has been tried.
   */
  async #end(): Promise<void> {
    const { clock } = this.#host;
    const failures: unknown[] = [];
    const endWithin = async (patience: number, works: Parameters<typeof settledWithin>[2]): Promise<void> => {
      for (const [, work] of works) work.catch((error) => failures.push(error));
      this.#tellLeft(await settledWithin(clock, patience, works));
    };
    const now = clock.now();
    await endWithin(STOP_PATIENCE.swarms, [
      ...this.#swarms.stop().map(([name, ended]) => [`"${name}", its trackers or files`, ended] as const),
      // Such as one that tells the user of a download that is complete, when that ends this run.
      ...this.#bus.running.filter(({ began }) => now - began < RECENT_EVENT)
        .map(({ plugin, ended }) => [`what plugin "${plugin}" does about an event`, ended] as const),
    ]);
    this.#tellLeft((await this.#plugins.stop(STOP_PATIENCE.plugins)).map((name) => `plugin "${name}"`));
    // Only now: trackers over UDP were told that the swarms stop.
    this.#udp.close();
    await endWithin(STOP_PATIENCE.state, [["the state file", this.#closeState()]]);
    if (failures.length > 0) throw failures[0];
  }

  #tellLeft(what: readonly string[]): void {
    const told = what.slice(0, MAX_TOLD);
    if (what.length > told.length) told.push(`${what.length - told.length} more`);
    if (told.length > 0) this.#kernel.log.warn(`Stopped without waiting any longer for ${told.join("; ")}`);
  }

  #createKernel(log: Logger): Kernel {
    const { settings } = this.#options;
    const downLimit = new RateLimiter(settings.limits.down);
    const upLimit = new RateLimiter(settings.limits.up);
    // Getters, since these change or come later.
    const limits = (): LimitSettings => this.#limits;
    const state = (): StateStore => this.#state!;
    const listenPort = (): number => this.#swarms.listeners.port;
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
    const { state } = this.#settings.store;
    const db = await this.#host.db.open(state);
    this.#closeState = () => db.close();
    this.#state = await StateStore.open(db, (message) => this.#kernel.log.warn(message));
  }

  #scope(
    { name, config, plugin }: PluginEntry,
    hooks: ScopeHooks,
  ): Scope {
    const { clock, random, net } = this.#host;
    // What the entry's plugin may reach beyond the others is its own affair.
    const egress = this.#egress.child();
    const scope = new Scope({
      ...hooks,
      name,
      config,
      seesPrivate: plugin.wants?.includes("private"),
      egress,
      clock,
      random,
      log: this.#logger(name),
      swarms: this.#publicSwarms(),
      net: (scope) => {
        const shared = this.#sockets.for(scope);
        const host = {
          net: {
            ...shared,
            connect: net.connect.bind(net),
            resolve: net.resolve.bind(net),
            http: net.http.bind(net),
            interfaces: net.interfaces.bind(net),
            multicast: net.multicast.bind(net),
          },
        };
        return createPluginNet({ host, egress, scopeSignal: scope.signal });
      },
      udp: (scope) => this.#udp.for(scope, egress),
      state: this.#state!.plugin(name),
    });
    for (const target of plugin.egress?.(config) ?? []) scope.use(egress.grant(target));
    return scope;
  }

  /** Plugins provide something else, or another one takes part: the swarms look again. */
  #pluginsChanged(): void {
    for (const swarm of this.#swarms.all) swarm.pluginsChanged();
  }

  async #plan(settings: Settings): Promise<{ plan: ReloadPlan; entries: EntryPlan; swarms: SwarmPlan<Swarm> }> {
    const { store, places } = settings;
    if (store.state !== this.#settings.store.state) {
      const { file, line, column } = places.state;
      throw new ConfigError([
        `${file}:${line}:${column}: cannot change store.state from "${this.#settings.store.state}" while Weft runs; ` +
        "stop Weft and start it again",
      ]);
    }
    await startOrder(settings.plugins, this.#options.builtins ?? {});
    const swarms = await this.#keeper.plan(settings);
    const entries = planEntries(this.#settings.plugins, settings.plugins);
    const changes = [...planSettings(this.#settings, settings), ...entries.changes, ...swarms.changes];
    return { plan: { changes }, entries, swarms };
  }

  async #reload(settings: Settings): Promise<ReloadPlan> {
    this.#refuseWhenStopping("reload");
    const { plan, entries, swarms } = await this.#plan(settings);
    if (plan.changes.length === 0) {
      this.#settings = settings; // the same, but perhaps elsewhere in the file
      return plan;
    }
    const egress = this.#egress.stage(settings.egress.allow);
    try {
      const plugins = await this.#plugins.stage(settings.plugins, entries);
      try {
        const listeners = await this.#stageListeners(settings, plugins.transports);
        let udp: StagedUdp | undefined;
        try {
          udp = await this.#stageUdp(settings, listeners.port).catch(this.#asListenMistake(settings));
          plugins.commit();
        } catch (error) {
          await udp?.abort();
          await listeners.abort();
          throw error;
        }
        listeners.commit();
        udp.commit();
      } catch (error) {
        await plugins.abort();
        throw error;
      }
    } catch (error) {
      egress.abort();
      throw error;
    }
    egress.commit();
    this.#apply(settings);
    if (entries.changes.length > 0) this.#pluginsChanged();
    await this.#keeper.reconcile(swarms);
    return plan;
  }

  async #stageListeners(
    settings: Settings,
    transports: Parameters<Swarms["listeners"]["stage"]>[1],
  ): Promise<Awaited<ReturnType<Swarms["listeners"]["stage"]>>> {
    return await this.#swarms.listeners.stage(settings.listen, transports).catch(this.#asListenMistake(settings));
  }

  /** The shared UDP port has the number that peers are told. */
  #stageUdp({ listen }: Settings, port: number): Promise<StagedUdp> {
    return this.#udp.stage(listen.map((at) => at.port === 0 ? { ...at, port } : at));
  }

  #asListenMistake({ places: { listen: { file, line, column } } }: Settings): (error: unknown) => never {
    return (error) => {
      throw new ConfigError([`${file}:${line}:${column}: ${error instanceof NetError ? error.message : error}`]);
    };
  }

  /** Settings that need nothing but to be known. */
  #apply(settings: Settings): void {
    this.#settings = settings;
    this.#limits = this.#affordable(settings.limits);
    this.#kernel.downLimit.rate = settings.limits.down;
    this.#kernel.upLimit.rate = settings.limits.up;
    this.#memory.setLimits(settings.limits);
    this.#swarms.wakeAll();
  }

  /** The limits, with no more connections than leave descriptors to all else. */
  #affordable(limits: LimitSettings): LimitSettings {
    const { host } = this.#options;
    if (!host.descriptors) return limits;
    const wanted = limits.connections * DESCRIPTORS_PER_CONNECTION;
    const room = host.descriptors(wanted) + this.#swarms.connections;
    if (room >= wanted) return limits;
    const connections = Math.max(1, Math.floor(room / DESCRIPTORS_PER_CONNECTION));
    this.#kernel.log.warn(
      `limits.connections is ${limits.connections}, but this process may have only ${room} more files and sockets open: ` +
        `${connections} connections at most; raise that limit ("ulimit -n", or LimitNOFILE of a service)`,
    );
    return { ...limits, connections };
  }

  #publicSwarms(): SwarmsView {
    const swarms = (): Swarm[] => [...this.#swarms.all].filter((swarm) => !swarm.private && swarm.active);
    const view = (swarm: Swarm): PublicSwarm => ({
      id: swarm.id,
      name: swarm.name,
      seeding: swarm.state === "seeding",
      nodes: swarm.nodes,
    });
    const port = (): number => this.#swarms.listeners.port;
    return {
      get size() {
        return swarms().length;
      },
      review: () => this.#swarms.review(),
      get port() {
        return port();
      },
      get: (wireId) => {
        const swarm = this.#swarms.find(wireId);
        return swarm && !swarm.private && swarm.active ? view(swarm) : undefined;
      },
      [Symbol.iterator]: () => swarms().map(view)[Symbol.iterator](),
    };
  }

  #logger(source: string): Logger {
    const line = (level: LogLine["level"]) => (text: string): void => {
      const message = redactUrls(text);
      this.#options.log?.({ level, source, message });
      if (level !== "debug") this.#events.publish("log", { level, source, message });
    };
    return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  }

  #refuseWhenStopping(what: string): void {
    if (this.#stopping) throw new CommandError(`Cannot ${what}: this Weft is stopping`);
  }
}
