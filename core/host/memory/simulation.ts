import type { Clock } from "../../api/mod.ts";
import { parseIp } from "../../wire/mod.ts";
import { MemoryDatabases } from "./database.ts";
import { DiskTree } from "./disk_tree.ts";
import { MemoryHost, wallTime } from "./host.ts";
import type { Machine } from "./machine.ts";
import { MemoryNetwork } from "./network.ts";
import { PortTable } from "./ports.ts";
import { SeededRandom } from "./random.ts";
import { Timeline } from "./timeline.ts";

// A simulated hour: what should happen and hasn't by then never will.
const DEFAULT_LIMIT = 3_600_000;

/**
 * A world in one process, in simulated time: the same seed gives the same events in the same order.
 *
 * Time stands still unless `run`, `runUntil`, `complete` or `settle` is awaited; then it jumps from one timer to the
 * next, with all microtasks run between them.
 */
export class Simulation {
  readonly random: SeededRandom;
  readonly network: MemoryNetwork;
  readonly clock: Clock;
  readonly #timeline = new Timeline();
  readonly #machines: Machine[] = [];

  constructor(readonly seed: number) {
    this.random = new SeededRandom(seed);
    this.network = new MemoryNetwork(this.#timeline, new SeededRandom(`network ${seed}`), seed);
    this.clock = {
      now: () => this.now,
      wall: () => wallTime({ wallOffset: 0 }, this.network),
      after: (milliseconds, run) => this.#timeline.after(milliseconds, run),
      turn: () => this.#timeline.turn(),
    };
  }

  /** Milliseconds since the simulation began. */
  get now(): number {
    return this.#timeline.now;
  }

  /** Timers that have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#timeline.pending;
  }

  /** A new machine with a process on it. Without `ips` (texts), it gets a public IPv4 address of its own. */
  host(name: string, ...ips: string[]): MemoryHost {
    if (ips.length === 0) {
      ips = [parseIp(name)?.text ?? `20.0.${this.#machines.length >> 8}.${(this.#machines.length & 255) + 1}`];
    }
    const wall = () => wallTime(machine, this.network);
    const sleep = (milliseconds: number) =>
      new Promise<void>((resolve) => void this.#timeline.after(milliseconds, resolve));
    const machine: Machine = {
      name,
      ips: ips.map(canonical),
      tcp: new PortTable(),
      udp: new PortTable(),
      unix: new Map(),
      disk: { tree: new DiskTree(wall), rules: new Set(), capacity: Infinity, latency: 0, sleep, wall },
      databases: new MemoryDatabases(),
      wallOffset: 0,
    };
    this.network.add(machine);
    this.#machines.push(machine);
    return new MemoryHost(machine, this.network);
  }

  /** Lets `milliseconds` pass. */
  async run(milliseconds: number): Promise<void> {
    await this.#timeline.advance(this.now + milliseconds, () => false);
  }

  /** Runs what is due now, without letting time pass. */
  async settle(): Promise<void> {
    await this.run(0);
  }

  /** Lets time pass until `predicate` holds; throws when it doesn't within `limitMs` or when nothing is left to do. */
  async runUntil(predicate: () => boolean, { limitMs = DEFAULT_LIMIT }: { limitMs?: number } = {}): Promise<void> {
    if (await this.#timeline.advance(this.now + limitMs, predicate)) return;
    throw new Error(`Simulation stopped at ${this.now} ms: what was waited for did not happen`);
  }

  /** Lets time pass until `work` settles, and returns what it resolves to. */
  async complete<T>(work: Promise<T>, options?: { limitMs?: number }): Promise<T> {
    let settled = false;
    const mark = () => void (settled = true);
    work.then(mark, mark);
    await this.runUntil(() => settled, options);
    return await work;
  }

  /** Holds time still until `work` settles: for what really runs elsewhere, such as `crypto.subtle`. */
  hold<T>(work: Promise<T>): Promise<T> {
    return this.#timeline.hold(work);
  }

  /** Frees the databases. */
  [Symbol.dispose](): void {
    for (const machine of this.#machines) machine.databases.dispose();
  }
}

/** A simulated world. Whatever happens in it follows from `seed` and from what the test does. */
export function createSimulation({ seed }: { seed: number }): Simulation {
  return new Simulation(seed);
}

function canonical(ip: string): string {
  const parsed = parseIp(ip);
  if (!parsed) throw new Error(`Cannot add a host: "${ip}" is no IP address`);
  return parsed.text;
}
