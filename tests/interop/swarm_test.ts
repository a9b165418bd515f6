import assert from "node:assert/strict";
import { aria2 } from "../support/clients/aria2.ts";
import { libtorrent, libtorrentStats } from "../support/clients/libtorrent.ts";
import { weft, weftEvents } from "../support/clients/weft.ts";
import { labTest } from "../support/lab.ts";
import { large } from "../support/payloads.ts";

const total = large.files[0].size;
/** Upload limit of the only seeder, in bytes per second: the leechers have time to meet, and reason to share. */
const uploadLimit = 8 << 20;

await labTest("weft gives to others what it has while it downloads the rest", [libtorrent, aria2, weft], {
  async "one seeder and two leechers, who know the tracker alone"(lab) {
    const published = await lab.publish(large);
    const counters = await lab.folder("counters");
    await lab.seed(libtorrent, published, { uploadLimit, scratch: counters });

    const outs = [await lab.folder("weft-out"), await lab.folder("aria2-out")];
    const first = await lab.leech(weft, published, { out: outs[0] });
    await published.tracker.untilPeers(published.infoHash, 2);
    const second = await lab.leech(aria2, published, { out: outs[1], port: 6992 });
    await Promise.all([lab.completes(first), lab.completes(second)]);
    await lab.verify(weft, published, outs[0]);
    await lab.verify(aria2, published, outs[1]);

    const early = weftEvents(first).some(({ event, uploaded, done, wanted }) =>
      event === "progress" && Number(uploaded) > 0 && Number(done) < Number(wanted)
    );
    assert.ok(early, `weft uploaded before it had everything:\n${first.log()}`);
    const { bytes } = await libtorrentStats(counters);
    assert.ok(bytes < 2 * total, `the seeder sent ${bytes} bytes, less than both leechers took`);
  },
});
