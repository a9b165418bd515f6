import assert from "node:assert/strict";
import type { Client, RunningClient } from "../support/clients/client.ts";
import { libtorrentWith } from "../support/clients/libtorrent.ts";
import { transmissionWith } from "../support/clients/transmission.ts";
import { webtorrentWith } from "../support/clients/webtorrent.ts";
import { weftEvents, weftWithProfile } from "../support/clients/weft.ts";
import { type Lab, labTest, type Payload } from "../support/lab.ts";
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

/** Many files, and enough bytes for windows to open. */
const both = [tree, large];
/** Smaller ones with libtorrent are in connections_test.ts. */
const others: Readonly<Record<string, readonly [other: Client, weft: Client, payloads: readonly Payload[]]>> = {
  "libtorrent": [libtorrentWith(libtorrentOverUtp), plain, [large]],
  "libtorrent with forced RC4": [
    libtorrentWith({ ...libtorrentOverUtp, in_enc_policy: 0, out_enc_policy: 0, allowed_enc_level: 2 }),
    encrypted,
    [large],
  ],
  "Transmission": [transmissionWith({ "utp-enabled": true }), plain, both],
  "webtorrent with native libutp": [webtorrentWith({ utp: true }), plain, both],
};

for (const [name, [other, weft, payloads]] of Object.entries(others)) {
  const cases: Record<string, (lab: Lab) => Promise<void>> = {};
  for (const payload of payloads) {
    cases[`it downloads ${payload.name} from Weft`] = (lab) => transfer(lab, weft, other, payload);
    cases[`Weft downloads ${payload.name} from it`] = (lab) => transfer(lab, other, weft, payload);
  }
  await labTest(`uTP with ${name}`, [other], cases);
}

await labTest("uTP between two Wefts", [plain], {
  "many files": (lab) => transfer(lab, plain, plain, tree),
  "64 MiB": (lab) => transfer(lab, plain, plain, large),
});

/** Moves a torrent, and makes sure that it went over uTP. */
async function transfer(lab: Lab, seeder: Client, leecher: Client, payload: Payload): Promise<void> {
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
