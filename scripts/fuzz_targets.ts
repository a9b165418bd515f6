/**
 * Every reader of outside bytes, with what it is fed mutations of: captured from real clients where there is a fixture.
 *
 * @module
 */
import {
  byteString,
  decode,
  decodeExtendedHandshake,
  decodeHandshake,
  decodePeers4,
  decodePeers6,
  decodeUdpTrackerReply,
  decodeUdpTrackerRequest,
  fromHex,
  HANDSHAKE_LENGTH,
  MessageDecoder,
  type MessageSink,
  parseInfo,
  parseMagnet,
  parseMetainfo,
  parsePeerAddress,
  utf8Decode,
  utf8Encode,
} from "../core/wire/mod.ts";
import { decodeMessage } from "../plugins/dht/krpc.ts";
import { DhtMachine } from "../plugins/dht/machine.ts";
import { decodeHolepunch, encodeHolepunch } from "../plugins/holepunch/codec.ts";
import { decodeAnnounce as decodeLocalAnnounce } from "../plugins/lpd/codec.ts";
import { decodeMetadataMessage, encodeMetadataMessage } from "../plugins/metadata/codec.ts";
import { decodePex } from "../plugins/pex/codec.ts";
import { decodeAnnounce, decodeScrape } from "../plugins/tracker_http/codec.ts";
import { readAnnounce } from "../plugins/tracker_server/query.ts";
import { seeded, testTracker } from "../plugins/tracker_server/test_tracker.ts";
import { UdpTracker } from "../plugins/tracker_server/udp.ts";
import { Connection } from "../plugins/utp/connection.ts";
import { readPacket } from "../plugins/utp/packet.ts";
import { SegmentPool } from "../plugins/utp/segment.ts";
import asked from "../tests/fixtures/tracker/clients.json" with { type: "json" };

/** A reader, what it is fed mutations of, and the name of the errors that it may throw. */
export interface Target {
  readonly name: string;
  readonly originals: readonly Uint8Array[];
  readonly throws: "ProtocolError" | "TrackerError" | "nothing";
  read(bytes: Uint8Array): unknown;
}

const fixtures = new URL("../tests/fixtures/", import.meta.url);

/** Files of a folder of fixtures, each by its name or many by their extension. */
function captured(folder: string, ...wanted: readonly string[]): Uint8Array[] {
  return [...Deno.readDirSync(new URL(`${folder}/`, fixtures))].map(({ name }) => name).sort()
    .filter((name) => wanted.some((each) => each.startsWith(".") ? name.endsWith(each) : name === each))
    .map((name) => Deno.readFileSync(new URL(`${folder}/${name}`, fixtures)));
}

/** The raw info dictionary of a torrent. */
function infoOf(bytes: Uint8Array): Uint8Array {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return bytes.subarray(text.indexOf("4:info") + 6, bytes.length - 1);
}

const torrents = captured("torrents", ".torrent");
const conversations = captured("peer", ".bin").map((bytes) => bytes.subarray(0, 4_096));
const krpc = captured("dht", ".krpc");
const udpAnnounces = asked.flatMap(({ udp }) => udp ? [fromHex(udp)] : []);
const magnet =
  "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film&tr=udp%3A%2F%2Ft.example%3A1&x.pe=192.0.2.1:1&so=0,2-4";
const extended =
  "d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi500e1:v4:Weft6:yourip4:abcde";
const hash = utf8Encode("abcdefghijklmnopqrst");
const asker = parsePeerAddress("192.0.2.1:5000");

const ignored = (): void => {};
const sink: MessageSink = {
  keepAlive: ignored,
  choke: ignored,
  unchoke: ignored,
  interested: ignored,
  notInterested: ignored,
  have: ignored,
  bitfield: ignored,
  request: ignored,
  block: ignored,
  payload: ignored,
  blockEnd: ignored,
  cancel: ignored,
  port: ignored,
  suggest: ignored,
  haveAll: ignored,
  haveNone: ignored,
  reject: ignored,
  allowedFast: ignored,
  extended: ignored,
};

/** A DHT node that gets every datagram from one address. */
function dhtNode(): (bytes: Uint8Array) => void {
  const budget = { perAddress: 1_000_000, total: 1_000_000 };
  const node = new DhtMachine(0, { random: seeded(), secure: "prefer", readOnly: false, budget });
  let now = 0;
  return (bytes) => {
    node.handleDatagram(now += 10, bytes, asker);
    node.handleTimeout(now);
    while (node.pollTransmit());
  };
}

/** A tracker over UDP, whose asker has a connection id. */
function udpTracker(): (bytes: Uint8Array) => unknown {
  const tracker = new UdpTracker(testTracker({ requestsPerSecond: 1_000_000 }), seeded(), seeded(2).bytes(16));
  const connection = tracker.handle(0, fromHex("00000417271019800000000000000001"), asker)!.subarray(8);
  return (bytes) => {
    bytes.set(connection.subarray(0, Math.min(8, bytes.length)));
    return tracker.handle(0, bytes, asker);
  };
}

/** A uTP connection that others write to and that writes, begun anew when they end it. */
function utpConnection(): (bytes: Uint8Array) => void {
  const pool = new SegmentPool(() => true);
  const into = new Uint8Array(64 * 1024);
  let now = 0;
  const begin = (): Connection => {
    const accepted = { seq: 1, window: 100_000 };
    return new Connection({ now, family: 4, receiveId: 1, sendId: 2, seq: 1, pool, accepted });
  };
  let connection = begin();
  return (bytes) => {
    const packet = readPacket(bytes);
    if (!packet) return;
    connection.handlePacket(now += 10, packet, bytes);
    connection.write(hash);
    connection.read(into);
    if (connection.pollTimeout() <= now) connection.handleTimeout(now);
    while (connection.pollTransmit(now));
    if (connection.state === "closed") connection = begin();
  };
}

/** All of them. */
export const targets: readonly Target[] = [
  { name: "bencode", originals: torrents, throws: "ProtocolError", read: (bytes) => decode(bytes) },
  { name: "torrent", originals: torrents, throws: "ProtocolError", read: parseMetainfo },
  { name: "info", originals: torrents.map(infoOf), throws: "ProtocolError", read: parseInfo },
  {
    name: "magnet",
    originals: [utf8Encode(magnet)],
    throws: "ProtocolError",
    read: (bytes) => parseMagnet(utf8Decode(bytes)),
  },
  {
    name: "peers",
    originals: [hash],
    throws: "ProtocolError",
    read: (bytes) => [decodePeers4, decodePeers6].map((decode) => decode(bytes)),
  },
  {
    name: "handshake",
    originals: conversations.map((bytes) => bytes.subarray(0, HANDSHAKE_LENGTH)),
    throws: "ProtocolError",
    read: (bytes) => decodeHandshake(bytes.length === HANDSHAKE_LENGTH ? bytes : bytes.subarray(0, HANDSHAKE_LENGTH)),
  },
  {
    name: "messages",
    originals: conversations.map((bytes) => bytes.subarray(HANDSHAKE_LENGTH)),
    throws: "ProtocolError",
    read: (bytes) => new MessageDecoder(sink, { maxFrame: 300_000, maxBitfield: 100, maxExtended: 4_096 }).push(bytes),
  },
  { name: "extended", originals: [utf8Encode(extended)], throws: "ProtocolError", read: decodeExtendedHandshake },
  { name: "pex", originals: captured("pex", ".bin"), throws: "ProtocolError", read: decodePex },
  {
    name: "metadata",
    originals: [
      encodeMetadataMessage({ type: "request", piece: 1 }),
      encodeMetadataMessage({ type: "reject", piece: 0 }),
      encodeMetadataMessage({ type: "data", piece: 0, totalSize: 20, bytes: hash }),
    ],
    throws: "ProtocolError",
    read: decodeMetadataMessage,
  },
  {
    name: "holepunch",
    originals: (["rendezvous", "connect"] as const).map((kind) => encodeHolepunch({ kind, address: asker })),
    throws: "ProtocolError",
    read: decodeHolepunch,
  },
  {
    name: "announce",
    originals: captured("tracker", "announce_peers.bencode", "announce_refused.bencode"),
    throws: "TrackerError",
    read: decodeAnnounce,
  },
  {
    name: "scrape",
    originals: captured("tracker", "scrape.bencode"),
    throws: "TrackerError",
    read: (bytes) => decodeScrape(bytes, [hash]),
  },
  {
    name: "udp asks",
    originals: captured("tracker_udp", "aria2_connect.bin", "aria2_announce.bin", "libtorrent_announce.bin"),
    throws: "ProtocolError",
    read: decodeUdpTrackerRequest,
  },
  {
    name: "udp tells",
    originals: captured("tracker_udp", "connect.bin", "announce_peers.bin", "scrape.bin", "error_connection_id.bin"),
    throws: "ProtocolError",
    read: (bytes) => ([4, 6] as const).map((family) => decodeUdpTrackerReply(bytes, family)),
  },
  {
    name: "query",
    originals: asked.map(({ http }) => utf8Encode(http.split(/[? ]/)[2])),
    throws: "ProtocolError",
    read: (bytes) => readAnnounce(byteString(bytes)),
  },
  { name: "tracker", originals: udpAnnounces, throws: "nothing", read: udpTracker() },
  { name: "krpc", originals: krpc, throws: "ProtocolError", read: decodeMessage },
  { name: "dht", originals: krpc, throws: "nothing", read: dhtNode() },
  { name: "lpd", originals: captured("lpd", ".bin"), throws: "ProtocolError", read: decodeLocalAnnounce },
  { name: "utp", originals: captured("utp", ".bin"), throws: "nothing", read: utpConnection() },
];
