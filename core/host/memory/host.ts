import type { Clock, Host } from "../../api/mod.ts";
import { MemoryDb } from "./database.ts";
import { MemoryDisk } from "./disk.ts";
import { Life } from "./life.ts";
import type { Machine } from "./machine.ts";
import { MemoryNet } from "./net.ts";
import type { MemoryNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";

// A date that simulations start at, so that what is printed and stored is the same every time.
const WALL_START = Date.UTC(2026, 0, 1);

/** One process on one machine of a simulation. */
export class MemoryHost implements Host {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly net: MemoryNet;
  readonly disk: MemoryDisk;
  readonly db: MemoryDb;
  readonly #life = new Life();
  readonly #machine: Machine;
  readonly #network: MemoryNetwork;

  constructor(machine: Machine, network: MemoryNetwork) {
    const life = this.#life;
    const { timeline } = network;
    this.#machine = machine;
    this.#network = network;
    this.clock = {
      now: () => timeline.now,
      wall: () => wallTime(machine, network),
      after: (milliseconds, run) => timeline.after(milliseconds, () => life.alive && run()),
      turn: () => new Promise((resolve) => void timeline.after(0, () => life.alive && resolve())),
    };
    this.random = new SeededRandom(`${machine.name} ${network.random.uint32()}`);
    this.net = new MemoryNet(network, machine, life);
    this.disk = new MemoryDisk(machine.disk, life);
    this.db = new MemoryDb(machine.databases, life);
  }

  get name(): string {
    return this.#machine.name;
  }

  /** The machine's addresses, canonical texts. Every machine also has a loopback of its own. */
  get ips(): readonly string[] {
    return this.#machine.ips;
  }

  /** The first address. */
  get ip(): string {
    return this.#machine.ips[0];
  }

  /** False once it was killed. */
  get alive(): boolean {
    return this.#life.alive;
  }

  /**
   * kill -9: nothing that its code awaits settles any more, no timer fires, its streams are reset, its listeners and
   * locks are gone. Files and what was committed stay for {@link restart}.
   */
  kill(): void {
    if (this.alive) this.#life.end();
  }

  /** Kills it and starts another process on the same machine: use the result from now on. */
  restart(): MemoryHost {
    this.kill();
    return new MemoryHost(this.#machine, this.#network);
  }

  /** Sets the machine's wall clock forward or back. */
  jumpWall(milliseconds: number): void {
    this.#machine.wallOffset += milliseconds;
  }

  /** A request to one of its Unix sockets, as a tool on the same machine would send it. */
  async request(path: string, request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    return await this.net.http({
      url: new URL(request.url),
      method: request.method === "POST" ? "POST" : "GET",
      headers: Object.fromEntries(request.headers),
      body: body.length > 0 ? body : undefined,
      connectTo: { path },
      signal: request.signal,
    });
  }
}

/** What a machine's wall clock shows, in milliseconds since the epoch. */
export function wallTime(machine: { wallOffset: number }, network: MemoryNetwork): number {
  return WALL_START + network.timeline.now + machine.wallOffset;
}
