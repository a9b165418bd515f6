import assert from "node:assert/strict";
import { libtorrent, libtorrentNodes, type NodesRequest, type TorrentStatus } from "../support/clients/libtorrent.ts";
import { opentracker } from "../support/clients/opentracker.ts";
import type { Steered } from "../support/clients/steered.ts";
import { transmission, transmissionWith } from "../support/clients/transmission.ts";
import { webtorrent, webtorrentWith } from "../support/clients/webtorrent.ts";
import { steeredWeft, type WeftStatus } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { type BridgedSite } from "../support/netns.ts";
import { eventually, Neighbourhood, type Shared } from "../support/neighbourhood.ts";
import { single } from "../support/payloads.ts";

const port = 6881;
const trackerPort = 6969;
// Transmission names peers every 90 s, and not yet by the port where they listen if they came a moment before (ms).
const nextRound = 120_000;
/** Bytes per second of who must not be done while others meet. */
const downloadLimit = 20_000;

const threeMachines = (): Promise<Neighbourhood> => Neighbourhood.open(3);

/** A libtorrent that has the torrent, and nobody to find peers by but PEX. */
async function peer(
  place: Neighbourhood,
  site: BridgedSite,
  { torrent, data }: Shared,
  more: Partial<NodesRequest> & { seed?: boolean } = {},
): Promise<Steered> {
  const { seed = false, ...request } = more;
  const node = await place.use(libtorrentNodes(site, { listen: [`${site.ip}:${port}`], ...request }));
  const folder = seed ? data : await place.folder("out");
  await node.ask("add", { torrent, folder, seed, downloadLimit });
  return node;
}

/** A Weft that has the torrent, and knows `peers` besides what PEX tells it. */
async function weftPeer(
  place: Neighbourhood,
  site: BridgedSite,
  { torrent }: Shared,
  { peers = [], tracker = false }: { peers?: readonly string[]; tracker?: boolean },
): Promise<Steered & { readonly out: string }> {
  const scratch = await place.folder("weft");
  const profile = [
    `listen: "${site.ip}:${port}"`,
    `swarms: ${JSON.stringify([{ add: torrent, peers, allow_local: tracker }])}`,
    "plugins:",
    "  - use: tcp",
    "  - use: pex",
    ...(tracker ? ["  - use: tracker_http"] : []),
  ].join("\n");
  return Object.assign(await place.use(steeredWeft(site, { scratch, profile })), { out: `${scratch}/out` });
}

/** Waits until `node` is connected to a peer at `site` that has one of the sources, if any are given. */
async function meets(node: Steered, site: BridgedSite, source?: string): Promise<void> {
  await eventually(
    `meeting ${site.ip}`,
    () => node.ask<TorrentStatus>("status"),
    ({ peers }) =>
      peers.some(({ address, sources }) =>
        address.startsWith(`${site.ip}:`) && (source === undefined || sources.includes(source))
      ),
  );
}

await clientTest("weft exchanges peers with libtorrent", [libtorrent], threeMachines, {
  async "it hears of a seed from libtorrent, and downloads from it"(place) {
    const [a, b, c] = place.sites;
    const shared = await place.share(single);
    const known = await peer(place, a, shared);
    await peer(place, c, shared, { seed: true });
    await known.ask("connect", { address: `${c.ip}:${port}` });
    await meets(known, c);

    const weft = await weftPeer(place, b, shared, { peers: [`${a.ip}:${port}`] });
    const { sources } = await eventually(
      "weft downloads",
      () => weft.ask<WeftStatus>("status"),
      ({ states }) => states[shared.infoHash] === "seeding",
    );
    assert.deepEqual(sources[`${c.ip}:${port}`], ["pex"]);
    assert.ok(await place.holds(weft.out, shared));
  },

  async "libtorrent hears of it from libtorrent"(place) {
    const [a, b, c] = place.sites;
    const shared = await place.share(single);
    const known = await peer(place, a, shared);
    await weftPeer(place, b, shared, { peers: [`${a.ip}:${port}`] });
    await meets(known, b);
    const late = await peer(place, c, shared);
    await late.ask("connect", { address: `${a.ip}:${port}` });
    await meets(late, b, "pex");
  },

  async "two libtorrents that know it alone hear of each other"(place) {
    const [a, b, c] = place.sites;
    const shared = await place.share(single);
    await weftPeer(place, a, shared, {});
    const early = await peer(place, b, shared, { plain: true });
    await early.ask("connect", { address: `${a.ip}:${port}` });
    await meets(early, a);
    const late = await peer(place, c, shared);
    await late.ask("connect", { address: `${a.ip}:${port}` });
    await meets(late, b, "pex");
    await meets(early, c);
  },
});

/** A tracker on the last machine, and a torrent that names it beside the same one without. */
async function tracked(place: Neighbourhood): Promise<{ shared: Shared; announced: Shared }> {
  const site = place.sites[2];
  const announced = await place.share(single, [`http://${site.ip}:${trackerPort}/announce`]);
  const scratch = await place.folder("tracker");
  await place.use(opentracker.start({ site, port: trackerPort, scratch, infoHashes: [announced.infoHash] }));
  return { shared: await place.share(single), announced };
}

const withPex = transmissionWith({ "pex-enabled": true });

await clientTest("weft exchanges peers with Transmission", [libtorrent, transmission, opentracker], threeMachines, {
  async "it hears of libtorrent from Transmission"(place) {
    const [a, b, c] = place.sites;
    const { shared, announced } = await tracked(place);
    const { torrent } = announced;
    const out = await place.folder("out");
    const known = await place.use(
      withPex.leech({ torrent, out, site: a, port, scratch: await place.folder("transmission") }),
    );
    await known.ready;
    const other = await peer(place, c, shared, { plain: true });
    await other.ask("connect", { address: `${a.ip}:${port}` });
    await meets(other, a);

    const weft = await weftPeer(place, b, shared, { peers: [`${a.ip}:${port}`] });
    const address = `${c.ip}:${port}`;
    const { sources } = await eventually(
      "weft hears of it",
      () => weft.ask<WeftStatus>("status"),
      ({ sources, peers }) => address in sources && peers.some((peer) => peer.address === address),
      nextRound,
    );
    assert.deepEqual(sources[address], ["pex"]);
  },

  async "Transmission hears of libtorrent from it"(place) {
    const [a, b, c] = place.sites;
    const { shared, announced } = await tracked(place);
    await weftPeer(place, b, announced, { tracker: true });
    // It has no PEX: who meets it was told of it by Weft.
    const other = await peer(place, c, shared, { plain: true });
    await other.ask("connect", { address: `${b.ip}:${port}` });
    await meets(other, b);
    const out = await place.folder("out");
    const { torrent } = announced;
    await place.use(withPex.leech({ torrent, out, site: a, port, scratch: await place.folder("transmission") }));
    await meets(other, a);
  },
});

await clientTest("weft exchanges peers with webtorrent", [libtorrent, webtorrent], threeMachines, {
  async "webtorrent hears of libtorrent from it"(place) {
    const [a, b, c] = place.sites;
    const shared = await place.share(single);
    await weftPeer(place, b, shared, {});
    const other = await peer(place, c, shared, { plain: true });
    await other.ask("connect", { address: `${b.ip}:${port}` });
    await meets(other, b);
    const out = await place.folder("out");
    const { torrent } = shared;
    const scratch = await place.folder("webtorrent");
    const request = { torrent, out, site: a, port, scratch, peer: `${b.ip}:${port}` };
    await place.use(webtorrentWith({ utPex: true }).leech(request));
    await meets(other, a);
  },
});
