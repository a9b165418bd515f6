/**
 * Local Service Discovery (BEP 14): finds peers on the same network, and is found, by multicast.
 *
 * @module
 */
import {
  configReloaded,
  definePlugin,
  discoverPeers,
  list,
  object,
  type PluginScope,
  ProtocolError,
  string,
  swarmAdded,
  swarmState,
  type SwarmsView,
  type Timer,
} from "weft";
import { Lan } from "./lan.ts";
import { Neighbours } from "./neighbours.ts";
import { type AnnounceAges, AnnounceSchedule } from "./schedule.ts";
import { LpdSource } from "./source.ts";

/** The entry's `with`. */
export interface LpdConfig {
  /** Names of the interfaces to use; without any, all that have neighbours. */
  readonly interfaces: readonly string[];
}

// Swarms that come together are announced together (ms).
const SETTLE = 300;
// Until the port or a network is there (ms).
const RETRY = 2_000;
// Nobody on the network can guess it, so nobody can have their announces taken for ours.
const COOKIE_BYTES = 8;

/** What the next generation goes on with. */
interface Carried {
  readonly cookie: string;
  readonly ages: AnnounceAges;
  /** The port that was announced. */
  readonly port: number;
}

export default definePlugin({
  name: "lpd",
  summary: "Finds peers on the local network",
  config: object({ interfaces: list(string(), { default: [], maxItems: 100 }) }),
  example: {},
  provides: ["peers.discover"],
  setup(plugin: PluginScope<LpdConfig>) {
    const { clock, random, swarms } = plugin;
    const carried = plugin.carry<Carried>("lpd", 1, (): Carried => ({
      cookie,
      ages: schedule.ages(clock.now()),
      port,
    }));
    const cookie: string = carried?.cookie ?? hexOf(random.bytes(COOKIE_BYTES));
    const schedule = new AnnounceSchedule(clock.now(), carried?.ages);
    const neighbours = new Neighbours(cookie);
    const source = new LpdSource({ clock, swarms, neighbours });
    let port = carried?.port ?? 0;
    let timer: Timer | undefined;
    let wakeAt = Infinity;

    const wake = (at: number): void => {
      if (at >= wakeAt) return;
      timer?.cancel();
      wakeAt = at;
      timer = clock.after(Math.max(0, at - clock.now()), announce);
    };
    const wakeSoon = (): void => wake(clock.now() + SETTLE);
    const announce = (): void => {
      const now = clock.now();
      wakeAt = Infinity;
      if (swarms.port === 0 || !lan.joined) return wake(now + RETRY);
      if (swarms.port !== port) schedule.repeat(now);
      port = swarms.port;
      const { announces, next } = schedule.poll(now, wireIdsOf(swarms));
      for (const infoHashes of announces) lan.send({ port, infoHashes, cookie });
      wake(next);
    };
    const lan = new Lan(plugin, plugin.config.interfaces, {
      heard: (bytes, from) => {
        const now = clock.now();
        try {
          for (const neighbour of neighbours.handleDatagram(now, bytes, from, (hex) => swarms.get(hex) !== undefined)) {
            source.appeared(neighbour);
            const at = schedule.answer(now, neighbour.hex, random.below(1000) / 1000);
            if (at !== undefined) wake(at);
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error; // what is no announce is none of our business
        }
      },
      changed: () => {
        schedule.repeat(clock.now());
        wakeSoon();
      },
    });

    plugin.on(discoverPeers, (request, signal) => source.discover(request, signal));
    plugin.on(swarmAdded, wakeSoon);
    plugin.on(swarmState, wakeSoon); // such as one that was paused
    plugin.on(configReloaded, wakeSoon); // perhaps with another port
    plugin.defer(() => source.close());
    void lan.run().then(wakeSoon);
  },
});

function* wireIdsOf(swarms: SwarmsView): Generator<string> {
  for (const { id } of swarms) for (const { hex } of id.wireIds) yield hex;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
