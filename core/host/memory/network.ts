import { isLoopback, type Machine } from "./machine.ts";
import type { MemoryMulticastSocket } from "./datagram_multicast.ts";
import type { SeededRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** One packet on its way. */
export interface Packet {
  /** Canonical IP texts. */
  readonly from: string;
  readonly to: string;
  /** Bytes, headers not counted. */
  readonly bytes: number;
  readonly kind: "stream" | "datagram";
}

/**
 * What a link does to a packet: milliseconds until it arrives, or undefined when it is lost (a stream sends it again).
 * Asked once for every packet, in order.
 */
export type Link = (packet: Packet) => number | undefined;

/** The one network that all hosts of a simulation share. */
export class MemoryNetwork {
  /** One-way delay of the default link, in milliseconds. */
  latency = 1;
  /** Replace it to give links loss, bandwidth or distance. */
  link: Link = () => this.latency;
  /** The name server: host name to IP texts, in the resolver's order. */
  readonly names = new Map<string, readonly string[]>();
  /** Who joined a multicast group, by its address and port. */
  readonly groups = new Map<string, Set<MemoryMulticastSocket>>();
  readonly #machines = new Map<string, Machine>();
  readonly #partitions = new Set<(from: string, to: string) => boolean>();

  constructor(readonly timeline: Timeline, readonly random: SeededRandom) {}

  add(machine: Machine): void {
    for (const ip of machine.ips) {
      if (this.#machines.has(ip)) throw new Error(`Cannot add host "${machine.name}": "${ip}" belongs to another`);
      this.#machines.set(ip, machine);
    }
  }

  /** Who answers for `ip`, as seen from `from`. */
  machineAt(ip: string, from: Machine): Machine | undefined {
    return isLoopback(ip) ? from : this.#machines.get(ip);
  }

  /** Loses everything between the two groups of hosts until the result is disposed. */
  partition(ones: readonly { ips: readonly string[] }[], others: readonly { ips: readonly string[] }[]): Disposable {
    const a = new Set(ones.flatMap(({ ips }) => ips));
    const b = new Set(others.flatMap(({ ips }) => ips));
    const cut = (from: string, to: string) => (a.has(from) && b.has(to)) || (b.has(from) && a.has(to));
    this.#partitions.add(cut);
    return { [Symbol.dispose]: () => void this.#partitions.delete(cut) };
  }

  /** Milliseconds until the packet arrives, or undefined when it is lost. */
  delay(packet: Packet): number | undefined {
    for (const cut of this.#partitions) if (cut(packet.from, packet.to)) return undefined;
    return this.link(packet);
  }
}
