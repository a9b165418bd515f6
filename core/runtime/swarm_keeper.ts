/**
 * Adds, keeps and removes swarms: those that a user asks for, those that were kept when Weft ended, and those that the
 * profile names.
 *
 * @module
 */
import {
  type AddSwarm,
  CommandError,
  ConfigError,
  errorText,
  type Settings,
  swarmAdded,
  swarmRemoved,
  type SwarmSetting,
  type SwarmSnapshot,
  type UpdateSwarm,
} from "../api/mod.ts";
import type { SwarmRecord } from "../store/mod.ts";
import { parseServiceUrl } from "../wire/mod.ts";
import { type Kernel, selectionProblem, snapshotOf, Swarm, type Swarms } from "../swarm/mod.ts";
import { planSwarms, type ProfileSwarm, readProfileSwarms, type SwarmPlan } from "./profile_swarms.ts";
import { describeSource, type SourceDescription } from "./source.ts";

type BeginOptions = Pick<AddSwarm, "existing" | "force">;

export class SwarmKeeper {
  readonly #kernel: Kernel;
  readonly #swarms: Swarms;
  readonly #settings: () => Settings;
  /** Swarms that are being added or removed, by key, and when that has ended. */
  readonly #busy = new Map<string, Promise<unknown>>();
  /** Swarms that were kept and have not begun: what they are to do is said first. */
  readonly #held = new Set<Swarm>();

  /** @param settings the present ones: a reload replaces them */
  constructor(kernel: Kernel, swarms: Swarms, settings: () => Settings) {
    this.#kernel = kernel;
    this.#swarms = swarms;
    this.#settings = settings;
  }

  /**
   * Begins the swarms that were kept, and makes those of the profile what it says now: it may have been edited.
   *
   * @param hold the key of one that begins with its first update, and not before
   */
  async restore(hold?: string): Promise<void> {
    await this.#addKept(hold);
    await this.#addFromProfile();
  }

  /** Resolves when nothing is being added or removed any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#busy.values());
  }

  /** Adds a swarm; `setting` is what the profile says of it, if it is the profile's. */
  async add(request: AddSwarm, setting?: SwarmSetting): Promise<SwarmSnapshot> {
    const source = describeSource(request.source);
    const { key } = source.id;
    expectUsable(request.trackers);
    const record: SwarmRecord = {
      key,
      source: request.source,
      path: request.path ?? this.#settings().store.path,
      origin: request.origin ?? "user",
      added: this.#kernel.host.clock.wall(),
      paused: request.paused ?? false,
      select: request.select ?? source.select,
      sequential: request.sequential ?? false,
      readOnly: request.readOnly,
      followLinks: request.followLinks,
      limits: request.limits,
      allowLocal: request.allowLocal ?? false,
      setting,
      peers: [...source.peers, ...request.peers ?? []],
      trackers: request.trackers ?? [],
      uploaded: 0,
      downloaded: 0,
      wasted: 0,
      seedTime: 0,
    };
    const problem = source.info && selectionProblem(request.select, source.info.files.length);
    if (problem) throw new CommandError(`Cannot add "${source.name}": ${problem}`);
    if (record.followLinks && !record.readOnly) {
      throw new CommandError(`Cannot add "${source.name}": "followLinks" is for reading alone; say "readOnly" too`);
    }
    if (this.#swarms.find(source.id.wireIds[0].hex)) {
      const { name } = this.#swarms.get(source.id.key);
      throw new CommandError(`Cannot add "${source.name}": it is here already, as "${name}"`);
    }
    // Two at once, or one while it is still being removed, would share its files and its record.
    return await this.#alone(key, source.name, async () => {
      await this.#kernel.state.saveSwarm(record);
      const { existing, force } = request;
      return snapshotOf(this.#begin(record, source, { existing, force }), this.#kernel.host.clock.now());
    });
  }

  async remove(id: string, options: { readonly deleteData?: boolean } = {}): Promise<void> {
    const swarm = this.#swarms.get(id);
    const { key } = swarm.id;
    await this.#alone(key, swarm.name, async () => {
      this.#swarms.delete(swarm);
      this.#held.delete(swarm);
      await swarm.stop();
      const data = options.deleteData ? await swarm.data() : undefined;
      await this.#kernel.state.removeSwarm(key);
      await data?.delete();
      this.#kernel.tell(swarmRemoved, { id: swarm.id, name: swarm.name, private: swarm.private });
    });
  }

  async update(id: string, change: UpdateSwarm): Promise<SwarmSnapshot> {
    const swarm = this.#swarms.get(id);
    expectUsable(change.trackers);
    if (change.trackers || change.allowLocal !== undefined) await swarm.setTrackers(change);
    if (change.limits) await swarm.setLimits(change.limits);
    if (change.sequential !== undefined) await swarm.setSequential(change.sequential);
    const priorities = { ...change.select && swarm.prioritiesOf(change.select), ...change.priorities };
    if (Object.keys(priorities).length > 0) await swarm.setPriorities(priorities);
    if (change.paused !== undefined) await swarm.setPaused(change.paused);
    if (this.#held.delete(swarm)) swarm.start();
    if (change.force) await swarm.overwrite();
    return snapshotOf(swarm, this.#kernel.host.clock.now());
  }

  /**
   * What would make the swarms those that `settings` name.
   *
   * @throws {ConfigError} when a torrent can't be read
   */
  async plan(settings: Settings): Promise<SwarmPlan<Swarm>> {
    const { swarms, problems } = await readProfileSwarms(this.#kernel.host.disk, settings.swarms);
    if (problems.length > 0) throw new ConfigError(problems);
    return planSwarms(this.#swarms.all, swarms);
  }

  /** Makes the swarms those of the profile. What fails here concerns one swarm, and is told. */
  async reconcile({ added, removed, changed }: SwarmPlan<Swarm>): Promise<void> {
    const each = async (what: string, run: () => Promise<unknown>): Promise<void> => {
      try {
        await run();
      } catch (error) {
        this.#kernel.log.error(`Cannot ${what}: ${errorText(error)}`);
      }
    };
    for (const swarm of removed) await each(`remove "${swarm.name}"`, () => this.remove(swarm.id.key));
    for (const { swarm, setting, keys } of changed) {
      await each(`change "${swarm.name}"`, () => this.#changeSetting(swarm, setting, keys));
    }
    for (const swarm of added) await each(`add "${swarm.setting.add}"`, () => this.#addProfileSwarm(swarm));
  }

  /** What the profile says otherwise of a swarm than before; what it says the same, the user may have changed. */
  async #changeSetting(swarm: Swarm, setting: SwarmSetting, keys: readonly string[]): Promise<void> {
    const has = (key: string): boolean => keys.some((each) => each === key || each.startsWith(`${key}.`));
    const { select, sequential, paused, peers, allowLocal, down, up, ratio, seedTime } = setting;
    const limits = { down, up, ratio, seedTime };
    const selected = select ?? swarm.shape?.files.map((_, i) => i);
    await this.update(swarm.id.key, {
      ...has("select") && { select: selected },
      ...has("sequential") && { sequential },
      ...has("paused") && { paused },
      ...has("allowLocal") && { allowLocal },
      ...has("force") && { force: setting.force },
      ...Object.keys(limits).some(has) && { limits },
    });
    if (has("peers")) await swarm.peers.admitNamed(peers);
    await swarm.ledger.change({ setting });
  }

  #addProfileSwarm({ setting, source }: ProfileSwarm): Promise<SwarmSnapshot> {
    const { path, select, sequential, paused, peers, allowLocal, force, down, up, ratio, seedTime } = setting;
    const limits = { down, up, ratio, seedTime };
    return this.add(
      { source, path, select, sequential, paused, peers, allowLocal, force, limits, origin: "profile" },
      setting,
    );
  }

  async #addKept(hold: string | undefined): Promise<void> {
    for (const record of await this.#kernel.state.swarms()) {
      try {
        const source = describeSource(record.source);
        const { wireIds } = source.id;
        if (wireIds.every(({ hex }) => hex !== record.key)) throw new Error(`what is saved is ${wireIds[0].hex}`);
        if (wireIds.some(({ hex }) => this.#swarms.find(hex))) throw new Error("it is saved twice");
        const swarm = this.#create(record, source);
        if (record.key === hold) this.#held.add(swarm);
        else swarm.start();
      } catch (error) {
        this.#kernel.log.error(`Cannot resume swarm ${record.key}: ${errorText(error)}`);
      }
    }
  }

  /** The swarms of the profile, as it is now: it may have been edited while nothing ran. */
  async #addFromProfile(): Promise<void> {
    const { swarms, problems } = await readProfileSwarms(this.#kernel.host.disk, this.#settings().swarms);
    for (const problem of problems) this.#kernel.log.error(problem);
    try {
      const plan = planSwarms(this.#swarms.all, swarms);
      // Which swarm an unreadable torrent was can't be told: then none goes.
      await this.reconcile(problems.length > 0 ? { ...plan, removed: [] } : plan);
    } catch (error) {
      this.#kernel.log.error(errorText(error));
    }
  }

  #begin(record: SwarmRecord, source: SourceDescription, options?: BeginOptions): Swarm {
    const swarm = this.#create(record, source, options);
    swarm.start();
    return swarm;
  }

  #create(record: SwarmRecord, source: SourceDescription, options: BeginOptions = {}): Swarm {
    const { existing = "resume", force = false } = options;
    const tiers = [...source.tiers, ...record.trackers.map((url) => [url])];
    const swarm = new Swarm(this.#kernel, {
      record,
      id: source.id,
      name: source.name,
      info: source.info,
      tiers,
      sources: source.sources,
      nodes: source.nodes,
      existing,
      force,
      all: () => this.#swarms.all,
      wake: () => this.#swarms.wake(swarm),
    });
    this.#swarms.add(swarm);
    this.#kernel.tell(swarmAdded, { id: swarm.id, name: swarm.name, private: swarm.private });
    return swarm;
  }

  /** Runs what adds or removes a swarm, unless something of the kind is under way for it. */
  async #alone<T>(key: string, name: string, run: () => Promise<T>): Promise<T> {
    if (this.#busy.has(key)) throw new CommandError(`Cannot change "${name}": it is being added or removed`);
    const work = run().finally(() => this.#busy.delete(key));
    this.#busy.set(key, work);
    return await work;
  }
}

/** Refuses what the user names and nobody can ask; what a torrent names is shown, and not asked. */
function expectUsable(trackers: readonly string[] = []): void {
  try {
    for (const url of trackers) parseServiceUrl(url);
  } catch (error) {
    throw new CommandError(errorText(error));
  }
}
