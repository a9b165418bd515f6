/**
 * PEX: peers tell each other whom they are connected to (BEP 11).
 *
 * @module
 */
import { definePlugin, object, type PluginScope, wireExtensions } from "weft";
import { Exchange } from "./exchange.ts";

export default definePlugin({
  name: "pex",
  summary: "Exchanges peers with the peers it is connected to",
  config: object({}),
  example: {},
  needs: ["transports"],
  provides: ["wire.extension", "wire.extension:ut_pex"],
  setup(plugin: PluginScope<Readonly<Record<never, never>>>) {
    const exchange: Exchange = new Exchange(plugin, plugin.carry("sessions", 1, () => exchange.save()));
    plugin.provide(wireExtensions, "ut_pex", { publicOnly: true, join: (peer) => exchange.join(peer) });
  },
});
