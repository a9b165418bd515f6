import assert from "node:assert/strict";
import { type AnnounceEvent, InfoHash, parsePeerAddress, torrentId, TrackerError } from "weft";
import { denoHost } from "../../core/host/deno/mod.ts";
import { opentracker } from "../../tests/support/clients/opentracker.ts";
import { UdpTrackerClient } from "./client.ts";

const known = InfoHash.parse("0123456789abcdef0123456789abcdef01234567");
const unknown = InfoHash.parse("f".repeat(40));
const loopback = { name: "loopback", ip: "127.0.0.1", command: (argv: readonly string[]): string[] => [...argv] };

const missing = await opentracker.available();
const required = Deno.env.get("CI") === "true" || Deno.env.get("WEFT_REQUIRE_CLIENTS") === "1";

Deno.test({
  name: `tracker_udp announces to a real opentracker and scrapes it${missing ? ` (cannot run here: ${missing})` : ""}`,
  ignore: missing !== undefined && !required,
  async fn() {
    if (missing) throw new Error(`Cannot run here: ${missing}`);
    const scratch = await Deno.makeTempDir();
    await Deno.chmod(scratch, 0o755); // the tracker reads it as another user
    try {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      listener.close();
      const { port } = listener.addr;
      await using _tracker = await opentracker.start({ site: loopback, port, scratch, infoHashes: [known.hex] });
      await announceAndScrape(new URL(`udp://127.0.0.1:${port}/announce`));
    } finally {
      await Deno.remove(scratch, { recursive: true });
    }
  },
});

async function announceAndScrape(url: URL): Promise<void> {
  const { net, clock, random } = denoHost();
  const socket = await net.datagrams({ ip: "127.0.0.1", port: 0 });
  const client = new UdpTrackerClient({
    ...{ net, clock, random, timeout: 5_000, numwant: 200, hold: () => ({ [Symbol.dispose]: () => {} }) },
    udp: { addresses: [socket.address], open: (to) => ({ to, send: (bytes) => (void socket.send(bytes, to), true) }) },
  });
  const receive = async (): Promise<void> => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2_048));
      client.take(bytes, from);
    }
  };
  const received = receive().catch(() => {});
  const { signal } = new AbortController();
  const announce = (name: string, port: number, left: number, event?: AnnounceEvent, infoHash = known) =>
    client.announce({
      ...{ url, id: torrentId({ v1: infoHash }), infoHash: infoHash.bytes, port, left, wanted: 50, key: 1 },
      ...{ peerId: new TextEncoder().encode(name.padEnd(20, "-")), uploaded: 0, downloaded: 0 },
      ...(event && { event }),
    }, signal);
  try {
    await announce("seed", 7001, 0, "started");
    const answer = await announce("leech", 7002, 100, "started");
    const both = ["127.0.0.1:7001", "127.0.0.1:7002"].map(parsePeerAddress);
    assert.deepEqual([...answer.peers].sort((a, b) => a.port - b.port), both);
    assert.deepEqual([answer.seeders, answer.leechers, answer.from], [1, 1, "127.0.0.1"]);
    assert.ok(answer.interval! >= 60_000);
    await announce("leech", 7002, 0, "completed");
    assert.deepEqual(await client.scrape({ url, infoHashes: [unknown.bytes, known.bytes] }, signal), [
      { seeders: 0, leechers: 0, completed: 0 },
      { seeders: 2, leechers: 0, completed: 1 },
    ]);
    await announce("leech", 7002, 0, "stopped");
    assert.equal((await client.scrape({ url, infoHashes: [known.bytes] }, signal))[0]?.seeders, 1);
    await assert.rejects(
      announce("leech", 7002, 1, "started", unknown),
      new TrackerError("The tracker gave no answer: it may not serve this torrent"),
    );
  } finally {
    socket.close();
    client.close(new Error("over"));
    await received;
  }
}
