/**
 * Feeds the readers of outside bytes with damaged and lying input, and prints what came of it:
 * `deno run --allow-read=. scripts/fuzz.ts [how many, default 100000] [seed]`.
 *
 * Whatever comes is read or refused with an error of the reader's own kind; anything else is printed with the seed, and
 * the exit code is 1.
 *
 * @module
 */
import {
  byteString,
  decode,
  decodeExtendedHandshake,
  decodePeers4,
  decodePeers6,
  decodeUdpTrackerReply,
  decodeUdpTrackerRequest,
  fromHex,
  parseInfo,
  parseMagnet,
  parseMetainfo,
  parsePeerAddress,
  utf8Decode,
  utf8Encode,
} from "../core/wire/mod.ts";
import { decodeMessage } from "../plugins/dht/krpc.ts";
import { DhtMachine } from "../plugins/dht/machine.ts";
import { decodeAnnounce as decodeLocalAnnounce } from "../plugins/lpd/codec.ts";
import { decodeAnnounce, decodeScrape } from "../plugins/tracker_http/codec.ts";
import { readAnnounce } from "../plugins/tracker_server/query.ts";
import { seeded, testTracker } from "../plugins/tracker_server/test_tracker.ts";
import { UdpTracker } from "../plugins/tracker_server/udp.ts";
import asked from "../tests/fixtures/tracker/clients.json" with { type: "json" };
import { liars, mutations } from "../tests/support/liars.ts";

/** A reader, what it is fed mutations of, and the errors that it may throw. */
interface Target {
  readonly name: string;
  readonly originals: readonly Uint8Array[];
  readonly throws: string;
  read(bytes: Uint8Array): unknown;
}

/** What came of one target. Milliseconds. */
interface Outcome {
  read: number;
  refused: number;
  slowest: number;
  total: number;
  readonly faults: string[];
}

const fixtures = new URL("../tests/fixtures/", import.meta.url);
const torrents = ["single", "multi", "pads", "private", "hybrid", "transmission", "v2"].map((name) =>
  Deno.readFileSync(new URL(`torrents/${name}.torrent`, fixtures))
);
const captured = (folder: string) => (...names: readonly string[]): Uint8Array[] =>
  names.map((name) => Deno.readFileSync(new URL(`${folder}/${name}.bin`, fixtures)));
const krpc = [...Deno.readDirSync(new URL("dht/", fixtures))].filter(({ name }) => name.endsWith(".krpc"))
  .map(({ name }) => Deno.readFileSync(new URL(`dht/${name}`, fixtures)));
const [udp, local] = [captured("tracker_udp"), captured("lpd")];
const answers = [
  "d8:completei3e10:incompletei1e8:intervali1800e12:min intervali60e5:peers12:abcdefghijkl6:peers618:abcdefghijklmnopqre",
  "d14:failure reason9:not today8:retry in2:30e",
  "d8:intervali900e5:peersld2:ip9:192.0.2.14:porti6881eed2:ip3:::17:peer id20:abcdefghijklmnopqrst4:porti1eeee",
].map(utf8Encode);
const scrapes = [utf8Encode("d5:filesd20:abcdefghijklmnopqrstd8:completei5e10:downloadedi50e10:incompletei10eeee")];
const handshakes = [
  utf8Encode("d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi500e1:v4:Weft6:yourip4:abcde"),
];
const magnets = [
  "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film&tr=udp%3A%2F%2Ft.example%3A1&x.pe=192.0.2.1:1&so=0,2-4",
].map(utf8Encode);
const hash = utf8Encode("abcdefghijklmnopqrst");

const asker = parsePeerAddress("192.0.2.1:5000");
const dht = new DhtMachine(0, {
  random: seeded(),
  secure: "prefer",
  readOnly: false,
  budget: { perAddress: 1_000_000, total: 1_000_000 },
});
let now = 0;
const tracker = new UdpTracker(testTracker({ requestsPerSecond: 1_000_000 }), seeded(), seeded(2).bytes(16));
const connection = tracker.handle(0, fromHex("00000417271019800000000000000001"), asker)!.subarray(8);

const targets: readonly Target[] = [
  { name: "bencode", originals: torrents, throws: "ProtocolError", read: (bytes) => decode(bytes) },
  { name: "torrent", originals: torrents, throws: "ProtocolError", read: parseMetainfo },
  { name: "info", originals: torrents.map((bytes) => infoOf(bytes)), throws: "ProtocolError", read: parseInfo },
  { name: "magnet", originals: magnets, throws: "ProtocolError", read: (bytes) => parseMagnet(utf8Decode(bytes)) },
  { name: "announce", originals: answers, throws: "TrackerError", read: decodeAnnounce },
  { name: "scrape", originals: scrapes, throws: "TrackerError", read: (bytes) => decodeScrape(bytes, [hash]) },
  {
    name: "udp asks",
    originals: udp("aria2_connect", "aria2_announce", "libtorrent_announce"),
    throws: "ProtocolError",
    read: decodeUdpTrackerRequest,
  },
  {
    name: "udp tells",
    originals: udp("connect", "announce_peers", "scrape", "error_connection_id"),
    throws: "ProtocolError",
    read: (bytes) => ([4, 6] as const).map((family) => decodeUdpTrackerReply(bytes, family)),
  },
  {
    name: "local",
    originals: local("libtorrent_ipv4", "libtorrent_ipv6", "aria2_ipv4", "transmission_ipv4"),
    throws: "ProtocolError",
    read: decodeLocalAnnounce,
  },
  { name: "extended", originals: handshakes, throws: "ProtocolError", read: decodeExtendedHandshake },
  {
    name: "query",
    originals: asked.map(({ http }) => utf8Encode(http.split(/[? ]/)[2])),
    throws: "ProtocolError",
    read: (bytes) => readAnnounce(byteString(bytes)),
  },
  {
    name: "tracker",
    originals: asked.flatMap(({ udp }) => udp ? [fromHex(udp)] : []),
    throws: "nothing",
    read: (bytes) => {
      bytes.set(connection.subarray(0, Math.min(8, bytes.length)));
      return tracker.handle(0, bytes, asker);
    },
  },
  { name: "krpc", originals: krpc, throws: "ProtocolError", read: decodeMessage },
  {
    name: "dht",
    originals: krpc,
    throws: "nothing",
    read: (bytes) => {
      dht.handleDatagram(now += 10, bytes, asker);
      dht.handleTimeout(now);
      while (dht.pollTransmit());
    },
  },
  {
    name: "peers",
    originals: [hash],
    throws: "ProtocolError",
    read: (bytes) => [decodePeers4, decodePeers6].map((d) => d(bytes)),
  },
];

function infoOf(bytes: Uint8Array): Uint8Array {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return bytes.subarray(text.indexOf("4:info") + 6, bytes.length - 1);
}

function feed({ read, throws }: Target, bytes: Uint8Array, lie: string, outcome: Outcome): void {
  const began = performance.now();
  try {
    read(bytes);
    outcome.read++;
  } catch (error) {
    if (error instanceof Error && error.name === throws) outcome.refused++;
    else outcome.faults.push(`${lie}: ${error}`);
  }
  const took = performance.now() - began;
  outcome.total += took;
  outcome.slowest = Math.max(outcome.slowest, took);
}

const count = Number(Deno.args[0] ?? 100_000);
const seed = Number(Deno.args[1] ?? 1);
let failed = false;
console.log("target        read   refused   faults   mean ms   slowest ms");
for (const target of targets) {
  const outcome: Outcome = { read: 0, refused: 0, slowest: 0, total: 0, faults: [] };
  let fed = 0;
  if (target.name === "torrent") { for (const [lie, bytes] of liars()) feed(target, bytes, lie, outcome); }
  for (const bytes of mutations(target.originals, seed)) {
    if (fed++ * targets.length >= count) break;
    feed(target, bytes, `mutation ${fed} of seed ${seed}`, outcome);
  }
  const { read, refused, faults, total, slowest } = outcome;
  const figures = [`${read}`.padStart(8), `${refused}`.padStart(9), `${faults.length}`.padStart(8)];
  figures.push((total / (read + refused)).toFixed(3).padStart(9), slowest.toFixed(0).padStart(12));
  console.log(`${target.name.padEnd(10)}${figures.join(" ")}`);
  for (const fault of faults.slice(0, 5)) console.log(`  ${fault}`);
  failed ||= faults.length > 0;
}
Deno.exit(failed ? 1 : 0);
