/** Makes a running Weft follow its profile. @module */
import {
  type Clock,
  ConfigError,
  type Disk,
  errorText,
  type PlanChange,
  type ReloadPlan,
  type Settings,
  type Timer,
} from "../api/mod.ts";

/** Editors write a file in several steps; milliseconds without a further one until it is read. */
export const SETTLE_TIME = 300;

/** How a reload ended: with these changes, or refused for these problems. */
export type ReloadOutcome =
  | { readonly changes: readonly PlanChange[]; readonly problems?: undefined }
  | { readonly problems: readonly string[]; readonly changes?: undefined };

/** What a {@link Reloader} needs. */
export interface ReloaderOptions {
  readonly clock: Clock;
  readonly disk: Pick<Disk, "watch">;
  /** The profile's path, absolute. */
  readonly profile: string;
  /** What runs at the start. */
  readonly settings: Settings;
  /** Reload when the profile, or a file of one of its plugins, changes. */
  readonly watch: boolean;
  /** Reads the profile; tells `seen` the files of plugins that can't be loaded. */
  read(seen: (file: string) => void): Promise<Settings>;
  /** Makes the settings what runs. */
  apply(settings: Settings): Promise<ReloadPlan>;
  /** Tells people how a reload ended. */
  tell(outcome: ReloadOutcome): void;
  /** The files can't be watched, and why. */
  cannotWatch(reason: string): void;
}

/**
 * Reads the profile again and makes it what runs: when asked, and by itself when a file changes. One reload runs at a
 * time; whatever asks for one meanwhile gets one more, which sees every change up to then.
 */
export class Reloader implements Disposable {
  readonly #options: ReloaderOptions;
  #settings: Settings;
  /** Files of plugins that couldn't be loaded the last time: they are mended there. */
  #broken = new Set<string>();
  #watched = "";
  #watch: Disposable | undefined;
  #settling: Timer | undefined;
  #running: Promise<ReloadPlan> | undefined;
  #next: Promise<ReloadPlan> | undefined;
  /** Somebody waits for the outcome of the next reload to run: it is told even if it is nothing new. */
  #asked = false;
  /** What was wrong the last time. */
  #problems = "";
  #disposed = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#watchFiles();
  }

  /**
   * Reloads because somebody asks for it.
   *
   * @throws {ConfigError} with every mistake; what runs goes on
   */
  reload(): Promise<ReloadPlan> {
    this.#asked = true;
    return this.#enqueue();
  }

  /** Stops watching; a reload that runs is not told any more. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#settling?.cancel();
    this.#watch?.[Symbol.dispose]();
  }

  #enqueue(): Promise<ReloadPlan> {
    if (!this.#next && !this.#running) return this.#begin();
    return this.#next ??= this.#running!.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
  }

  #begin(): Promise<ReloadPlan> {
    const asked = this.#asked;
    this.#asked = false;
    // What it would have waited for is seen now.
    this.#settling?.cancel();
    this.#running = this.#run(asked).finally(() => this.#running = undefined);
    return this.#running;
  }

  async #run(asked: boolean): Promise<ReloadPlan> {
    const { read, apply } = this.#options;
    this.#broken = new Set();
    try {
      const settings = await read((file) => this.#broken.add(file));
      const plan = await apply(settings);
      this.#settings = settings;
      this.#tell({ changes: plan.changes }, asked);
      return plan;
    } catch (error) {
      this.#tell({ problems: error instanceof ConfigError ? error.problems : [errorText(error)] }, asked);
      throw error;
    } finally {
      this.#watchFiles();
    }
  }

  /** Watchers see more than edits: the same problems are told once, and that nothing changed only after problems. */
  #tell(outcome: ReloadOutcome, asked: boolean): void {
    const problems = outcome.problems?.join("\n") ?? "";
    const isNews = outcome.changes?.length || problems !== this.#problems;
    this.#problems = problems;
    if (!this.#disposed && (asked || isNews)) this.#options.tell(outcome);
  }

  /** The files may be others after a reload. */
  #watchFiles(): void {
    const { disk, profile, watch, cannotWatch } = this.#options;
    if (!watch || this.#disposed) return;
    const files = new Set([profile, ...this.#settings.plugins.flatMap(({ files }) => files), ...this.#broken]);
    const key = JSON.stringify([...files].sort());
    if (key === this.#watched) return;
    this.#watched = key;
    const before = this.#watch;
    try {
      this.#watch = disk.watch([...files], () => this.#changed());
    } catch (error) {
      this.#watch = undefined;
      cannotWatch(errorText(error));
    }
    before?.[Symbol.dispose]();
    // What was edited after it was read, and before it was watched, is seen by reading once more.
    if (this.#watch) this.#changed();
  }

  #changed(): void {
    if (this.#disposed) return;
    this.#settling?.cancel();
    // A failure was told.
    this.#settling = this.#options.clock.after(SETTLE_TIME, () => void this.#enqueue().catch(() => {}));
  }
}
