/** The composition root: plugins, swarms and store as one {@link Runtime}. @module */
export { type LogLine, type StartOptions, startRuntime } from "./runtime.ts";
