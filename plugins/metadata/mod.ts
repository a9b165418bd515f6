/**
 * Metadata: what a magnet link lacks is fetched from peers, and served to them (BEP 9).
 *
 * @module
 */
import { definePlugin, object, type PluginScope, resolveMetadata, wireExtensions } from "weft";
import { MetadataExchange } from "./exchange.ts";

export default definePlugin({
  name: "metadata",
  summary: "Fetches what magnet links lack from peers, and serves it",
  config: object({}),
  example: {},
  needs: ["transports"],
  provides: ["metadata.resolve", "wire.extension", "wire.extension:ut_metadata"],
  wants: ["private"],
  setup(plugin: PluginScope<Readonly<Record<never, never>>>) {
    const exchange: MetadataExchange = new MetadataExchange(plugin);
    plugin.provide(wireExtensions, "ut_metadata", { bringsMetadata: true, join: (peer) => exchange.join(peer) });
    plugin.on(resolveMetadata, ({ id }, signal) => exchange.resolve(id, signal));
  },
});
