/**
 * Names a million peers to one swarm through each way there is, and prints what that costs in memory and time:
 * `deno run --allow-all --v8-flags=--expose-gc scripts/flood.ts [how many, default 1000000]`.
 *
 * A swarm's pool is bounded, so what is in use must stay where it was; the exit code is 1 if it grew by more than 4 MiB.
 * RSS is what V8 took from the system at its peak: it gives little of that back.
 *
 * @module
 */
import { definePlugin, discoverPeers, object, type PeerAddress, peerAddressFromBytes, type Plugin } from "weft";
import { encode, encodeUdpTrackerReply, readUdpTrackerHeader } from "../core/wire/mod.ts";
import { makeTorrent, SimSwarm } from "../tests/testing/mod.ts";

const MIB = 2 ** 20;
// Compiled code and what happens to be in flight; a million peers would be 300.
const MOST_GROWTH = 4 * MIB;
// As many as the tracker clients take from one answer, and as a UDP datagram holds well.
const HTTP_PEERS = 2_000;
const UDP_PEERS = 2_000;
// A source that yields more than 10,000 in one round has failed.
const ROUND_PEERS = 10_000;

const count = Number(Deno.args[0] ?? 1_000_000);
const gc = (globalThis as { gc?: () => void }).gc ?? (() => {});
let named = 0;

/** The next address that nobody has named yet, 6 bytes at a time. */
function writeNext(bytes: Uint8Array, at: number): void {
  bytes.set([60 + (named >> 24), named >> 16 & 255, named >> 8 & 255, named & 255, 26, 225], at);
  named++;
}

function compact(peers: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(6 * peers);
  for (let i = 0; i < peers; i++) writeNext(bytes, 6 * i);
  return bytes;
}

function next(): PeerAddress {
  const bytes = compact(1);
  return peerAddressFromBytes(bytes.subarray(0, 4), 6881);
}

/** A source that names as many peers as it can in each round, as one behind the DHT, LPD or PEX might. */
const source = definePlugin({
  name: "source",
  config: object({}),
  setup(scope) {
    scope.on(discoverPeers, async function* () {
      for (let i = 0; i < ROUND_PEERS && named < count; i++) {
        await Promise.resolve();
        yield { address: next() };
      }
      return { again: 0 };
    });
  },
}) as Plugin;

async function httpTracker(swarm: SimSwarm): Promise<string> {
  await swarm.serve(
    "http.example",
    () => new Response(new Uint8Array(encode({ interval: 30, peers: compact(HTTP_PEERS) }))),
  );
  return "http://http.example/announce";
}

async function udpTracker(swarm: SimSwarm): Promise<string> {
  const { net, ip } = swarm.simulation.host("udp");
  const socket = await swarm.simulation.complete(net.datagrams({ ip: "0.0.0.0", port: 6969 }));
  const answer = async (): Promise<void> => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2_048));
      const { transactionId, action } = readUdpTrackerHeader(bytes)!;
      if (action === 0) {
        await socket.send(encodeUdpTrackerReply({ action: "connect", transactionId, connectionId: 1n }, 4), from);
      } else {
        const head = { action: "announce", transactionId, interval: 30, leechers: 0, seeders: 0, peers: [] } as const;
        await socket.send(Uint8Array.from([...encodeUdpTrackerReply(head, 4), ...compact(UDP_PEERS)]), from);
      }
    }
  };
  void answer().catch(() => {});
  return `udp://${ip}:6969/announce`;
}

const ways: Readonly<Record<string, (swarm: SimSwarm) => Promise<string | undefined>>> = {
  "a discovery source": () => Promise.resolve(undefined),
  "an HTTP tracker": httpTracker,
  "a UDP tracker": udpTracker,
};

/** Bytes in use, and those that the system counts. */
function memory(): { readonly used: number; readonly rss: number } {
  gc();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { used: heapUsed + external, rss };
}

/** Names `count` peers in one way; returns how much memory grew from the tenth part to the end, in bytes. */
async function flood(way: string, begin: (swarm: SimSwarm) => Promise<string | undefined>): Promise<number> {
  named = 0;
  await using swarm = new SimSwarm(1);
  const url = await begin(swarm);
  const torrent = makeTorrent({ length: 100_000, trackers: url === undefined ? [] : [[url]] });
  const use = ["tcp", ...(url === undefined ? ["source"] : ["tracker_http", "tracker_udp"])];
  // Hardly anybody is dialed, which would cost more than what is measured; and more peers are wanted than the pool holds.
  const limits = { dials: 1, half_open: 1, connections: 10_000, peers: 10_000 };
  const profile = { plugins: use.map((use) => ({ use })), limits };
  const leech = await swarm.peer("leech", { profile, plugins: { source } });
  await swarm.add(leech, torrent);
  const began = performance.now();
  const limit = 30 * 24 * 3_600_000;
  await swarm.until(() => named >= count / 10, limit);
  const early = memory();
  await swarm.until(() => named >= count, limit);
  const late = memory();
  const { candidates } = leech.runtime.swarm(torrent.id);
  const figures = [`${named} named`, `${candidates} kept`, `${((performance.now() - began) / 1000).toFixed(1)} s`];
  const shown = ({ used, rss }: typeof early): string =>
    `${(used / MIB).toFixed(1)} MiB in use (RSS ${(rss / MIB).toFixed(0)})`;
  figures.push(`${shown(early)} after a tenth, ${shown(late)} at the end`);
  console.log(`${way}: ${figures.join(", ")}`);
  return late.used - early.used;
}

let failed = false;
for (const [way, begin] of Object.entries(ways)) failed = await flood(way, begin) > MOST_GROWTH || failed;
Deno.exit(failed ? 1 : 0);
