/** The composition root: plugins, swarms and store as one {@link Runtime}. @module */
export { startOrder } from "./order.ts";
export { planEntries } from "./plan.ts";
export { planSwarms, type ProfileSwarm, readProfileSwarms } from "./profile_swarms.ts";
export { type LogLine, type StartOptions, startRuntime } from "./runtime.ts";
