/**
 * `weft/testing`: what tests of plugins need. {@link startPlugin} puts one plugin on a bench; {@link SimSwarm} runs
 * whole runtimes against each other. Both live in a simulated world, with hosts, names, HTTP servers and a time of its
 * own, so that tests are fast, always the same, and touch neither network nor disk. Its network can be made as bad as
 * networks are ({@link LinkOptions}, {@link NatOptions}), and {@link simulate} runs a test for many seeds.
 *
 * @module
 */
export { loadedBuiltins } from "./loaded_builtins.ts";
export { sameFiles, type SimPeer, type SimPeerOptions, SimSwarm } from "./sim_swarm.ts";
export { parseSeeds, runSeeds, type Seeds, simulate } from "./simulate.ts";
export {
  type Attached,
  type DiscoveryRound,
  PluginBench,
  sampleId,
  startPlugin,
  type StartPluginOptions,
} from "./start_plugin.ts";
export { makeTorrent, noise, type SimTorrent, type TorrentOptions, writeFiles } from "./torrent.ts";
export { type WatchedHost, watchHost } from "./watched_host.ts";
export { serveHttp } from "./world.ts";
export {
  type AccessLink,
  createSimulation,
  type Link,
  type LinkCounts,
  type LinkOptions,
  type LinkRule,
  MemoryHost,
  MemoryNetwork,
  type NatOptions,
  type Packet,
  type PairLink,
  type Place,
  SeededRandom,
  Simulation,
} from "../../core/host/memory/mod.ts";
