import assert from "node:assert/strict";
import type { Client } from "../support/clients/client.ts";
import { libtorrent } from "../support/clients/libtorrent.ts";
import { opentracker } from "../support/clients/opentracker.ts";
import { weftWithProfile } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { Neighbourhood } from "../support/neighbourhood.ts";
import { single } from "../support/payloads.ts";

const port = 6881;
const trackerPort = 6969;
/** Nobody listens there. */
const deadPort = 6970;

const machines = (): Promise<Neighbourhood> => Neighbourhood.open(3);
const weft = weftWithProfile("plugins:\n  - use: tcp\n  - use: tracker_udp\n");

/**
 * Has one client download from another, with opentracker on the first machine. The leecher's torrent names `urls` in one
 * list, the seeder's the last of them alone.
 */
async function transfer(place: Neighbourhood, seeder: Client, leecher: Client, urls: readonly string[]): Promise<void> {
  const [site, left, right] = place.sites;
  const shared = await place.share(single, urls);
  const { torrent, data, infoHash } = await place.share(single, urls.slice(-1));
  const scratch = await place.folder("tracker");
  const tracker = await place.use(opentracker.start({ site, port: trackerPort, scratch, infoHashes: [infoHash] }));
  const seederScratch = await place.folder(seeder.name);
  await place.use(seeder.seed({ torrent, data, site: left, port, scratch: seederScratch }));
  await tracker.untilPeers(infoHash, 1);
  const out = await place.folder("out");
  const leecherScratch = await place.folder(leecher.name);
  const leeching = await place.use(
    leecher.leech({ torrent: shared.torrent, out, site: right, port, scratch: leecherScratch }),
  );
  await leeching.done;
  assert.ok(await place.holds(out, shared));
}

const udp = (site: { ip: string }): string => `udp://${site.ip}:${trackerPort}/announce`;
const http = (site: { ip: string }): string => `http://${site.ip}:${trackerPort}/announce`;
const bothSchemes = weftWithProfile(
  "plugins:\n  - use: tcp\n  - use: tracker_http\n  - { use: tracker_udp, with: { timeout: 2s } }\n",
);

await clientTest("weft announces to opentracker over UDP", [libtorrent, opentracker], machines, {
  "and downloads from libtorrent": (place) => transfer(place, libtorrent, weft, [udp(place.sites[0])]),
  "and libtorrent downloads from it": (place) => transfer(place, weft, libtorrent, [udp(place.sites[0])]),
  "with HTTP in the same list, when nobody answers there": (place) => {
    const [site] = place.sites;
    return transfer(place, libtorrent, bothSchemes, [`http://${site.ip}:${deadPort}/announce`, udp(site)]);
  },
  "or over HTTP when nobody answers over UDP": (place) => {
    const [site] = place.sites;
    return transfer(place, libtorrent, bothSchemes, [`udp://${site.ip}:${deadPort}/announce`, http(site)]);
  },
});
