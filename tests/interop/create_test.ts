import assert from "node:assert/strict";
import { libtorrent } from "../support/clients/libtorrent.ts";
import { transmission } from "../support/clients/transmission.ts";
import { webtorrent } from "../support/clients/webtorrent.ts";
import { weft, weftCommand } from "../support/clients/weft.ts";
import { labTest } from "../support/lab.ts";
import { run } from "../support/netns.ts";
import { secret } from "../support/payloads.ts";

const readers = [libtorrent, transmission, webtorrent];

await labTest(
  "other clients download a private torrent that weft create made",
  [...readers, weft],
  Object.fromEntries(readers.map((reader) => [reader.name, async (lab) => {
    const published = await lab.publish(secret);
    const torrent = `${await lab.folder("created")}/created.torrent`;
    const [command, ...args] = weftCommand(
      "create",
      `${published.data}/${secret.name}`,
      ...["--out", torrent, "--tracker", published.tracker.url, "--private", "--piece-length", "64 KiB"],
    );
    const { code, stdout, stderr } = await run(command, ...args);
    assert.equal(code, 0, stderr);
    const infoHash = stdout.match(/\b[0-9a-f]{40}\b/)?.[0];
    assert.ok(infoHash, `it prints the info-hash: ${stdout}`);

    const created = await lab.republish({ ...published, torrent, infoHash });
    await lab.seed(weft, created);
    await lab.download(reader, created);
  }])),
);
