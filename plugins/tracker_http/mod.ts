/**
 * HTTP trackers: announces and scrapes over `http:` and `https:`.
 *
 * @module
 */
import {
  type Clock,
  definePlugin,
  duration,
  type EgressGrant,
  type FetchAnswer,
  integer,
  object,
  type PluginNet,
  type PluginScope,
  string,
  type TrackerClient,
  trackerClients,
  TrackerError,
} from "weft";
import { announceUrl, decodeAnnounce, decodeScrape, scrapeRequest, scrapeUrl } from "./codec.ts";
import { Turns } from "./turns.ts";

/** The entry's `with`. */
export interface TrackerHttpConfig {
  /** How long a tracker may take to answer, in milliseconds. */
  readonly timeout: number;
  /** Who we say we are. */
  readonly user_agent: string;
  /** The most peers to ask for in one announce. */
  readonly numwant: number;
}

// Larger replies are no answer to an announce; `net.fetch` counts the inflated bytes, so gzip bombs stop here too.
const MAX_REPLY = 1024 * 1024;
// Some hundred a second with a tracker that answers in a third of one: thousands of swarms are through in a minute.
const TURNS = { perHost: 32, total: 128 };
// 60 bytes each in the URL; servers refuse URLs past 8 KiB.
const HASHES_PER_SCRAPE = 64;

export default definePlugin({
  name: "tracker_http",
  summary: "Announces to HTTP and HTTPS trackers",
  config: object({
    timeout: duration({ default: "30s", min: "1s", max: "5m" }),
    user_agent: string({ default: "Weft/0.1" }),
    numwant: integer({ default: 200, min: 1, max: 1000 }),
  }),
  example: { timeout: "20s", numwant: 100 },
  provides: ["trackers.client", "trackers.client:http", "trackers.client:https"],
  wants: ["private"],
  setup(plugin: PluginScope<TrackerHttpConfig>) {
    const client = httpTracker(plugin);
    plugin.provide(trackerClients, "http", client);
    plugin.provide(trackerClients, "https", client);
  },
});

/** A tracker client over `net`. */
export function httpTracker(
  { net, clock, config }: { net: PluginNet; clock: Clock; config: TrackerHttpConfig },
): TrackerClient {
  const turns = new Turns(TURNS);
  const get = async <T>(
    url: string,
    grant: EgressGrant | undefined,
    signal: AbortSignal,
    read: (bytes: Uint8Array) => T,
  ): Promise<[T, string]> => {
    const headers = { "user-agent": config.user_agent };
    const host = new URL(url).host;
    const fetch = (signal: AbortSignal) => net.fetch(url, { headers, signal, grant, maxBytes: MAX_REPLY });
    const answer = await turns.run(host, signal, () => within(clock, config.timeout, host, signal, fetch));
    if (!answer.ok) throw refusal(host, answer, read);
    return [read(answer.bytes), answer.from];
  };
  return {
    async announce(request, signal) {
      const wanted = Math.min(request.wanted, config.numwant);
      const [answer, from] = await get(announceUrl({ ...request, wanted }), request.grant, signal, decodeAnnounce);
      return { ...answer, from };
    },
    async scrape({ url, infoHashes, grant }, signal) {
      const scrape = scrapeUrl(url);
      if (!scrape) throw new TrackerError(`Cannot scrape "${url.host}": its URL doesn't end in "announce"`);
      const answers = [];
      for (let i = 0; i < infoHashes.length; i += HASHES_PER_SCRAPE) {
        const some = infoHashes.slice(i, i + HASHES_PER_SCRAPE);
        const read = (bytes: Uint8Array) => decodeScrape(bytes, some);
        answers.push(...(await get(scrapeRequest(scrape, some), grant, signal, read))[0]);
      }
      return answers;
    },
  };
}

/** Some trackers send their refusal with an HTTP error: it says more than the status. */
function refusal(host: string, answer: FetchAnswer, read: (bytes: Uint8Array) => unknown): TrackerError {
  try {
    read(answer.bytes);
  } catch (error) {
    if (error instanceof TrackerError && !error.cause) return error;
  }
  return new TrackerError(`Tracker "${host}" answered with HTTP status ${answer.status}`);
}

async function within<T>(
  clock: Clock,
  timeout: number,
  host: string,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal.reason);
  const requestTimeout = clock.after(
    timeout,
    () => controller.abort(new TrackerError(`Tracker "${host}" did not answer within ${timeout / 1000} s`)),
  );
  signal.addEventListener("abort", abort);
  try {
    return await run(controller.signal);
  } finally {
    requestTimeout.cancel();
    signal.removeEventListener("abort", abort);
  }
}
