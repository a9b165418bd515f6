/** The tracker over HTTP: announces, scrapes, statistics. @module */
import { Hono } from "hono";
import { type Clock, type HttpHandler, parseIp, type PeerAddress, ProtocolError } from "weft";
import { encodeAnswer, encodeRefusal, encodeScrape } from "./http_answer.ts";
import { queryOf, readAnnounce, readScrape } from "./query.ts";
import { Refusal, type Tracker } from "./tracker.ts";

/** What an HTTP server of the tracker needs. */
export interface HttpTrackerOptions {
  readonly tracker: Tracker;
  readonly clock: Pick<Clock, "now">;
  /** What `/stats` shows: plain JSON data. */
  statistics(): unknown;
}

/** Requests that were no announces or scrapes that could be read. */
export interface HttpFigures {
  readonly requests: number;
  readonly malformed: number;
}

interface Env {
  readonly Bindings: { readonly ip: Uint8Array };
}

const ABOUT = `This is a BitTorrent tracker (Weft).

/announce  for BitTorrent clients, over HTTP, and over UDP at the same port
/scrape    figures of torrents
/stats     figures of the tracker, in JSON
`;

export class HttpTracker {
  readonly #options: HttpTrackerOptions;
  readonly #app = new Hono<Env>();
  #requests = 0;
  #malformed = 0;

  constructor(options: HttpTrackerOptions) {
    this.#options = options;
    const { tracker, clock, statistics } = options;
    this.#app.get("/announce", ({ req, env: { ip } }) =>
      this.#answer(req.url, (query) => {
        const { compact, ...announce } = readAnnounce(query);
        return encodeAnswer(tracker.announce(clock.now(), { ...announce, ip, bothFamilies: true }), ip, compact);
      }));
    this.#app.get("/scrape", ({ req, env: { ip } }) =>
      this.#answer(req.url, (query) => {
        const infoHashes = readScrape(query);
        return encodeScrape(infoHashes, tracker.scrape(clock.now(), ip, infoHashes));
      }));
    this.#app.get("/stats", (context) => context.json(statistics()));
    this.#app.get("/", (context) => context.text(ABOUT));
  }

  get figures(): HttpFigures {
    return { requests: this.#requests, malformed: this.#malformed };
  }

  /** Answers a request. */
  readonly handle: HttpHandler = (request: Request, from?: PeerAddress) => {
    this.#requests++;
    const ip = parseIp(from?.ip ?? "")?.bytes;
    // Peers are known by where they come from.
    if (!ip) return new Response("this tracker is asked over IP", { status: 400 });
    return this.#app.fetch(request, { ip });
  };

  /** A refusal is an answer like any other: clients read the text of no other status (BEP 3). */
  #answer(url: string, read: (query: string) => Uint8Array): Response {
    try {
      return bencoded(read(queryOf(url)));
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof ProtocolError)) throw error;
      if (error instanceof ProtocolError) this.#malformed++;
      return bencoded(encodeRefusal(error));
    }
  }
}

function bencoded(bytes: Uint8Array): Response {
  // With its length, it leaves in one piece.
  const headers = { "content-type": "text/plain", "content-length": String(bytes.length) };
  return new Response(bytes as Uint8Array<ArrayBuffer>, { headers });
}
