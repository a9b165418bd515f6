import { definePlugin, discoverPeers, duration, object, parsePeerAddress, url } from "weft";

/** Asks a web server for peers, which answers with a JSON list of addresses such as `"192.0.2.7:6881"`. */
export default definePlugin({
  name: "roster",
  summary: "Asks a web server for peers",
  config: object({
    url: url({ schemes: ["http:", "https:"] }),
    every: duration({ default: "5m", min: "30s" }),
  }),
  example: { url: "https://peers.example/list", every: "10m" },
  provides: ["peers.discover"],
  egress: ({ url }) => [new URL(url).host], // the user named it, so it may stand on the local network
  setup(plugin) {
    plugin.on(discoverPeers, async function* ({ id }, signal) {
      const query = new URL(plugin.config.url);
      query.searchParams.set("info_hash", id.hex);
      const answer = await plugin.net.fetch(query, { signal });
      if (!answer.ok) throw new Error(`${query.host} answered with status ${answer.status}`);
      for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
      return { again: plugin.config.every };
    });
  },
});
