/** Announces the swarms of the runtime on its own, also those that look for nobody: one timer for all. @module */
import { byteString, type PluginScope, type PublicSwarm, type Timer } from "weft";
import { AnnounceSchedule } from "./announce_schedule.ts";
import type { Found } from "./find_peers.ts";
import type { DhtNode } from "./node.ts";

// Without nodes there is nobody to announce to; how often to look (ms).
const ALONE_INTERVAL = 10_000;

export class Announcer {
  readonly #plugin: PluginScope<unknown>;
  readonly #node: DhtNode;
  readonly #schedule = new AnnounceSchedule();
  #timer: Timer | undefined;

  constructor(plugin: PluginScope<unknown>, node: DhtNode) {
    this.#plugin = plugin;
    this.#node = node;
    void node.joined.then(() => this.#arm(0));
  }

  /** A swarm is to be announced soon. */
  urge(swarm: PublicSwarm): void {
    const now = this.#plugin.clock.now();
    for (const { hex } of swarm.id.wireIds) this.#schedule.urge(now, hex);
    if (this.#timer) this.#arm(this.#schedule.nextAt - now);
  }

  /** A lookup found the nodes to announce to. */
  announce(found: readonly Found[], port: number, seed: boolean): void {
    for (const { infoHash, closest } of found) {
      this.#schedule.announced(this.#plugin.clock.now(), infoHash.hex);
      if (port > 0) void this.#node.announce(closest, byteString(infoHash.bytes), port, seed);
    }
  }

  #arm(milliseconds: number): void {
    if (this.#plugin.signal.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#plugin.clock.after(Math.max(0, milliseconds), () => this.#tick());
  }

  #tick(): void {
    const { clock, swarms } = this.#plugin;
    if (this.#node.machine.size === 0 || swarms.port === 0) return this.#arm(ALONE_INTERVAL);
    const due = this.#schedule.due(clock.now(), () => wireIds(swarms));
    if (due !== undefined) void this.#announceSwarm(due);
    this.#arm(this.#schedule.nextAt - clock.now());
  }

  async #announceSwarm(hex: string): Promise<void> {
    const { swarms, signal, clock } = this.#plugin;
    const swarm = swarms.get(hex);
    const infoHash = swarm?.id.wireIds.find((id) => id.hex === hex);
    if (!swarm || !infoHash) return;
    this.#schedule.announced(clock.now(), hex);
    try {
      const { closest } = await this.#node.lookup({ target: byteString(infoHash.bytes), method: "get_peers" }, signal);
      this.announce([{ infoHash, closest }], swarms.port, swarm.seeding);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function* wireIds(swarms: Iterable<PublicSwarm>): Generator<string> {
  for (const { id } of swarms) for (const { hex } of id.wireIds) yield hex;
}
