/**
 * The hook bus: an immutable table of what plugins attached, and the verbs that call it.
 *
 * @module
 */
export * from "./bus.ts";
export type { GatherAgain, Gathered } from "./gather.ts";
export * from "./registration.ts";
export * from "./table.ts";
