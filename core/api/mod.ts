/**
 * The contract: everything that a plugin may import, under the name `weft`.
 *
 * @module
 */
export * from "./block_source.ts";
export * from "./config_node.ts";
export * from "./control.ts";
export * from "./errors.ts";
export * from "./events.ts";
export * from "./extension.ts";
export * from "./hook.ts";
export * from "./hooks.ts";
export * from "./host.ts";
export * from "./plugin.ts";
export * from "./requests.ts";
export * from "./schema.ts";
export * from "./schema_shape.ts";
export * from "./schema_text.ts";
export * from "./settings.ts";
export * from "./suggest.ts";
export * from "./token_bucket.ts";
export * from "./tracker.ts";
export * from "./transport.ts";
export * from "./units.ts";
export * from "../wire/mod.ts";
