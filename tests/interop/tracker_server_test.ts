import { aria2, aria2WithUdp } from "../support/clients/aria2.ts";
import type { Client, RunningClient } from "../support/clients/client.ts";
import { libtorrent, libtorrentNodes } from "../support/clients/libtorrent.ts";
import { untilTracked } from "../support/clients/opentracker.ts";
import { transmission } from "../support/clients/transmission.ts";
import { webtorrent } from "../support/clients/webtorrent.ts";
import { steeredWeft, type WeftStatus, weftWithProfile } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { eventually, Neighbourhood } from "../support/neighbourhood.ts";
import { tree } from "../support/payloads.ts";

const trackerPort = 6969;
/** Ports of the seeders and of the leechers, from here on. */
const seederPort = 6881;
const leecherPort = 6991;
/** How long a download may take, in milliseconds; ten clients run at once. */
const patience = 60_000;
/** How much of a client's log a failed test shows, in characters. */
const logTail = 2000;

const weft = weftWithProfile(
  ["plugins:", "  - use: tcp", "  - use: tracker_http", "  - use: tracker_udp", ""].join("\n"),
);

const trackerProfile =
  `plugins:\n  - { use: tracker_server, with: { listen: "[::]:${trackerPort}", interval: 30s, min_interval: 1s } }`;

const machines = (): Promise<Neighbourhood> => Neighbourhood.open(3);

/** Has each client of a ring download from the one before it, all at once, with nobody but Weft's tracker to ask. */
async function aroundTheRing(place: Neighbourhood, scheme: "http" | "udp", ring: readonly Client[]): Promise<void> {
  const [site] = place.sites;
  const scratch = await place.folder("tracker");
  const root = `${site.ip}:${trackerPort}`;
  await place.use(steeredWeft(site, { scratch, profile: trackerProfile }));
  await Promise.all(
    ring.slice(1).map((leecher, index) =>
      download(place, `${scheme}://${root}/announce`, {
        seeder: ring[index],
        leecher,
        index,
      })
    ),
  );
}

async function download(
  place: Neighbourhood,
  url: string,
  { seeder, leecher, index }: { seeder: Client; leecher: Client; index: number },
): Promise<void> {
  const [tracker, left, right] = place.sites;
  const pair = `${seeder.name} to ${leecher.name}`;
  // A name of its own gives each pair a swarm of its own.
  const shared = await place.share({ ...tree, name: `tree-${index}` }, [url]);
  const { torrent, data } = shared;
  const out = await place.folder("out");
  const start = (client: Client, run: (scratch: string) => Promise<RunningClient>): Promise<RunningClient> =>
    place.folder(client.name).then((scratch) => place.use(run(scratch)));
  const seeding = await start(
    seeder,
    (scratch) => seeder.seed({ torrent, data, site: left, port: seederPort + index, scratch }),
  );
  const leeching = await untilTracked(tracker, `http://${tracker.ip}:${trackerPort}`, shared.infoHash, 1)
    .then(() =>
      start(leecher, (scratch) => leecher.leech({ torrent, out, site: right, port: leecherPort + index, scratch }))
    )
    .catch((cause) => {
      throw new Error(`${pair}: the seeder did not announce itself:\n${tail(seeding)}`, { cause });
    });
  const timer = setTimeout(() => leeching.stop(), patience);
  try {
    await leeching.done;
  } catch (cause) {
    throw new Error(`${pair}: the download did not complete; the seeder said:\n${tail(seeding)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  await eventually(`${pair}: all files`, () => place.holds(out, shared, leecher));
}

/** Has Weft download from libtorrent, where both have IPv6 alone. */
async function overIpv6(place: Neighbourhood, scheme: "http" | "udp"): Promise<void> {
  const [site, left, right] = place.sites;
  await place.use(steeredWeft(site, { scratch: await place.folder("tracker"), profile: trackerProfile }));
  const url = `${scheme}://[${site.ip6}]:${trackerPort}/announce`;
  const { torrent, infoHash, data } = await place.share(tree, [url]);
  const seeder = await place.use(libtorrentNodes(left, { listen: [`[${left.ip6}]:${seederPort}`] }));
  await seeder.ask("add", { torrent, folder: data, seed: true });
  await untilTracked(site, `http://${site.ip}:${trackerPort}`, infoHash, 1);
  const leecher = await place.use(steeredWeft(right, {
    scratch: await place.folder("weft"),
    profile: [
      `listen: "[${right.ip6}]:${leecherPort}"`,
      `swarms: ${JSON.stringify([{ add: torrent, allow_local: true }])}`,
      "plugins:",
      "  - use: tcp",
      "  - use: tracker_http",
      "  - use: tracker_udp",
    ].join("\n"),
  }));
  await eventually(
    "weft downloads",
    () => leecher.ask<WeftStatus>("status"),
    ({ states, sources }) => states[infoHash] === "seeding" && `[${left.ip6}]:${seederPort}` in sources,
  );
}

function tail(client: RunningClient): string {
  return client.log().slice(-logTail);
}

const rings = {
  http: [libtorrent, aria2, transmission, webtorrent, weft, libtorrent],
  udp: [libtorrent, aria2WithUdp, transmission, webtorrent, weft, libtorrent],
};

await clientTest("clients find each other through weft's tracker", [...rings.http, ...rings.udp], machines, {
  "over HTTP": (place) => aroundTheRing(place, "http", rings.http),
  "over UDP": (place) => aroundTheRing(place, "udp", rings.udp),
  "over HTTP and IPv6": (place) => overIpv6(place, "http"),
  "over UDP and IPv6": (place) => overIpv6(place, "udp"),
});
