import { libtorrent, libtorrentNodes } from "../support/clients/libtorrent.ts";
import type { Steered } from "../support/clients/steered.ts";
import { steeredWeft, type WeftStatus } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { type BridgedSite, run } from "../support/netns.ts";
import { eventually, Neighbourhood, type Shared } from "../support/neighbourhood.ts";
import { single } from "../support/payloads.ts";

const port = 6881;
/** libtorrent names peers some seconds after they came, and a dial that nobody answers ends after ten (ms). */
const patience = 60_000;

const threeMachines = (): Promise<Neighbourhood> => Neighbourhood.open(3);

/** A Weft that speaks uTP alone, so that its UDP port is where the relay sees it. */
async function weftPeer(
  place: Neighbourhood,
  site: BridgedSite,
  { torrent }: Shared,
  { knows, plugins }: { readonly knows: BridgedSite; readonly plugins: readonly string[] },
): Promise<Steered> {
  const scratch = await place.folder("weft");
  const profile = [
    `listen: "${site.ip}:${port}"`,
    `swarms: ${JSON.stringify([{ add: torrent, peers: [`${knows.ip}:${port}`] }])}`,
    "plugins:",
    ...plugins.map((use) => `  - use: ${use}`),
  ].join("\n");
  return await place.use(steeredWeft(site, { scratch, profile }));
}

/** Looks until a Weft's status is as wanted. */
async function untilStatus(what: string, weft: Steered, fits: (status: WeftStatus) => boolean): Promise<void> {
  await eventually(what, () => weft.ask<WeftStatus>("status"), fits, patience);
}

await clientTest("weft meets peers through libtorrent", [libtorrent], threeMachines, {
  async "a peer that it can't dial dials it, since libtorrent tells it to"(place) {
    const [a, b, c] = place.sites;
    const shared = await place.share(single);
    const relay = await place.use(
      libtorrentNodes(c, { listen: [`${c.ip}:${port}`], settings: { enable_incoming_utp: true } }),
    );
    await relay.ask("add", { torrent: shared.torrent, folder: await place.folder("out"), seed: false });
    // As long as there is no way from the one to the other, its dials get no answer.
    await run("ip", "-n", a.name, "route", "add", "unreachable", b.ip);
    // The other one takes no names of peers: it hears of the first by `connect` alone.
    const target = await weftPeer(place, b, shared, { knows: c, plugins: ["utp", "holepunch"] });
    await untilStatus("the target meets the relay", target, ({ peers }) => peers.length === 1);
    const initiator = await weftPeer(place, a, shared, { knows: c, plugins: ["utp", "pex", "holepunch"] });
    const from = (site: BridgedSite): string => `${site.ip}:${port}`;
    await untilStatus(
      "the target is told to dial",
      target,
      ({ sources }) => sources[from(a)]?.includes("holepunch") ?? false,
    );
    await run("ip", "-n", a.name, "route", "del", "unreachable", b.ip);
    for (const [weft, other] of [[initiator, b], [target, a]] as const) {
      await untilStatus("they meet", weft, ({ peers }) => peers.some(({ address }) => address === from(other)));
    }
  },
});
