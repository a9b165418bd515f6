import { libtorrent, libtorrentNodes, type TorrentStatus } from "../support/clients/libtorrent.ts";
import type { Steered } from "../support/clients/steered.ts";
import { steeredWeft, type WeftStatus } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { nat, type NatOptions, putBehindNat } from "../support/nat.ts";
import type { BridgedSite } from "../support/netns.ts";
import { eventually, Neighbourhood, type Shared } from "../support/neighbourhood.ts";
import { single } from "../support/payloads.ts";

const port = 6881;
/** Peers are named some seconds after they came, and two dials that nobody answers may take ten seconds each (ms). */
const patience = 90_000;

const threeMachines = (): Promise<Neighbourhood> => Neighbourhood.open(3);

/** A client on one machine. */
interface Part {
  start(place: Neighbourhood, site: BridgedSite, shared: Shared, options: {
    /** Whom it dials. */
    readonly relay?: BridgedSite;
    /** Whether it names peers, and takes names. */
    readonly pex: boolean;
  }): Promise<Steered>;
  /** The IPs of those that it has shaken hands with. */
  met(started: Steered): Promise<readonly string[]>;
}

/** A Weft that speaks uTP alone, so that its UDP port is where the relay sees it. */
const weft: Part = {
  async start(place, site, { torrent }, { relay, pex }) {
    const scratch = await place.folder("weft");
    const profile = [
      `listen: "${site.ip}:${port}"`,
      `swarms: ${JSON.stringify([{ add: torrent, peers: relay ? [`${relay.ip}:${port}`] : [] }])}`,
      "plugins:",
      ...["utp", "holepunch", ...(pex ? ["pex"] : [])].map((use) => `  - use: ${use}`),
    ].join("\n");
    return await place.use(steeredWeft(site, { scratch, profile }));
  },
  async met(started) {
    const { peers } = await started.ask<WeftStatus>("status");
    return peers.map(({ address }) => address.split(":")[0]);
  },
};

/**
 * A libtorrent that speaks uTP alone. It asks whoever named a peer to it for a meeting, after two dials that failed, if
 * it was told that both take `ut_holepunch`; which is no plugin of it, so that one without PEX takes it too.
 */
const libtorrentPeer: Part = {
  async start(place, site, { torrent }, { relay, pex }) {
    const settings = {
      enable_incoming_tcp: false,
      enable_incoming_utp: true,
      enable_outgoing_tcp: false,
      enable_outgoing_utp: true,
      utp_syn_resends: 1,
    };
    const node = await place.use(libtorrentNodes(site, { listen: [`${site.ip}:${port}`], settings, plain: !pex }));
    await node.ask("add", { torrent, folder: await place.folder("out"), seed: false });
    if (relay) await node.ask("connect", { address: `${relay.ip}:${port}` });
    return node;
  },
  async met(started) {
    const { peers } = await started.ask<TorrentStatus>("status");
    // It says who a client is once that one's handshake came.
    return peers.filter(({ client }) => client !== "").map(({ address }) => address.split(":")[0]);
  },
};

/**
 * Two machines that let nobody in meet. The target takes no names of peers: it hears of the initiator by `connect`
 * alone, and lets it in only because it dials it then.
 */
async function meet(
  place: Neighbourhood,
  parts: { readonly initiator: Part; readonly relay: Part; readonly target: Part },
  router: NatOptions = {},
): Promise<void> {
  const [a, b, c] = place.sites;
  const shared = await place.share(single);
  for (const site of [a, b]) await putBehindNat(site, router);
  const relay = await parts.relay.start(place, c, shared, { pex: true });
  const meets = (what: string, part: Part, started: Steered, { ip }: BridgedSite): Promise<unknown> =>
    eventually(what, () => part.met(started), (met) => met.includes(ip), patience);
  const target = await parts.target.start(place, b, shared, { relay: c, pex: false });
  await meets("the relay meets the target", parts.relay, relay, b);
  const initiator = await parts.initiator.start(place, a, shared, { relay: c, pex: true });
  await meets("the initiator meets the target", parts.initiator, initiator, b);
  await meets("the target meets the initiator", parts.target, target, a);
}

// libtorrent as a relay names peers at the port that they say, and knows them only at that which it sees.
const changed = { udp: { inside: port, outside: 40_123 } };

await clientTest("holes are punched with libtorrent", [libtorrent, nat], threeMachines, {
  "from Weft to Weft, through libtorrent": (place) =>
    meet(place, { initiator: weft, relay: libtorrentPeer, target: weft }),
  "from Weft to libtorrent, through libtorrent": (place) =>
    meet(place, { initiator: weft, relay: libtorrentPeer, target: libtorrentPeer }),
  "from libtorrent to Weft, through libtorrent": (place) =>
    meet(place, { initiator: libtorrentPeer, relay: libtorrentPeer, target: weft }),
  "from libtorrent to libtorrent, through Weft, in routers that change ports": (place) =>
    meet(place, { initiator: libtorrentPeer, relay: weft, target: libtorrentPeer }, changed),
  "from Weft to libtorrent, through Weft, in routers that change ports": (place) =>
    meet(place, { initiator: weft, relay: weft, target: libtorrentPeer }, changed),
  "from libtorrent to Weft, through Weft, in routers that change ports": (place) =>
    meet(place, { initiator: libtorrentPeer, relay: weft, target: weft }, changed),
});
