import assert from "node:assert/strict";
import { libtorrent, libtorrentStats } from "../support/clients/libtorrent.ts";
import { weft } from "../support/clients/weft.ts";
import { labTest } from "../support/lab.ts";
import { until } from "../support/netns.ts";
import { large } from "../support/payloads.ts";

const MiB = 1 << 20;
const total = large.files[0].size;
/** Upload limit of the seeder, in bytes per second: slow enough that half is a time that can be met. */
const uploadLimit = 16 * MiB;
/** Bytes that may come twice: pieces that were under way or not yet durable when the end came. */
const lost = 16 * MiB;

await labTest("weft goes on where it was after kill -9", [libtorrent, weft], {
  async "half of a download, then the other half"(lab) {
    const published = await lab.publish(large);
    const counters = await lab.folder("counters");
    await lab.seed(libtorrent, published, { uploadLimit, scratch: counters });
    const out = await lab.folder("out");
    const scratch = await lab.folder("state");

    const first = await lab.leech(weft, published, { out, scratch });
    let ended = false;
    first.done.finally(() => ended = true).catch(() => {});
    await until(async () => (await libtorrentStats(counters)).bytes >= total / 2, () => ended);
    await first.stop("SIGKILL");
    await assert.rejects(first.done);
    const before = (await libtorrentStats(counters)).bytes;

    await lab.download(weft, published, { out, scratch });
    const again = (await libtorrentStats(counters)).bytes - before;
    assert.ok(again <= total - before + lost, `${again} bytes came after ${before} of ${total} had come`);
    assert.ok(before < total, "it was killed before it was done");
  },
});
