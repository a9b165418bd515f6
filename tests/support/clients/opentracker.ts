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
  await running.ready;
  return {
    ...running,
    url: `${root}/announce`,
    peers: (infoHash) => trackedPeers(site, root, infoHash),
    untilPeers: (infoHash, count) => untilTracked(site, root, infoHash, count),
  };
}

/** How many peers the tracker at `root` (`http://IP:PORT`) knows for an info-hash (hex), as it says at a site. */
export async function trackedPeers(site: Site, root: string, infoHash: string): Promise<number> {
  const escaped = infoHash.replace(/../g, "%$&");
  const [curl, ...args] = site.command(["curl", "-s", "-m", "5", "-o", "-", `${root}/scrape?info_hash=${escaped}`]);
  const { stdout } = await run(curl, ...args);
  return scrapedPeers(stdout);
}

/** Waits until the tracker at `root` knows `count` peers or more. */
export async function untilTracked(site: Site, root: string, infoHash: string, count: number): Promise<void> {
  const start = performance.now();
  const enough = async (): Promise<boolean> => await trackedPeers(site, root, infoHash) >= count;
  await until(enough, () => performance.now() - start > announceTimeout).catch(() => {
    throw new Error(`Fewer than ${count} peers announced themselves within ${announceTimeout / 1000} s`);
  });
}

/** Reads the sum of peers out of a scrape reply (BEP 48) for one torrent. */
export function scrapedPeers(reply: string): number {
  const count = (key: string): number => Number(reply.match(new RegExp(`${key}i(\\d+)e`))?.[1] ?? 0);
  return count("8:complete") + count("10:incomplete");
}
