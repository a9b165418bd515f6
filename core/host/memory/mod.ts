/**
 * A world in one process and in simulated time, for tests: hosts with addresses, disks and databases on one network.
 *
 * @module
 */
export { createSimulation, Simulation } from "./simulation.ts";
export { MemoryHost } from "./host.ts";
export { MemoryDisk } from "./disk.ts";
export type { DiskOperation, FaultRule } from "./disk.ts";
export { MemoryNetwork } from "./network.ts";
export type { LinkRule } from "./network.ts";
export type { Link, LinkCounts, LinkOptions, Packet } from "./link.ts";
export type { AccessLink, PairLink, Place } from "./links.ts";
export type { NatOptions } from "./nat.ts";
export { SeededRandom } from "./random.ts";
export { MemoryTerminal } from "./terminal.ts";
