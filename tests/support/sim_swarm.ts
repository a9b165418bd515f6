/** Where the simulated swarm is offered to plugin authors: see there. @module */
export * from "../testing/sim_swarm.ts";
export * from "../testing/torrent.ts";
