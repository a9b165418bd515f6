/**
 * The built-in plugins, by the name that a profile calls them. The imports are literal, so that `deno compile` embeds
 * them, and lazy, so that only those in use are loaded.
 *
 * @module
 */
import type { Plugin } from "weft";

/** Loads a built-in plugin. */
export type LoadBuiltin = () => Promise<{ readonly default: Plugin }>;

/** Built-in plugins by name. */
export const builtins: Readonly<Record<string, LoadBuiltin>> = {
  tcp: () => import("./tcp/mod.ts"),
  utp: () => import("./utp/mod.ts"),
  mse: () => import("./mse/mod.ts"),
  tracker_http: () => import("./tracker_http/mod.ts"),
  tracker_udp: () => import("./tracker_udp/mod.ts"),
  lpd: () => import("./lpd/mod.ts"),
  peers: () => import("./peers/mod.ts"),
  tracker_server: () => import("./tracker_server/mod.ts"),
  pex: () => import("./pex/mod.ts"),
  metadata: () => import("./metadata/mod.ts"),
  holepunch: () => import("./holepunch/mod.ts"),
  dht: () => import("./dht/mod.ts"),
};
