/**
 * TCP: the transport that every BitTorrent client speaks.
 *
 * @module
 */
import {
  type ByteStream,
  definePlugin,
  object,
  type PluginNet,
  type PluginScope,
  type StreamListener,
  type Transport,
  transports,
} from "weft";

export default definePlugin({
  name: "tcp",
  summary: "Connects to peers and accepts them over TCP",
  config: object({}),
  example: {},
  provides: ["transports", "transports:tcp"],
  wants: ["private"],
  setup(plugin: PluginScope<Readonly<Record<never, never>>>) {
    plugin.provide(transports, "tcp", tcpTransport(plugin.net));
  },
});

/** The TCP transport over `net`. */
export function tcpTransport(net: PluginNet): Transport {
  return {
    dial: (address, signal, grant) => net.connect(address, signal, grant),
    async listen(at, accept) {
      const listener = await net.listen(at);
      void acceptAll(listener, accept);
      return { address: listener.address, close: () => listener.close() };
    },
  };
}

async function acceptAll(listener: StreamListener, accept: (stream: ByteStream) => void): Promise<void> {
  while (true) {
    let stream;
    try {
      stream = await listener.accept();
    } catch {
      return; // closed, by `close` or with everything else of the entry
    }
    accept(stream);
  }
}
