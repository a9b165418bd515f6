/** What a tracker client owes. @module */
import {
  type AnnounceAnswer,
  type AnnounceRequest,
  encode,
  encodePeers4,
  type HttpHandler,
  parsePeerAddress,
  type TrackerClient,
  trackerClients,
} from "../../core/api/mod.ts";
import { noise, type PluginBench, sampleId, serveHttp } from "../testing/mod.ts";
import { type Check, expect, type Outcome, show, told, watch } from "./check.ts";
import { settle } from "./stream_checks.ts";
import type { Subject } from "./subject.ts";

const READ = "core/api/tracker.ts, TrackerClient";
const NAME = "tracker.example";
const HTTP = ["http", "https"];
// A tracker's patience ends before that of the kernel's announcer (ms of simulated time).
const LIMIT = 600_000;
// Who is told to stop has done so by then (ms of simulated time).
const PATIENCE = 5_000;

const peers = ["192.0.2.7:6881", "198.51.100.9:51413"].map(parsePeerAddress);

/** What trackers answer that are broken, hostile, or none. */
const NONSENSE: readonly (() => BodyInit)[] = [
  () => "",
  () => "<html>Bad Gateway</html>",
  () => "d",
  () => "de",
  () => "le",
  () => "i1e",
  () => "d8:intervali-5e5:peers6:AAAAAAe",
  () => "d8:interval5:weeks5:peers7:AAAAAAAe",
  () => "d5:peersld2:ip3:xyz4:porti0eeee",
  () => "d8:intervali1e5:peersi7ee",
  () => noise(500, 1).slice(),
  () => "l".repeat(100_000),
];

/** Checks of what provides `trackerClients`. */
export const trackerChecks: readonly Check[] = [
  httpCheck("announces, and understands the answer", async ({ announce, serve }) => {
    const seen: URL[] = [];
    await serve(({ url }) => {
      seen.push(new URL(url));
      return bencoded({ interval: 1_800, peers: encodePeers4(peers) });
    });
    const outcome = await announce({ event: "started" });
    expect(outcome.state === "resolved", `${told(outcome)} for a good answer`, "the answer");
    const { peers: found, interval } = outcome.value;
    expect(show(found) === show(peers), `read the peers ${show(found)}`, show(peers));
    expect(interval === 1_800_000, `read the interval ${interval}`, "1800000 milliseconds");
    const query = seen[0].search;
    expect(
      rawQuery(query).includes(`info_hash=${String.fromCharCode(...sampleId.wireIds[0].bytes)}`) &&
        query.includes("port=6881") && query.includes("event=started"),
      `asked for "${query}"`,
      "the 20 bytes of infoHash, the port and the event in the query (BEP 3)",
    );
  }),
  httpCheck("passes on a tracker's refusal", async ({ announce, serve }) => {
    await serve(() => bencoded({ "failure reason": "unregistered torrent" }));
    const outcome = await announce();
    expect(
      outcome.state === "rejected" && isTrackerError(outcome.error) &&
        String(outcome.error).includes("unregistered torrent"),
      `${told(outcome)} when the tracker refused with "unregistered torrent"`,
      "a TrackerError that says so",
    );
  }),
  httpCheck("takes nonsense for the tracker's fault", async ({ announce, serve }) => {
    let body: () => BodyInit = NONSENSE[0];
    await serve(() => new Response(body()));
    for (body of NONSENSE) {
      const outcome = await announce();
      const shown = show(body()).slice(0, 40);
      expect(
        outcome.state === "resolved"
          ? isAnswer(outcome.value)
          : outcome.state === "rejected" && isTrackerError(outcome.error),
        `${told(outcome)} when the tracker answered ${shown}`,
        "a TrackerError, or what of the answer is well-formed",
      );
    }
  }),
  httpCheck("scrapes in the order of asking", async ({ client, serve, bench, url }) => {
    if (!client.scrape) return;
    const known = sampleId.wireIds[0].bytes;
    const other = new Uint8Array(20).fill(7);
    const files = new Map([[String.fromCharCode(...known), { complete: 5, downloaded: 9, incomplete: 3 }]]);
    await serve(() => bencoded({ files }));
    const outcome = await settle(
      bench.simulation,
      client.scrape({ url, infoHashes: [other, known] }, bench.signal),
      LIMIT,
    );
    expect(
      outcome.state === "resolved" && outcome.value.length === 2 && outcome.value[0] === undefined &&
        outcome.value[1]?.seeders === 5 && outcome.value[1].leechers === 3 && outcome.value[1].completed === 9,
      `${told(outcome)} to a scrape of one swarm that the tracker does not know and one that it does`,
      "undefined, and { seeders: 5, leechers: 3, completed: 9 }",
    );
  }),
  {
    name: "gives up an announce when told to, and leaves nothing of it",
    read: READ,
    applies: (subject) => subject.keys(trackerClients).length > 0,
    async run(subject) {
      for (const scheme of subject.keys(trackerClients)) {
        const world = await subject.world();
        await using bench = await world.start();
        await serveHttp(world.simulation, NAME, () => new Promise(() => {}));
        const client = bench.bus.get(trackerClients, scheme)!;
        for (const wait of [0, 5, 1_000]) {
          const before = bench.open();
          const abort = new AbortController();
          const announcing = watch(announced(client, requestTo(urlOf(scheme)), abort.signal));
          await world.simulation.run(wait);
          abort.abort(new Error("enough"));
          await world.simulation.run(PATIENCE);
          expect(
            announcing().state === "rejected",
            `${told(announcing())} ${PATIENCE / 1000} s after its signal aborted`,
            "a rejection",
          );
          const left = bench.open();
          expect(left.length <= before.length, `left ${left.join(", ")} of an aborted announce`, "nothing of it");
        }
      }
    },
  },
];

/** What a check of HTTP trackers works with. */
interface HttpBench {
  readonly bench: PluginBench;
  readonly client: TrackerClient;
  readonly url: URL;
  serve(handler: HttpHandler): Promise<unknown>;
  announce(change?: Partial<AnnounceRequest>): Promise<Outcome<AnnounceAnswer>>;
}

/** A check of each client of HTTP trackers, against a simulated one. */
function httpCheck(name: string, run: (http: HttpBench) => Promise<void>): Check {
  const schemes = (subject: Subject): string[] => subject.keys(trackerClients).filter((key) => HTTP.includes(key));
  return {
    name,
    read: READ,
    applies: (subject) => schemes(subject).length > 0,
    async run(subject) {
      for (const scheme of schemes(subject)) {
        const world = await subject.world();
        await using bench = await world.start();
        const client = bench.bus.get(trackerClients, scheme)!;
        const url = urlOf(scheme);
        await run({
          bench,
          client,
          url,
          serve: (handler) => serveHttp(world.simulation, NAME, handler),
          announce: (change) =>
            settle(world.simulation, announced(client, { ...requestTo(url), ...change }, bench.signal), LIMIT),
        });
      }
    },
  };
}

function urlOf(scheme: string): URL {
  return new URL(`${scheme}://${NAME}/announce`);
}

function requestTo(url: URL): AnnounceRequest {
  return {
    url,
    id: sampleId,
    infoHash: sampleId.wireIds[0].bytes,
    peerId: new Uint8Array(20).fill(65),
    port: 6881,
    uploaded: 0,
    downloaded: 0,
    left: 1_000,
    wanted: 50,
    key: 1,
  };
}

/** An announce whose throw is a rejection as well. */
async function announced(
  client: TrackerClient,
  request: AnnounceRequest,
  signal: AbortSignal,
): Promise<AnnounceAnswer> {
  return await client.announce(request, signal);
}

function bencoded(value: Parameters<typeof encode>[0]): Response {
  return new Response(encode(value).slice());
}

/** By name, so that a plugin's bundled copy of the class counts too. */
function isTrackerError(error: unknown): boolean {
  return error instanceof Error && error.name === "TrackerError";
}

function isAnswer({ peers, interval, minInterval }: AnnounceAnswer): boolean {
  const sane = (each: unknown): boolean => each === undefined || typeof each === "number" && each >= 0;
  return Array.isArray(peers) && sane(interval) && sane(minInterval) &&
    peers.every((peer) => show(peer) === show(parsePeerAddress(peer.key)));
}

function rawQuery(query: string): string {
  return query.replace(/%([0-9a-f]{2})/gi, (_, pair) => String.fromCharCode(parseInt(pair, 16)));
}
