import assert from "node:assert/strict";
import {
  type AnnounceRequest,
  encode,
  encodePeers4,
  InfoHash,
  peerAddress,
  type PluginNet,
  torrentId,
  TrackerError,
} from "weft";
import { createPluginNet } from "../../core/net/plugin_net.ts";
import { Egress } from "../../core/net/egress.ts";
import { createSimulation, type Simulation } from "../../core/host/memory/mod.ts";
import { httpTracker } from "./mod.ts";

const hash = InfoHash.parse("0123456789abcdef0123456789abcdef01234567");
const config = { timeout: 30_000, user_agent: "Weft/test", numwant: 80 };
const signal = new AbortController().signal;

function request(url: string, change: Partial<AnnounceRequest> = {}): AnnounceRequest {
  return {
    url: new URL(url),
    id: torrentId({ v1: hash }),
    infoHash: hash.bytes,
    peerId: new Uint8Array(20).fill(65),
    port: 6881,
    uploaded: 0,
    downloaded: 0,
    left: 1,
    wanted: 200,
    key: 1,
    ...change,
  };
}

/** A client on one host, a tracker that answers with `answer` on another. */
async function withTracker(
  answer: (request: Request) => Response | Promise<Response>,
  run: (client: ReturnType<typeof httpTracker>, simulation: Simulation) => Promise<void>,
): Promise<void> {
  using simulation = createSimulation({ seed: 1 });
  const [host, tracker] = [simulation.host("host"), simulation.host("tracker", "203.0.113.1")];
  simulation.network.names.set("t.example", ["203.0.113.1"]);
  await simulation.complete(tracker.net.serve({ ip: "0.0.0.0", port: 80 }, answer));
  const net: PluginNet = createPluginNet({ host, egress: new Egress({ allow: [] }), scopeSignal: signal });
  await run(httpTracker({ net, clock: host.clock, config }), simulation);
}

Deno.test("tracker_http announces over the network and says who answered", async () => {
  const seen: [string, string | null][] = [];
  const peers = [peerAddress("203.0.113.5", 6881)];
  await withTracker((request) => {
    seen.push([new URL(request.url).search, request.headers.get("user-agent")]);
    return new Response(new Uint8Array(encode({ interval: 60, peers: encodePeers4(peers) })));
  }, async (client, simulation) => {
    const answer = await simulation.complete(client.announce(request("http://t.example/announce"), signal));
    assert.deepEqual(answer, { peers, interval: 60_000, from: "203.0.113.1" });
    assert.match(seen[0][0], /^\?info_hash=%01%23Eg.*&numwant=80&key=00000001$/);
    assert.equal(seen[0][1], "Weft/test");
  });
});

Deno.test("tracker_http gives up after its timeout, or when told to", async () => {
  await withTracker(() => new Promise(() => {}), async (client, simulation) => {
    const slow = client.announce(request("http://t.example/announce"), signal);
    await assert.rejects(simulation.complete(slow), new TrackerError('Tracker "t.example" did not answer within 30 s'));
    assert.equal(Math.round(simulation.now / 1000), 30);
    const controller = new AbortController();
    const stopped = assert.rejects(client.announce(request("http://t.example/announce"), controller.signal), /enough/);
    await simulation.run(1000);
    controller.abort(new Error("enough"));
    await stopped;
    assert.equal(simulation.pendingTimers, 0);
  });
});

Deno.test("tracker_http gives up after its timeout on an answer that comes byte by byte", async () => {
  let sent = 0;
  const answer = (simulation: () => Simulation): Response =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise<void>((resolve) => simulation().clock.after(1_000, resolve));
          controller.enqueue(Uint8Array.of(100));
          sent++;
        },
      }),
    );
  let world: Simulation;
  await withTracker(() => answer(() => world), async (client, simulation) => {
    world = simulation;
    const slow = client.announce(request("http://t.example/announce"), signal);
    await assert.rejects(simulation.complete(slow), /did not answer within 30 s/);
    assert.ok(sent > 20 && sent < 32, `${sent} bytes were sent`);
  });
});

Deno.test("tracker_http shows a refusal that comes with an HTTP error, else the status", async () => {
  await withTracker(
    ({ url }) =>
      url.includes("/known/")
        ? new Response(new Uint8Array(encode({ "failure reason": "unregistered torrent", "retry in": "never" })), {
          status: 403,
        })
        : new Response("<html>", { status: 502 }),
    async (client, simulation) => {
      const announce = (url: string) => simulation.complete(client.announce(request(url), signal));
      await assert.rejects(
        announce("http://t.example/known/announce"),
        new TrackerError("unregistered torrent", { retry: "never", answer: { peers: [] } }),
      );
      await assert.rejects(
        announce("http://t.example/announce"),
        new TrackerError('Tracker "t.example" answered with HTTP status 502'),
      );
    },
  );
});

Deno.test("tracker_http refuses a reply larger than 1 MiB", async () => {
  await withTracker(() => new Response(new Uint8Array(2 ** 20 + 1)), async (client, simulation) => {
    const answer = client.announce(request("http://t.example/announce"), signal);
    await assert.rejects(simulation.complete(answer), /larger than 1048576 bytes/);
  });
});

Deno.test("tracker_http scrapes many swarms, 64 at a time, in order", async () => {
  const hashes = Array.from({ length: 100 }, (_, i) => new Uint8Array(20).fill(i));
  const sizes: number[] = [];
  await withTracker((request) => {
    const { search } = new URL(request.url);
    const asked = search.slice(1).split("&");
    sizes.push(asked.length);
    const first = hashes[sizes.length === 1 ? 0 : 64];
    const files = new Map([[String.fromCharCode(...first), { complete: 5, incomplete: sizes.length, downloaded: 9 }]]);
    return new Response(new Uint8Array(encode({ files })));
  }, async (client, simulation) => {
    const answers = await simulation.complete(
      client.scrape!({ url: new URL("http://t.example/announce"), infoHashes: hashes }, signal),
    );
    assert.deepEqual(sizes, [64, 36]);
    assert.equal(answers.length, 100);
    assert.deepEqual(answers[0], { seeders: 5, leechers: 1, completed: 9 });
    assert.deepEqual(answers[64], { seeders: 5, leechers: 2, completed: 9 });
    assert.equal(answers[1], undefined);
    await assert.rejects(
      client.scrape!({ url: new URL("http://t.example/a"), infoHashes: hashes }, signal),
      /Cannot scrape "t.example"/,
    );
  });
});

Deno.test("tracker_http doesn't ask one tracker for thousands of swarms at once, and asks for all of them soon", async () => {
  let [now, most] = [0, 0];
  let wait = (): Promise<void> => Promise.resolve();
  await withTracker(async () => {
    most = Math.max(most, ++now);
    await wait();
    now--;
    return new Response(new Uint8Array(encode({ interval: 60, peers: encodePeers4([]) })));
  }, async (client, simulation) => {
    wait = () => new Promise((resolve) => simulation.clock.after(300, resolve));
    const all = Array.from({ length: 2_000 }, () => client.announce(request("http://t.example/announce"), signal));
    await simulation.complete(Promise.all(all));
    assert.equal(most, 32);
    assert.ok(simulation.now < 60_000, `it took ${simulation.now} ms`);
  });
});
