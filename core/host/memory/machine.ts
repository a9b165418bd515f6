import { NetError } from "../../api/mod.ts";
import type { MemoryHttpServer } from "./http.ts";
import type { FaultyDisk } from "./disk.ts";
import type { MemoryListener } from "./listener.ts";
import type { MemoryDatabases } from "./database.ts";
import type { Nat } from "./nat.ts";
import { PortTable } from "./ports.ts";
import type { DatagramReceiver } from "./receiver.ts";

/** What outlives a process: a machine's addresses, its disk and its databases; and who is bound to its ports now. */
export interface Machine {
  readonly name: string;
  readonly ips: readonly string[];
  readonly tcp: PortTable<MemoryListener | MemoryHttpServer>;
  readonly udp: PortTable<DatagramReceiver>;
  /** Unix sockets, by path. */
  readonly unix: Map<string, MemoryHttpServer>;
  readonly disk: FaultyDisk;
  readonly databases: MemoryDatabases;
  /** The router that it is behind. */
  nat?: Nat;
  /** How far its wall clock is off, in milliseconds. */
  wallOffset: number;
}

/** Whether `ip` means the machine itself, whichever machine that is. */
export function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

/** The address that packets from this machine to `to` carry. */
export function sourceIp(machine: Machine, to: string): string {
  if (isLoopback(to) || machine.ips.includes(to)) return to;
  const six = to.includes(":");
  const ip = machine.ips.find((own) => own.includes(":") === six);
  if (!ip) throw new NetError("unreachable", `Cannot reach "${to}": the machine has no IPv${six ? 6 : 4} address`);
  return ip;
}

/** Throws unless the machine owns the address that it is asked to bind. */
export function checkOwnAddress(machine: Machine, ip: string): void {
  if (ip === "::" || ip === "0.0.0.0" || isLoopback(ip) || machine.ips.includes(ip)) return;
  throw new NetError("io", `Cannot listen on "${ip}": the machine has no such address`);
}
