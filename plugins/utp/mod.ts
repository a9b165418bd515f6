/**
 * uTP (BEP 29): streams over the shared UDP port that make way for everything else.
 *
 * @module
 */
import {
  definePlugin,
  ipScope,
  type NetworkInterface,
  object,
  type PeerAddress,
  type PluginNet,
  type PluginScope,
  type Transport,
  transports,
} from "weft";
import { Endpoint } from "./endpoint.ts";
import { FIRST_BYTES } from "./packet.ts";

export default definePlugin({
  name: "utp",
  summary: "Connects to peers and accepts them over uTP, which makes way for other traffic",
  config: object({}),
  example: {},
  provides: ["transports", "transports:utp"],
  wants: ["private"],
  setup(plugin: PluginScope<Readonly<Record<never, never>>>) {
    plugin.provide(transports, "utp", utpTransport(plugin));
  },
});

/** The uTP transport over a plugin's UDP port. */
export function utpTransport(
  plugin: Pick<PluginScope, "clock" | "random" | "udp" | "hold" | "defer"> & {
    readonly net: Pick<PluginNet, "interfaces">;
  },
): Transport {
  const { clock, random, udp, net } = plugin;
  let interfaces: readonly NetworkInterface[] = [];
  const look = async (): Promise<void> => {
    interfaces = await net.interfaces().catch(() => []);
  };
  const endpoint = new Endpoint({
    clock,
    random,
    udp,
    hold: () => plugin.hold(),
    local: (remote) => localAddress(remote, udp.addresses, interfaces),
  });
  plugin.defer(() => endpoint.close(new Error("uTP stops")));
  udp.claim(FIRST_BYTES, (bytes, from) => endpoint.takeKnown(bytes, from));
  // What begins a connection may look like a packet of one that an older generation has: 16 bits tell them apart.
  udp.claim(FIRST_BYTES, (bytes, from) => endpoint.takeNew(bytes, from), { last: true });
  return {
    async dial(address, signal, grant) {
      await look();
      return await endpoint.dial(address, signal, grant);
    },
    async listen(at, accept) {
      await look();
      const listening = endpoint.listen(accept);
      const family = at.ip.includes(":") ? 6 : 4;
      // The kernel binds the port, once all have said what they need.
      const planned = { ...at, family, key: family === 4 ? `${at.ip}:${at.port}` : `[${at.ip}]:${at.port}` } as const;
      return {
        get address() {
          const own = udp.addresses.find(({ ip }) => ip === at.ip) ?? udp.addresses[0];
          return at.port === 0 ? own ?? planned : planned;
        },
        close: () => listening[Symbol.dispose](),
      };
    },
  };
}

/** Where `remote` sees us: one of our IPs that is as near as it is, or at least the port. */
function localAddress(
  remote: PeerAddress,
  bound: readonly PeerAddress[],
  interfaces: readonly NetworkInterface[],
): PeerAddress {
  const own = bound.find(({ family }) => family === remote.family) ?? bound[0] ?? { ...remote, port: 0 };
  if (ipScope(own.ip) !== "unspecified") return own;
  const ips = interfaces.flatMap(({ ips }) => ips).filter((ip) => ip.includes(":") === (remote.family === 6));
  const scope = ipScope(remote.ip);
  const ip = ips.find((ip) => ipScope(ip) === scope) ?? ips.find((ip) => ipScope(ip) !== "loopback");
  const { port } = own;
  return ip === undefined
    ? own
    : { ip, port, family: remote.family, key: remote.family === 4 ? `${ip}:${port}` : `[${ip}]:${port}` };
}
