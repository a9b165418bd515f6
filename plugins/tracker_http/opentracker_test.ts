import assert from "node:assert/strict";
import { type AnnounceEvent, type AnnounceRequest, InfoHash, torrentId, TrackerError } from "weft";
import { createPluginNet } from "../../core/net/plugin_net.ts";
import { denoHost } from "../../core/host/deno/mod.ts";
import { createSimulation } from "../../core/host/memory/mod.ts";
import { Egress } from "../../core/net/egress.ts";
import { opentracker } from "../../tests/support/clients/opentracker.ts";
import { httpTracker } from "./mod.ts";

const known = InfoHash.parse("0123456789abcdef0123456789abcdef01234567");
const unknown = InfoHash.parse("f".repeat(40));
const loopback = { name: "loopback", ip: "127.0.0.1", command: (argv: readonly string[]): string[] => [...argv] };

const missing = await opentracker.available();
const required = Deno.env.get("CI") === "true" || Deno.env.get("WEFT_REQUIRE_CLIENTS") === "1";

Deno.test({
  name: `tracker_http announces to a real opentracker and scrapes it${missing ? ` (cannot run here: ${missing})` : ""}`,
  ignore: missing !== undefined && !required,
  async fn() {
    if (missing) throw new Error(`Cannot run here: ${missing}`);
    const scratch = await Deno.makeTempDir();
    await Deno.chmod(scratch, 0o755); // the tracker reads it as another user
    try {
      const port = freePort();
      await using tracker = await opentracker.start({ site: loopback, port, scratch, infoHashes: [known.hex] });
      await announceAndScrape(new URL(tracker.url));
    } finally {
      await Deno.remove(scratch, { recursive: true });
    }
  },
});

async function announceAndScrape(url: URL): Promise<void> {
  using simulation = createSimulation({ seed: 1 });
  const signal = new AbortController().signal;
  const net = createPluginNet({
    host: denoHost(),
    egress: new Egress({ allow: [url.host] }),
    scopeSignal: signal,
  });
  const config = { timeout: 30_000, user_agent: "Weft/test", numwant: 200 };
  const client = httpTracker({ net, clock: simulation.clock, config });
  const announce = (name: string, port: number, left: number, event?: AnnounceEvent, infoHash = known) => {
    const peerId = new TextEncoder().encode(name.padEnd(20, "-"));
    const id = torrentId({ v1: infoHash });
    const request: AnnounceRequest = {
      ...{ url, id, infoHash: infoHash.bytes, peerId, port, left, uploaded: 0, downloaded: 0, wanted: 50, key: 1 },
      ...(event && { event }),
    };
    return client.announce(request, signal);
  };

  await announce("seed", 7001, 0, "started");
  const answer = await announce("leech", 7002, 100, "started");
  assert.deepEqual(answer.peers.map(({ key }) => key).sort(), ["127.0.0.1:7001", "127.0.0.1:7002"]);
  assert.deepEqual([answer.seeders, answer.leechers, answer.from], [1, 1, "127.0.0.1"]);
  assert.ok(answer.interval! >= 60_000 && answer.minInterval! <= answer.interval!);

  await announce("leech", 7002, 0, "completed");
  assert.deepEqual(await client.scrape!({ url, infoHashes: [unknown.bytes, known.bytes] }, signal), [
    undefined,
    { seeders: 2, leechers: 0, completed: 1 },
  ]);
  await announce("leech", 7002, 0, "stopped");
  assert.equal((await client.scrape!({ url, infoHashes: [known.bytes] }, signal))[0]?.seeders, 1);
  await assert.rejects(
    announce("leech", 7002, 1, "started", unknown),
    (error) => error instanceof TrackerError && /not authorized/.test(error.message),
  );
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
