import assert from "node:assert/strict";
import { libtorrent, libtorrentNodes, type TorrentStatus } from "../support/clients/libtorrent.ts";
import { steeredWeft, type WeftStatus } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { eventually, Neighbourhood } from "../support/neighbourhood.ts";
import { single, tree } from "../support/payloads.ts";

const port = 6881;

await clientTest("weft and libtorrent find each other on a local network", [libtorrent], () => Neighbourhood.open(2), {
  async "over IPv4 and IPv6, and each downloads what the other has"(place) {
    const [here, there] = place.sites;
    const ours = await place.share(tree);
    const theirs = await place.share(single);
    const listen = [`${there.ip}:${port},[${there.ip6}]:${port}`, `${there.ip}:${port + 1},[${there.ip6}]:${port + 1}`];
    const nodes = await place.use(libtorrentNodes(there, { listen, settings: { enable_lsd: true } }));
    const folder = await place.folder("out");
    await nodes.ask("add", { node: 0, torrent: theirs.torrent, folder: theirs.data, seed: true });
    await nodes.ask("add", { node: 1, torrent: ours.torrent, folder });

    const scratch = await place.folder("weft");
    const swarms = [{ add: theirs.torrent }, { add: ours.torrent, path: ours.data }];
    const profile = [
      `listen: "[::]:${port}"`,
      `swarms: ${JSON.stringify(swarms)}`,
      "plugins:",
      "  - use: tcp",
      "  - use: lpd",
    ].join("\n");
    const weft = await place.use(steeredWeft(here, { scratch, profile }));

    const seen = await eventually(
      "weft downloads and sees both addresses",
      () => weft.ask<WeftStatus>("status"),
      ({ states, sources }) =>
        states[theirs.infoHash] === "seeding" && `${there.ip}:${port}` in sources &&
        `[${there.ip6}]:${port}` in sources,
    );
    for (const address of [`${there.ip}:${port}`, `[${there.ip6}]:${port}`]) {
      assert.deepEqual(seen.sources[address], ["lpd"]);
    }
    assert.ok(await place.holds(`${scratch}/out`, theirs));

    await eventually(
      "libtorrent finds weft, and downloads from it",
      () => nodes.ask<TorrentStatus>("status", { node: 1 }),
      ({ seeding, neighbours }) =>
        seeding && [here.ip, `[${here.ip6}]`].every((ip) => neighbours.includes(`${ip}:${port}`)),
    );
    assert.ok(await place.holds(folder, ours));
  },
});
