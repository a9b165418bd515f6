/**
 * Static peers: those that the user wrote in the profile, for every swarm or for one.
 *
 * @module
 */
import {
  definePlugin,
  discoverPeers,
  type HostPort,
  hostPort,
  InfoHash,
  isMagnet,
  list,
  object,
  optional,
  parseIp,
  parseMagnet,
  peerAddress,
  type PluginScope,
  scalar,
} from "weft";

/** The entry's `with`. */
export interface PeersConfig {
  readonly peers: readonly HostPort[];
  /** Wire ids (hex) of the one swarm that the peers are for; for all if not given. */
  readonly swarm?: readonly string[] | undefined;
}

// Names may come to stand for other addresses; milliseconds.
const AGAIN = 5 * 60_000;

const swarm = scalar("an info-hash in hex or a magnet link", (value): readonly string[] => {
  const text = String(value);
  return isMagnet(text) ? parseMagnet(text).id.wireIds.map(({ hex }) => hex) : [InfoHash.parse(text).hex];
});

export default definePlugin({
  name: "peers",
  summary: "Names the peers that the profile lists",
  config: object({ peers: list(hostPort(), { maxItems: 1000 }), swarm: optional(swarm) }),
  example: { peers: ["192.0.2.7:6881", "peer.example:6881"] },
  provides: ["peers.discover"],
  egress: ({ peers }: PeersConfig) =>
    peers.map(({ host, port }) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`),
  setup(plugin: PluginScope<PeersConfig>) {
    const { config, net, log } = plugin;
    plugin.on(discoverPeers, async function* ({ id }) {
      if (config.swarm && !id.wireIds.some(({ hex }) => config.swarm!.includes(hex))) return;
      for (const { host, port } of config.peers) {
        try {
          const ips = parseIp(host) ? [host] : await net.resolve(host);
          for (const ip of ips) yield { address: peerAddress(ip, port) };
        } catch (error) {
          log.warn(`Cannot resolve "${host}": ${error instanceof Error ? error.message : error}`);
        }
      }
      return { again: AGAIN };
    });
  },
});
