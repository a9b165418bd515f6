import { type DatagramSocket, type MulticastOptions, NetError, type NetworkInterface } from "../../../api/mod.ts";
import { ipScope, parseIp, type PeerAddress, peerAddress } from "../../../wire/mod.ts";
import { DenoDatagramSocket } from "./datagram.ts";
import { netError } from "./error.ts";

/** Where the system chooses the interface. */
const UNLISTED: NetworkInterface = { name: "", index: 0, ips: [], loopback: false, tunnel: false };
// What tunnels and loopback have for a hardware address.
const NO_MAC = "00:00:00:00:00:00";
// Linux numbers the loopback interface so.
const LOOPBACK_INDEX = 1;

/** The interfaces that are up, or {@link UNLISTED} without the permission: Weft never asks on the terminal. */
export function listInterfaces(): readonly NetworkInterface[] {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  if (state !== "granted") return [UNLISTED];
  const found: NetworkInterface[] = [];
  for (const [name, addresses] of Map.groupBy(Deno.networkInterfaces(), ({ name }) => name)) {
    const ips = addresses.flatMap(({ address }) => parseIp(address)?.text ?? []);
    if (ips.length === 0) continue;
    const loopback = ips.some((ip) => ipScope(ip) === "loopback");
    // Only its link-local address names the interface by its number.
    const index = loopback ? LOOPBACK_INDEX : Math.max(0, ...addresses.map(({ scopeid }) => scopeid ?? 0));
    found.push({ name, index, ips, loopback, tunnel: !loopback && addresses.every(({ mac }) => mac === NO_MAC) });
  }
  return found;
}

/** See `HostNet.multicast`. */
export async function joinGroup({ group, port, interfaces }: MulticastOptions): Promise<DatagramSocket> {
  const address = peerAddress(group, port);
  // Bound to the group, Linux and macOS give it nothing else; Windows can't bind there.
  const any = address.family === 4 ? "0.0.0.0" : "::";
  const socket = open(Deno.build.os === "windows" ? any : address.ip, address);
  const senders: Deno.DatagramConn[] = [];
  let failure: unknown;
  for (const each of interfaces) {
    try {
      if (!await join(socket, each, address)) continue;
      senders.push(open(senderHost(each, address), { ...address, port: 0 }));
    } catch (error) {
      failure = error;
    }
  }
  if (senders.length > 0) return new DenoMulticastSocket(address, socket, senders);
  socket.close();
  if (failure !== undefined) throw netError(failure, `join "${address.key}"`);
  throw new NetError("unreachable", `Cannot join "${address.key}": no interface has an IPv${address.family} address`);
}

/** Whether the interface speaks the group's family: it hears the group then. */
async function join(socket: Deno.DatagramConn, { name, index, ips }: NetworkInterface, to: PeerAddress) {
  if (to.family === 4) {
    const own = name ? ips.find((ip) => !ip.includes(":")) : "0.0.0.0";
    if (own !== undefined) await socket.joinMulticastV4(to.ip, own);
    return own !== undefined;
  }
  const speaks = !name || index > 0 && ips.some((ip) => ip.includes(":"));
  if (speaks) await socket.joinMulticastV6(to.ip, index);
  return speaks;
}

/**
 * What a socket binds to so that multicast leaves by one interface: Deno can't set that. For IPv4 it is the interface's
 * address. An IPv6 address doesn't choose the interface, but a name after "%" does, which only link-local addresses
 * take. Bound to a link-local group, the system still chooses a source that others can reach.
 */
function senderHost({ name, ips }: NetworkInterface, { family }: PeerAddress): string {
  if (family === 4) return name ? ips.find((ip) => !ip.includes(":"))! : "0.0.0.0";
  return name ? `ff02::efc0:988f%${name}` : "::";
}

/** Fails without the permission, where Deno would ask on the terminal. */
function open(hostname: string, { port }: { port: number }): Deno.DatagramConn {
  const [ip] = hostname.split("%");
  const host = `${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
  if (Deno.permissions.querySync({ name: "net", host }).state !== "granted") {
    throw new NetError("denied", `Cannot listen on UDP "${host}": it needs the flag --allow-net`);
  }
  try {
    return Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: true, loopback: true });
  } catch (error) {
    throw netError(error, `listen on UDP "${hostname}" port ${port}`);
  }
}

/** Hears a group with one socket, and sends to it with one for each interface. */
class DenoMulticastSocket extends DenoDatagramSocket {
  readonly #senders: readonly Deno.DatagramConn[];

  constructor(
    override readonly address: PeerAddress,
    socket: Deno.DatagramConn,
    senders: readonly Deno.DatagramConn[],
  ) {
    super(socket);
    this.#senders = senders;
  }

  override async send(bytes: Uint8Array, to: PeerAddress): Promise<void> {
    if (to.key !== this.address.key) {
      throw new NetError("denied", `Cannot send to ${to.key}: the socket sends to its group ${this.address.key} alone`);
    }
    const target = { transport: "udp", hostname: to.ip, port: to.port } as const;
    const sent = await Promise.allSettled(this.#senders.map((sender) => sender.send(bytes, target)));
    if (sent.some(({ status }) => status === "fulfilled")) return;
    throw this.failure((sent[0] as PromiseRejectedResult).reason, "send to");
  }

  override close(): void {
    if (this.closed) return;
    super.close();
    for (const sender of this.#senders) sender.close();
  }
}
