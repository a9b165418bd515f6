import assert from "node:assert/strict";
import {
  type AnnounceRequest,
  type DatagramSocket,
  decodeUdpTrackerRequest,
  encodeUdpTrackerReply,
  parsePeerAddress,
  type PeerAddress,
  trackerClients,
  TrackerError,
  type UdpAnnounceRequest,
  type UdpTrackerReply,
  type UdpTrackerRequest,
} from "weft";
import { createSimulation, type MemoryHost, type Simulation } from "../../core/host/memory/mod.ts";
import { sampleId, startPlugin } from "../../tests/testing/mod.ts";
import { UdpTrackerClient } from "./client.ts";
import trackerUdp from "./mod.ts";

const HASH = sampleId.wireIds[0].bytes;
const never = new AbortController().signal;
const four = [parsePeerAddress("198.51.100.7:6881"), parsePeerAddress("198.51.100.8:6881")];
const six = [parsePeerAddress("[2001:db8::7]:6881")];

type Answer = (request: UdpTrackerRequest, from: PeerAddress) => UdpTrackerReply | undefined;

const answers: Answer = (request, { family }) => {
  const { transactionId } = request;
  if (request.action === "connect") return { action: "connect", transactionId, connectionId: 0x0102n };
  if (request.action === "announce") {
    const peers = family === 4 ? four : six;
    return { action: "announce", transactionId, interval: 1800, leechers: peers.length, seeders: 5, peers };
  }
  return {
    action: "scrape",
    transactionId,
    swarms: request.infoHashes.map(([first]) => ({ seeders: first, completed: 1, leechers: 2 })),
  };
};

/** A UDP tracker on a host; `seen` has what it was sent. */
async function serve(simulation: Simulation, host: MemoryHost, ip: string, answer: Answer = answers) {
  const socket: DatagramSocket = await simulation.complete(host.net.datagrams({ ip, port: 6969 }));
  const seen: UdpTrackerRequest[] = [];
  const loop = async (): Promise<void> => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2048));
      const request = decodeUdpTrackerRequest(bytes.slice());
      seen.push(request);
      const reply = answer(request, from);
      if (reply) await socket.send(encodeUdpTrackerReply(reply, from.family), from);
    }
  };
  void loop().catch(() => {});
  return seen;
}

function request(url: string, change: Partial<AnnounceRequest> = {}): AnnounceRequest {
  return {
    ...{ url: new URL(url), id: sampleId, infoHash: HASH, peerId: new Uint8Array(20).fill(65), port: 6881 },
    ...{ uploaded: 3, downloaded: 2, left: 1, wanted: 500, key: 0xfedcba98 },
    ...change,
  };
}

/** The plugin, and a world with a tracker on both families. */
async function bench(options: { allow?: readonly string[]; answer?: Answer; ip4?: string } = {}) {
  const simulation = createSimulation({ seed: 1 });
  const host = simulation.host("me", "20.0.0.1", "2001:db8:1::1");
  const trackerHost = simulation.host("tracker", options.ip4 ?? "203.0.113.1", "2001:db8:2::1");
  simulation.network.names.set("t.example", [options.ip4 ?? "203.0.113.1", "2001:db8:2::1"]);
  simulation.network.names.set("four.example", [options.ip4 ?? "203.0.113.1"]);
  const plugin = await startPlugin(trackerUdp, { simulation, host, with: { numwant: 80 }, allow: options.allow });
  const { bus } = plugin;
  const client = bus.get(trackerClients, "udp")!;
  const announce = (url: string, change?: Partial<AnnounceRequest>, signal = never) =>
    plugin.complete(client.announce(request(url, change), signal));
  const tracker = (ip = "0.0.0.0", answer = options.answer) => serve(simulation, trackerHost, ip, answer);
  return { simulation, plugin, client, announce, tracker };
}

Deno.test("tracker_udp announces all that it is told, with the URL's path, and reads the answer", async () => {
  const { plugin, announce, tracker } = await bench();
  await using _ = plugin;
  const seen = await tracker();
  const answer = await announce("udp://four.example:6969/announce?passkey=1#x", { event: "started" });
  assert.deepEqual(answer, { peers: four, interval: 1_800_000, seeders: 5, leechers: 2, from: "203.0.113.1" });
  const { transactionId: _id, ...sent } = seen[1] as UdpAnnounceRequest;
  assert.deepEqual(sent, {
    ...{ action: "announce", connectionId: 0x0102n, infoHash: HASH, peerId: new Uint8Array(20).fill(65) },
    ...{ downloaded: 2, left: 1, uploaded: 3, event: "started", ip: 0, key: 0xfedcba98, wanted: 80, port: 6881 },
    urlData: "/announce?passkey=1",
  });
});

Deno.test("tracker_udp shows a refusal, a name that doesn't resolve, and a URL that names no port", async () => {
  const { plugin, announce, tracker } = await bench({
    answer: (asked, from) =>
      asked.action === "connect"
        ? answers(asked, from)
        : { action: "error", transactionId: asked.transactionId, message: "unregistered torrent" },
  });
  await using _ = plugin;
  await tracker();
  await assert.rejects(announce("udp://four.example:6969"), new TrackerError("unregistered torrent"));
  await assert.rejects(
    announce("udp://nowhere.example:6969"),
    /Cannot ask tracker "nowhere.example:6969": Cannot resolve/,
  );
  await assert.rejects(announce("udp://four.example/announce"), /"four.example": its URL must have a host and a port/);
});

Deno.test("tracker_udp gives up after its timeout and says who was silent", async () => {
  const { simulation, plugin, announce, tracker } = await bench({ answer: () => undefined });
  await using _ = plugin;
  const seen = await tracker();
  await assert.rejects(
    announce("udp://four.example:6969/announce"),
    new TrackerError('Tracker "four.example:6969" (203.0.113.1:6969) did not answer within 30 s'),
  );
  assert.equal(Math.round(simulation.now / 1000), 30);
  assert.deepEqual(seen.map(({ action }) => action), ["connect", "connect"]);
});

Deno.test("tracker_udp asks an address that was silent last", async () => {
  const { simulation, plugin, announce, tracker } = await bench();
  await using _ = plugin;
  await tracker();
  simulation.network.names.set("two.example", ["203.0.113.99", "203.0.113.1"]);
  await assert.rejects(announce("udp://two.example:6969"), /203.0.113.99:6969\) did not answer/);
  assert.equal((await announce("udp://two.example:6969")).from, "203.0.113.1");
});

Deno.test("tracker_udp refuses what the egress guard refuses, and says what would allow it", async () => {
  for (const [ip, words] of [["127.0.0.1", '"loopback" or "127.0.0.1"'], ["10.0.0.9", '"private" or "10.0.0.9"']]) {
    const refused = await bench({ ip4: ip === "10.0.0.9" ? ip : undefined });
    await using _ = refused.plugin;
    const seen = await refused.tracker();
    await assert.rejects(
      refused.announce(`udp://${ip}:6969/announce`),
      new TrackerError(`Cannot send to ${ip}:6969: it is not allowed here; list ${words} under egress.allow`),
    );
    assert.equal(seen.length, 0);
  }
  const allowed = await bench({ ip4: "10.0.0.9", allow: ["four.example:6969"] });
  await using _ = allowed.plugin;
  await allowed.tracker();
  assert.equal((await allowed.announce("udp://FOUR.example:6969/announce")).from, "10.0.0.9");
});

Deno.test("tracker_udp can't announce over IPv6 where only IPv4 is listened on, and needs it not", async () => {
  const { plugin, announce, tracker } = await bench();
  await using _ = plugin;
  await tracker();
  assert.deepEqual((await announce("udp://t.example:6969")).peers, four);
  await assert.rejects(announce("udp://[2001:db8:2::1]:6969"), /no IPv6 address is listened on, see "listen"/);
});

Deno.test("tracker_udp stops when told to, also while a name is looked up, and leaves nothing", async () => {
  const { simulation, plugin, client, tracker } = await bench({ answer: () => undefined });
  await using _ = plugin;
  await tracker();
  const before = plugin.open();
  for (const wait of [0, 5, 1_000]) {
    const controller = new AbortController();
    const stopped = assert.rejects(client.announce(request("udp://four.example:6969"), controller.signal), /enough/);
    await simulation.run(wait);
    controller.abort(new Error("enough"));
    await stopped;
    assert.deepEqual(plugin.open(), before);
  }
});

Deno.test("tracker_udp scrapes many swarms, 74 at a time, in order", async () => {
  const { plugin, client, tracker } = await bench();
  await using _ = plugin;
  const seen = await tracker();
  const hashes = Array.from({ length: 100 }, (_, i) => new Uint8Array(20).fill(i));
  const figures = await plugin.complete(
    client.scrape!({ url: new URL("udp://four.example:6969/x"), infoHashes: hashes }, never),
  );
  assert.deepEqual(figures[0], { seeders: 0, leechers: 2, completed: 1 });
  assert.deepEqual(figures.map((each) => each?.seeders), hashes.map(([first]) => first));
  assert.deepEqual(seen.map((each) => each.action === "scrape" ? each.infoHashes.length : each.action), [
    "connect",
    74,
    26,
  ]);
});

/** A client on a dual-stack port; the tracker's addresses answer after so many milliseconds, or never. */
async function announceOverBoth(delays: Readonly<Record<string, number>>) {
  using simulation = createSimulation({ seed: 1 });
  const { clock, random } = simulation;
  const reached = new Set<string>();
  const client = new UdpTrackerClient({
    ...{ clock, random, timeout: 30_000, numwant: 50, hold: () => ({ [Symbol.dispose]: () => {} }) },
    net: { resolve: () => Promise.resolve(Object.keys(delays)) },
    udp: {
      addresses: [parsePeerAddress("[::]:6881")],
      open: (to) => ({
        to,
        send(bytes) {
          const asked = decodeUdpTrackerRequest(bytes);
          if (asked.action === "announce") reached.add(to.ip);
          const reply = encodeUdpTrackerReply(answers(asked, to)!, to.family);
          if (delays[to.ip] < Infinity) clock.after(delays[to.ip], () => void client.take(reply, to));
          return true;
        },
      }),
    },
  });
  const answer = await simulation.complete(client.announce(request("udp://t.example:6969"), never));
  const took = simulation.now;
  await simulation.run(120_000);
  assert.equal(simulation.pendingTimers, 0);
  return { answer, took, reached: [...reached].sort() };
}

Deno.test("tracker_udp announces over IPv4 and IPv6, one address of each, and puts together what both answer", async () => {
  const { answer, reached } = await announceOverBoth({ "203.0.113.1": 10, "203.0.113.2": 10, "2001:db8:2::1": 20 });
  assert.deepEqual(answer, {
    peers: [...four, ...six],
    interval: 1_800_000,
    seeders: 5,
    leechers: 2,
    from: "203.0.113.1",
  });
  assert.deepEqual(reached, ["2001:db8:2::1", "203.0.113.1"]);
});

Deno.test("tracker_udp waits a second, no more, for the family that is slower or silent", async () => {
  const { answer, took, reached } = await announceOverBoth({ "203.0.113.1": 10, "2001:db8:2::1": Infinity });
  assert.deepEqual(answer.peers, four);
  assert.equal(took, 1_020);
  assert.deepEqual(reached, ["203.0.113.1"]);
  const slow = await announceOverBoth({ "203.0.113.1": 10, "2001:db8:2::1": 800 });
  assert.deepEqual(slow.answer.peers, four);
  assert.deepEqual(slow.reached, ["2001:db8:2::1", "203.0.113.1"], "the tracker knows both all the same");
});

Deno.test("tracker_udp trusts what a tracker with a public and a local address names as little as a stranger", async () => {
  const { answer } = await announceOverBoth({ "10.0.0.9": 10, "2600::1": 20 });
  assert.equal(answer.from, undefined);
});
