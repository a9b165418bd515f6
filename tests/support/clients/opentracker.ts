import { commandMissing, launch, type RunningClient } from "./client.ts";
import { run, type Site, until } from "../netns.ts";

/** How long peers may take to announce themselves, in milliseconds. */
const announceTimeout = 30_000;

/** A running opentracker. */
export interface Tracker extends RunningClient {
  /** The announce URL. */
  readonly url: string;
  /** How many peers it knows for an info-hash (hex), complete ones and others. */
  peers(infoHash: string): Promise<number>;
  /** Waits until it knows `count` peers or more. */
  untilPeers(infoHash: string, count: number): Promise<void>;
}

/** opentracker, the tracker that the large public ones run: HTTP and UDP on one port number. */
export const opentracker = {
  name: "opentracker",
  /** Says what is missing to run it here, or `undefined`. */
  available: async (): Promise<string | undefined> =>
    await commandMissing("opentracker", "-h") ?? await commandMissing("curl", "--version"),
  /** Starts it for the info-hashes given (hex): as distributions build it, it serves only those on its list. */
  start: startTracker,
};

/** What `opentracker.start` needs; `scratch` is an empty folder. */
export interface TrackerRequest {
  readonly site: Site;
  readonly port: number;
  readonly scratch: string;
  readonly infoHashes: readonly string[];
}

async function startTracker({ site, port, scratch, infoHashes }: TrackerRequest): Promise<Tracker> {
  await Deno.writeTextFile(`${scratch}/allowed`, infoHashes.map((hash) => `${hash.toUpperCase()}\n`).join(""));
  const argv = [
    "opentracker",
    "-i",
    site.ip,
    "-p",
    `${port}`,
    "-P",
    `${port}`,
    "-d",
    scratch,
    "-w",
    "allowed",
  ];
  const running = launch({ site, port, role: "seed", argv });
  const root = `http://${site.ip}:${port}`;
  const peers = async (infoHash: string): Promise<number> => {
    const escaped = infoHash.replace(/../g, "%$&");
    const [curl, ...args] = site.command(["curl", "-s", "-m", "5", "-o", "-", `${root}/scrape?info_hash=${escaped}`]);
    const { stdout } = await run(curl, ...args);
    return scrapedPeers(stdout);
  };
  const untilPeers = async (infoHash: string, count: number): Promise<void> => {
    const start = performance.now();
    await until(async () => await peers(infoHash) >= count, () => performance.now() - start > announceTimeout)
      .catch(() => {
        throw new Error(`Fewer than ${count} peers announced themselves within ${announceTimeout / 1000} s`);
      });
  };
  await running.ready;
  return { ...running, url: `${root}/announce`, peers, untilPeers };
}

/** Reads the sum of peers out of a scrape reply (BEP 48) for one torrent. */
export function scrapedPeers(reply: string): number {
  const count = (key: string): number => Number(reply.match(new RegExp(`${key}i(\\d+)e`))?.[1] ?? 0);
  return count("8:complete") + count("10:incomplete");
}
