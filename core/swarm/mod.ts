/**
 * Swarms: one torrent's life each, its peers, sessions, pieces and trackers.
 *
 * @module
 */
export type { Kernel } from "./kernel.ts";
export type { NamedSource } from "./pieces/sources.ts";
export { Pacer } from "./pacer.ts";
export { RateLimiter } from "./rate_limit.ts";
export { ReadBuffers } from "./session/read_buffers.ts";
export { selectionProblem } from "./pieces/selection.ts";
export { detailOf, snapshotOf } from "./snapshot.ts";
export { Swarm, type SwarmOptions } from "./swarm.ts";
export { Swarms } from "./swarms.ts";
