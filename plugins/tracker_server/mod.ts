/**
 * A tracker, over HTTP and UDP at one port.
 *
 * @module
 */
import {
  bindAddress,
  boolean,
  type Clock,
  type DatagramSocket,
  definePlugin,
  duration,
  InfoHash,
  integer,
  list,
  object,
  optional,
  type PluginScope,
  scalar,
  type Schema,
} from "weft";
import { CARRIED_VERSION, restorePeers, savePeers } from "./carried.ts";
import { CONNECTION_SECRET_LENGTH } from "./connection_id.ts";
import { HttpTracker } from "./http.ts";
import { Tracker } from "./tracker.ts";
import { UdpTracker } from "./udp.ts";

const config = object({
  listen: bindAddress({ default: "[::]:6969" }),
  udp: boolean({ default: true }),
  interval: duration({ default: "30m", min: "30s", max: "1d" }),
  min_interval: duration({ default: "1m", min: "1s", max: "1d" }),
  numwant: integer({ default: 200, min: 1, max: 1_000 }),
  max_peers: integer({ default: 1_000_000, min: 1, max: 2 ** 24 }),
  peers_per_address: integer({ default: 5_000, min: 1 }),
  requests_per_second: integer({ default: 50, min: 1, max: 1_000_000 }),
  allow: optional(list(infoHash(), { maxItems: 100_000 })),
});
type Config = typeof config extends Schema<infer C> ? C : never;

// How often peers that announce no more are looked for, and how many are removed at a time (about a millisecond).
const SWEEP_INTERVAL = 10_000;
const SWEEP_SLICE = 250;
// The largest datagram there is.
const MAX_DATAGRAM = 65_536;
// Datagrams taken in a row before everybody else has a turn.
const RUN = 64;
// Replies that wait for the system; more are lost, as datagrams are, so that a flood can't fill memory.
const MAX_UNSENT = 1_000;

export default definePlugin({
  name: "tracker_server",
  summary: "Is a tracker: HTTP and UDP at one port",
  config,
  example: { listen: "[::]:6969", interval: "30m", allow: ["0123456789abcdef0123456789abcdef01234567"] },
  async setup(plugin: PluginScope<Config>) {
    const { clock, random, net, log, config } = plugin;
    const tracker = new Tracker({
      interval: config.interval,
      minInterval: Math.min(config.min_interval, config.interval),
      maxWanted: config.numwant,
      maxPeers: config.max_peers,
      peersPerAddress: config.peers_per_address,
      requestsPerSecond: config.requests_per_second,
      allow: config.allow && new Set(config.allow),
    }, random);
    const kept = plugin.carry("peers", CARRIED_VERSION, () => savePeers(clock.now(), tracker));
    if (kept) await restorePeers(clock.now(), tracker, kept, () => clock.turn());
    const secret: Uint8Array = plugin.carry("connections", 1, () => secret) ?? random.bytes(CONNECTION_SECRET_LENGTH);
    const udp = new UdpTracker(tracker, random, secret);

    const began = clock.now();
    const http: HttpTracker = new HttpTracker({
      tracker,
      clock,
      statistics: () => ({
        uptime: Math.floor((clock.now() - began) / 1_000),
        ...tracker.statistics(),
        http: http.figures,
        udp: udp.figures,
      }),
    });
    const { address } = await net.serve(config.listen, http.handle);
    if (config.udp) {
      const socket = await net.datagrams({ ...config.listen, port: address!.port });
      void answer(plugin, socket, udp);
    }
    sweep(clock, tracker);
    log.info(`a tracker at http://${address!.key}/announce${config.udp ? `, and udp://${address!.key}` : ""}`);
  },
});

/** Answers datagrams until the socket closes. */
async function answer({ clock, log, signal }: PluginScope, socket: DatagramSocket, udp: UdpTracker): Promise<void> {
  const buffer = new Uint8Array(MAX_DATAGRAM);
  let unsent = 0;
  for (let run = 1; !signal.aborted; run++) {
    try {
      const { bytes, from } = await socket.receive(buffer);
      const reply = udp.handle(clock.now(), bytes, from);
      if (reply && unsent < MAX_UNSENT) {
        unsent++;
        socket.send(reply, from).catch(() => {}).finally(() => unsent--);
      }
      if (run % RUN === 0) await clock.turn();
    } catch (error) {
      if (signal.aborted) return;
      // Such as what an earlier reply met on its way: it says nothing of the socket.
      log.debug(`UDP: ${error instanceof Error ? error.message : error}`);
      await clock.turn();
    }
  }
}

/** Removes peers that announce no more, now and then, a few at a time. */
function sweep(clock: Clock, tracker: Tracker): void {
  clock.after(SWEEP_INTERVAL, async () => {
    while (tracker.expire(clock.now(), SWEEP_SLICE) === SWEEP_SLICE) await clock.turn();
    sweep(clock, tracker);
  });
}

/** The info-hash of a torrent, as hex. */
function infoHash(): Schema<string> {
  return scalar("an info-hash of 40 hex digits", (value) => InfoHash.parse(String(value)).hex);
}
