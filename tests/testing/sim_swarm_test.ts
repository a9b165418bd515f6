import assert from "node:assert/strict";
import { definePlugin, discoverPeers, object, parsePeerAddress, type PluginScope, string } from "weft";
import { sameFiles, SimSwarm } from "./sim_swarm.ts";
import { makeTorrent } from "./torrent.ts";

const torrent = makeTorrent({ length: 300_000 });

/** A source that asks a web server; each generation is remembered. */
function roster(generations: PluginScope[]) {
  return definePlugin({
    name: "roster",
    config: object({ url: string() }),
    setup(plugin: PluginScope<{ readonly url: string }>) {
      generations.push(plugin);
      plugin.on(discoverPeers, async function* (_, signal) {
        const answer = await plugin.net.fetch(plugin.config.url, { signal });
        for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
      });
    },
  });
}

Deno.test("a simulated swarm finds its peers through a plugin and a web server of the same world", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent);
  const asked: string[] = [];
  await swarm.serve("peers.example", ({ url }) => {
    asked.push(url);
    return Response.json([seed.address]);
  });
  const leech = await swarm.peer("leech", {
    plugins: { roster: roster([]) },
    profile: { plugins: [{ use: "tcp" }, { use: "roster", with: { url: "https://peers.example/list" } }] },
  });
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  assert.deepEqual(asked, ["https://peers.example/list"]);
  assert.ok(leech.events.some(({ event }) => event === "swarm.completed"));
});

Deno.test("reload() replaces a plugin when its profile or the version of its code changes, else nothing", async () => {
  await using swarm = new SimSwarm(1);
  const generations: PluginScope[] = [];
  const options = (url: string, version: string) => ({
    plugins: { roster: roster(generations) },
    versions: { roster: version },
    profile: { plugins: [{ use: "tcp" }, { use: "roster", with: { url } }] },
  });
  const peer = await swarm.peer("peer", options("http://a.example/", "1"));
  assert.deepEqual(await swarm.reload(peer, options("http://a.example/", "1")), { changes: [] });
  for (const [url, version] of [["http://b.example/", "1"], ["http://b.example/", "2"]]) {
    const { changes } = await swarm.reload(peer, options(url, version));
    assert.deepEqual(changes.map(({ action, what }) => `${action} ${what}`), ["replace plugin roster"]);
  }
  await swarm.simulation.run(1_000);
  assert.deepEqual(generations.map(({ signal }) => signal.aborted), [true, true, false]);
});

Deno.test("name() makes a name resolve, and no more", async () => {
  await using swarm = new SimSwarm(1);
  const host = swarm.simulation.host("one");
  swarm.name("Peer.example", "192.0.2.7");
  assert.deepEqual(await swarm.simulation.complete(host.net.resolve("peer.example")), ["192.0.2.7"]);
  swarm.name("peer.example");
  await assert.rejects(swarm.simulation.complete(host.net.resolve("peer.example")), /no such host/);
});
