/**
 * UDP trackers: announces and scrapes over `udp:`, on the port that all of UDP shares (BEP 15, 41).
 *
 * @module
 */
import { definePlugin, duration, integer, object, type PluginScope, trackerClients } from "weft";
import { UdpTrackerClient } from "./client.ts";

/** The entry's `with`. */
export interface TrackerUdpConfig {
  /** How long a tracker may take to answer, in milliseconds. */
  readonly timeout: number;
  /** The most peers to ask for in one announce. */
  readonly numwant: number;
}

// Every answer of a tracker begins with its action, a 32-bit number from 0 to 3.
const FIRST_BYTE = 0x00;

export default definePlugin({
  name: "tracker_udp",
  summary: "Announces to UDP trackers",
  config: object({
    // BEP 15 would go on for two hours. By then nobody waits: after two tries (at once and 15 seconds later) the next
    // tracker of the tier has its turn, as it has with HTTP, and this one is asked again with the announcer's backoff.
    timeout: duration({ default: "30s", min: "1s", max: "90s" }),
    numwant: integer({ default: 200, min: 1, max: 1000 }),
  }),
  example: { timeout: "20s", numwant: 100 },
  provides: ["trackers.client", "trackers.client:udp"],
  wants: ["private"],
  setup(plugin: PluginScope<TrackerUdpConfig>) {
    const { clock, random, net, udp, config } = plugin;
    const client = new UdpTrackerClient({ clock, random, net, udp, hold: () => plugin.hold(), ...config });
    plugin.defer(() => client.close(new Error("The plugin was retired")));
    plugin.use(udp.claim([FIRST_BYTE], (bytes, from) => client.take(bytes, from)));
    plugin.provide(trackerClients, "udp", client);
  },
});
