/** What is kept of a swarm: its record, its sums, and saving both. @module */
import type { StateStore, SwarmRecord, SwarmStatistics } from "../store/mod.ts";
import { RateMeter } from "./rate_limit.ts";

// Statistics are saved so often while they change (ms).
const SAVE_INTERVAL = 30_000;

export class Ledger {
  readonly down = new RateMeter();
  readonly up = new RateMeter();
  readonly #state: StateStore;
  readonly #failed: (error: unknown) => void;
  #record: SwarmRecord;
  #wasted = 0;
  #seedTime = 0;
  #seedingSince: number | undefined;
  #saveAt = 0;
  #savedSum = 0;

  /** `failed` is told when something can't be saved; the swarm goes on. */
  constructor(state: StateStore, record: SwarmRecord, failed: (error: unknown) => void) {
    this.#state = state;
    this.#record = record;
    this.#failed = failed;
  }

  /** As it was saved last, but for the sums, which {@link Ledger.statistics} has. */
  get record(): SwarmRecord {
    return this.#record;
  }

  /** Sums over the swarm's whole life. */
  statistics(now: number): SwarmStatistics {
    const { uploaded, downloaded, wasted, seedTime, completed } = this.#record;
    const seeding = this.#seedingSince === undefined ? 0 : now - this.#seedingSince;
    return {
      uploaded: uploaded + this.up.total,
      downloaded: downloaded + this.down.total,
      wasted: wasted + this.#wasted,
      seedTime: seedTime + this.#seedTime + seeding,
      completed,
    };
  }

  wasted(bytes: number): void {
    this.#wasted += bytes;
  }

  /** The swarm seeds from now on, or no longer does. */
  seeding(seeds: boolean, now: number): void {
    if (this.#seedingSince !== undefined) this.#seedTime += now - this.#seedingSince;
    this.#seedingSince = seeds ? now : undefined;
  }

  /** The last wanted piece came. `wall` is milliseconds since the epoch. */
  async completed(wall: number, now: number): Promise<void> {
    this.#record = { ...this.#record, completed: this.#record.completed ?? wall };
    await this.save(now);
  }

  async change(change: Partial<SwarmRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    await this.#state.saveSwarm(this.#record).catch(this.#failed);
  }

  async save(now: number): Promise<void> {
    this.#savedSum = this.#sum;
    await this.#state.saveStatistics(this.#record.key, this.statistics(now)).catch(this.#failed);
  }

  /** The sums changed since they were saved. */
  get unsaved(): boolean {
    return this.#sum !== this.#savedSum;
  }

  /** Saves now and then, while there is something new. */
  tick(now: number): void {
    if (now < this.#saveAt || !this.unsaved) return;
    this.#saveAt = now + SAVE_INTERVAL;
    void this.save(now);
  }

  get #sum(): number {
    return this.down.total + this.up.total + this.#wasted + this.#seedTime;
  }
}
