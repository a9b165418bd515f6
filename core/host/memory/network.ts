import { NetError } from "../../api/mod.ts";
import { type Hop, type LinkOptions, type Packet, sizeOf } from "./link.ts";
import { type AccessLink, cross, Links, type PairLink, type Path, type Place } from "./links.ts";
import { isLoopback, type Machine } from "./machine.ts";
import { Nat, type NatOptions } from "./nat.ts";
import type { SeededRandom } from "./random.ts";
import type { GroupMember } from "./receiver.ts";
import type { Timeline } from "./timeline.ts";

/**
 * A rule of a test's own for packets that no link is made for: milliseconds until a packet arrives, or undefined when it
 * is lost (a stream sends it again). Asked once for every packet, in order.
 */
export type LinkRule = (packet: Packet) => number | undefined;

/**
 * The one network that all hosts of a simulation share. Unless told otherwise it carries every packet in 1 ms and loses
 * none.
 *
 * A packet passes the sender's access link up, then the link between the two hosts, then the receiver's access link down;
 * at each it may wait, be delayed, and get lost. What a host sends to itself passes none.
 */
export class MemoryNetwork {
  /** One-way delay where no link says otherwise, and of names being resolved, in milliseconds. */
  latency = 1;
  /** What happens between hosts that no link connects; replace it where {@link LinkOptions} don't do. */
  link: LinkRule = () => this.latency;
  /** The name server: host name to IP texts, in the resolver's order. */
  readonly names = new Map<string, readonly string[]>();
  /** Who joined a multicast group, by its address and port. */
  readonly groups = new Map<string, Set<GroupMember>>();
  readonly #machines = new Map<string, Machine>();
  readonly #partitions = new Set<(from: string, to: string) => boolean>();

  readonly #links: Links;

  /** @param seed what the randomness of links follows from */
  constructor(readonly timeline: Timeline, readonly random: SeededRandom, seed: number | string) {
    const rest: Hop = {
      mtu: Infinity,
      oversize: "drop",
      pass: (packet, arrive, lost) => this.#pass(packet, arrive, lost),
    };
    this.#links = new Links(timeline, seed, rest);
  }

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

  /** Puts a host behind a router that lets nobody in, as {@link Nat} says, until the result is disposed. */
  nat(host: { readonly ips: readonly string[] }, options: NatOptions = {}): Disposable {
    const machine = this.#machines.get(host.ips[0])!;
    const nat = machine.nat = new Nat(options);
    return { [Symbol.dispose]: () => void (machine.nat === nat && (machine.nat = undefined)) };
  }

  /**
   * Links two hosts, both ways: with their own bandwidth and queue, which all traffic between them shares. It replaces
   * the link that they had.
   *
   * @param back the way from `b` to `a`, if it differs
   * @throws {Error} when an option is out of range, or `a` is `b`
   */
  connect(a: Place, b: Place, options: LinkOptions, back: LinkOptions = options): PairLink {
    return this.#links.connect(a, b, options, back);
  }

  /**
   * Gives a host an access link, which all of its traffic shares: what it sends passes `up`, what it gets `down`.
   *
   * @throws {Error} when an option is out of range
   */
  access(host: Place, options: { readonly up?: LinkOptions; readonly down?: LinkOptions }): AccessLink {
    return this.#links.access(host, options);
  }

  /**
   * Links all hosts that {@link connect} doesn't, each two with a link of their own.
   *
   * @throws {Error} when an option is out of range
   */
  everywhere(options: LinkOptions): Disposable {
    return this.#links.everywhere(options);
  }

  /** The links from one address to another; undefined where there are none, and only {@link delay} holds. */
  path(from: string, to: string): Path | undefined {
    if (!this.#links.any || isLoopback(to)) return undefined;
    const [sender, receiver] = [this.#machines.get(from), this.#machines.get(to)];
    if (sender === receiver) return undefined;
    return this.#links.path(sender?.name ?? from, receiver?.name ?? to);
  }

  /**
   * Sends a packet. `arrive` is called when it arrives, twice when a link duplicates it; `lost` once it is lost.
   *
   * @throws {NetError} when it is a datagram that a link on its way refuses
   */
  transmit(packet: Packet, arrive: () => void, lost: () => void = () => {}): void {
    const path = this.path(packet.from, packet.to);
    if (path && packet.kind === "datagram" && sizeOf(packet) > path.limit) {
      throw new NetError("io", `Cannot send ${packet.bytes} bytes to ${packet.to}: message too long (EMSGSIZE)`);
    }
    if (this.#isCut(packet)) lost();
    else if (path) cross(path.hops, packet, arrive, lost);
    else this.#pass(packet, arrive, lost);
  }

  /** Milliseconds until a packet that passes no link arrives, or undefined when it is lost. */
  delay(packet: Packet): number | undefined {
    return this.#isCut(packet) ? undefined : this.link(packet);
  }

  #pass(packet: Packet, arrive: () => void, lost: () => void): void {
    const delay = this.link(packet);
    if (delay === undefined) lost();
    else this.timeline.after(delay, arrive);
  }

  #isCut({ from, to }: Packet): boolean {
    for (const cut of this.#partitions) if (cut(from, to)) return true;
    return false;
  }
}
