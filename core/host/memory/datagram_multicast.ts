import { type MulticastOptions, NetError, type NetworkInterface } from "../../api/mod.ts";
import { parseIp, type PeerAddress, peerAddress } from "../../wire/mod.ts";
import { MemoryDatagramSocket } from "./datagram.ts";
import type { Life } from "./life.ts";
import { isLoopback, type Machine } from "./machine.ts";
import type { MemoryNetwork } from "./network.ts";
import type { GroupMember } from "./receiver.ts";

const LOOPBACK: NetworkInterface = {
  name: "lo",
  index: 1,
  ips: ["127.0.0.1", "::1"],
  loopback: true,
  tunnel: false,
};

/** A machine's interfaces: the loopback one, and one for each LAN that its addresses are on. */
export function interfacesOf({ ips }: Machine): NetworkInterface[] {
  const lans = Map.groupBy(ips, lanOf);
  return [
    LOOPBACK,
    ...[...lans.values()].map((ips, i) => ({ name: `eth${i}`, index: i + 2, ips, loopback: false, tunnel: false })),
  ];
}

/** A socket that joined a multicast group. A LAN is a /24 of IPv4 or a /64 of IPv6. */
export class MemoryMulticastSocket extends MemoryDatagramSocket implements GroupMember {
  /** Its addresses on the interfaces where it joined, one on each. */
  readonly #own: readonly string[];
  readonly #port: number;

  /** @throws {NetError} when no interface speaks the group's family */
  constructor({ group, port, interfaces }: MulticastOptions, network: MemoryNetwork, machine: Machine, life: Life) {
    const address = peerAddress(group, port);
    super(address, network, machine, life);
    const six = address.family === 6;
    // One without a name: whichever the system would take.
    const own = interfaces.map(({ name, ips }) => (name ? ips : machine.ips).find((ip) => ip.includes(":") === six));
    this.#own = own.filter((ip) => ip !== undefined);
    this.#port = machine.udp.ephemeral();
    if (this.#own.length === 0) {
      this.close();
      throw new NetError(
        "unreachable",
        `Cannot join "${address.key}": no interface has an IPv${address.family} address`,
      );
    }
    const members = network.groups.get(address.key) ?? new Set();
    network.groups.set(address.key, members.add(this));
  }

  protected override release(): void {
    const members = this.network.groups.get(this.address.key);
    members?.delete(this);
    if (members?.size === 0) this.network.groups.delete(this.address.key);
  }

  protected override launch(bytes: Uint8Array, to: PeerAddress): void {
    if (to.key !== this.address.key) {
      throw new NetError("denied", `Cannot send to ${to.key}: the socket sends to its group ${this.address.key} alone`);
    }
    const copy = bytes.slice();
    for (const ip of this.#own) {
      const from = peerAddress(ip, this.#port);
      for (const member of this.network.groups.get(to.key) ?? []) {
        const heard = member.hears(ip, this.machine);
        if (heard === undefined) continue;
        const packet = { from: ip, to: heard, bytes: copy.length, kind: "datagram" } as const;
        this.network.transmit(packet, () => member.arrive(copy, from));
      }
    }
  }

  hears(ip: string, sender: object): string | undefined {
    return this.#own.find((own) => isLoopback(ip) ? own === ip && sender === this.machine : lanOf(own) === lanOf(ip));
  }
}

function lanOf(ip: string): string {
  const { bytes } = parseIp(ip)!;
  return bytes.subarray(0, bytes.length === 4 ? 3 : 8).join(".");
}
