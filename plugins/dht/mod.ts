/**
 * The DHT (BEP 5, 32, 33, 42, 43, 44, 51): finds peers without a tracker, and is a node that others find theirs by.
 *
 * @module
 */
import {
  boolean,
  type Clock,
  definePlugin,
  dhtNodeNamed,
  dhtService,
  discoverPeers,
  type HostPort,
  hostPort,
  integer,
  list,
  object,
  oneOf,
  parseHostPort,
  type PluginScope,
  swarmAdded,
  swarmState,
  withDefault,
} from "weft";
import { Announcer } from "./announcer.ts";
import { findPeers } from "./find_peers.ts";
import { createDhtNode, type DhtConfig } from "./node.ts";

export { createDhtNode, DhtNode } from "./node.ts";

// Nodes keep peers for half an hour or more (ms); who found nobody asks sooner.
const AGAIN = 15 * 60_000;
const AGAIN_ALONE = 2 * 60_000;
// A round that comes right after the start waits this long for the first neighbours (ms).
const JOIN_PATIENCE = 10_000;
// With so many lookups under way or waiting, swarms are asked again in a while, each at another time (ms): a runtime may
// have thousands, all of them ask as it starts, and what the kernel has waited for a minute for it takes for a failure.
const MAX_LOOKUPS = 48;
const AGAIN_BUSY = 20_000;
const AGAIN_BUSY_SPREAD = 40_000;
// With fewer nodes, those that a torrent names are a way in.
const FEW_NODES = 8;

const BOOTSTRAP: readonly HostPort[] = [
  "router.bittorrent.com:6881",
  "dht.transmissionbt.com:6881",
  "router.utorrent.com:6881",
].map(parseHostPort);

export default definePlugin({
  name: "dht",
  summary: "Finds peers in the DHT, and is one of its nodes",
  config: object({
    bootstrap: list(hostPort(), { default: BOOTSTRAP, maxItems: 32 }),
    secure: withDefault(oneOf("off", "prefer", "require"), "prefer"),
    read_only: boolean({ default: false }),
    queries_per_address: integer({ default: 20, min: 1 }),
    queries: integer({ default: 200, min: 1 }),
  }),
  example: { bootstrap: ["router.example:6881", "192.0.2.7:6881"] },
  provides: ["peers.discover", "dht.service:dht"],
  egress: ({ bootstrap }: DhtConfig) =>
    bootstrap.map(({ host, port }) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`),
  async setup(plugin: PluginScope<DhtConfig>) {
    const node = await createDhtNode(plugin);
    plugin.provide(dhtService, "dht", {
      get port() {
        return plugin.config.read_only ? 0 : node.port;
      },
    });
    plugin.on(dhtNodeNamed, ({ address }) => node.named(address));
    const announcer = new Announcer(plugin, node);
    plugin.on(discoverPeers, async function* ({ id, port }, signal) {
      await within(node.joined, plugin.clock, JOIN_PATIENCE, signal);
      const swarm = plugin.swarms.get(id.key);
      const doors = node.machine.size < FEW_NODES ? await node.addressesOf(swarm?.nodes ?? []) : [];
      if (node.machine.lookups >= MAX_LOOKUPS) return { again: AGAIN_BUSY + plugin.random.below(AGAIN_BUSY_SPREAD) };
      const peers = findPeers(node, id.wireIds, signal, doors);
      let count = 0;
      for (;;) {
        const { done, value } = await peers.next();
        if (done) {
          // Asked anew: its metadata may have come meanwhile, and said that it is private.
          const present = plugin.swarms.get(id.key);
          if (present) announcer.announce(value, port, present.seeding);
          return { again: count > 0 ? AGAIN : AGAIN_ALONE };
        }
        count++;
        yield value;
      }
    });
    plugin.on(swarmAdded, async ({ id }) => {
      for (const address of await node.addressesOf(plugin.swarms.get(id.key)?.nodes ?? [])) node.named(address);
    });
    plugin.on(swarmState, ({ id, state }) => {
      const swarm = state === "seeding" ? plugin.swarms.get(id.key) : undefined;
      if (swarm) announcer.urge(swarm);
    });
  },
});

/** Waits for `done`, but no longer than so many milliseconds, or until `signal` aborts. */
async function within(done: Promise<void>, clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.after(milliseconds, resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    void done.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
