import assert from "node:assert/strict";
import type { Client, RunningClient } from "../support/clients/client.ts";
import { libtorrentWith } from "../support/clients/libtorrent.ts";
import { transmissionWith } from "../support/clients/transmission.ts";
import { webtorrentWith } from "../support/clients/webtorrent.ts";
import { weftEvents, weftWithProfile } from "../support/clients/weft.ts";
import { type Lab, labTest } from "../support/lab.ts";
import { large, tree } from "../support/payloads.ts";

/** Weft that speaks uTP before TCP; it listens on both, as clients look for its TCP port. */
const plain = weftWithProfile("plugins:\n  - use: utp\n  - use: tcp\n  - use: tracker_http\n");
const encrypted = weftWithProfile(
  "plugins:\n  - use: utp\n  - use: tcp\n  - use: tracker_http\n  - use: mse\n    with: { policy: require }\n",
);
const libtorrentOverUtp = {
  enable_incoming_utp: true,
  enable_outgoing_utp: true,
  enable_incoming_tcp: false,
  enable_outgoing_tcp: false,
};

const pairs: Readonly<Record<string, readonly [other: Client, weft: Client]>> = {
  "libtorrent": [libtorrentWith(libtorrentOverUtp), plain],
  "libtorrent with forced RC4": [
    libtorrentWith({ ...libtorrentOverUtp, in_enc_policy: 0, out_enc_policy: 0, allowed_enc_level: 2 }),
    encrypted,
  ],
  "Transmission": [transmissionWith({ "utp-enabled": true }), plain],
  "webtorrent with native libutp": [webtorrentWith({ utp: true }), plain],
  "another Weft": [plain, plain],
};

for (const [name, [other, weft]] of Object.entries(pairs)) {
  await labTest(`uTP with ${name}`, [other], {
    "it downloads many files from Weft": (lab) => transfer(lab, weft, other, tree),
    "Weft downloads many files from it": (lab) => transfer(lab, other, weft, tree),
  });
  // Enough for windows to open.
  await labTest(`64 MiB over uTP with ${name}`, [other], {
    "it downloads from Weft": (lab) => transfer(lab, weft, other, large),
  });
  await labTest(`64 MiB over uTP from ${name}`, [other], {
    "Weft downloads from it": (lab) => transfer(lab, other, weft, large),
  });
}

/** Moves a torrent, and makes sure that it went over uTP. */
async function transfer(lab: Lab, seeder: Client, leecher: Client, payload: typeof tree): Promise<void> {
  const published = await lab.publish(payload);
  const seeding = await lab.seed(seeder, published);
  const out = await lab.folder("out");
  const leeching = await lab.leech(leecher, published, { out });
  await lab.completes(leeching);
  await lab.verify(leecher, published, out);
  await seeding.stop();
  const transports = new Set([...used(seeding), ...used(leeching)]);
  assert.deepEqual([...transports], ["utp"], `${seeding.log().slice(-2000)}\n${leeching.log().slice(-2000)}`);
}

/** The transports that peers were connected over. */
function used(client: RunningClient): unknown[] {
  return weftEvents(client).filter(({ event }) => event === "peer.connected").map(({ data }) =>
    (data as Record<string, unknown>).transport
  );
}
