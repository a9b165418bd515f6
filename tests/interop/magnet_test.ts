import { aria2 } from "../support/clients/aria2.ts";
import type { Client } from "../support/clients/client.ts";
import { transmission } from "../support/clients/transmission.ts";
import { webtorrent } from "../support/clients/webtorrent.ts";
import { weft } from "../support/clients/weft.ts";
import { type Lab, labTest } from "../support/lab.ts";
import { large, tree } from "../support/payloads.ts";

/** Has `leecher` fetch by a magnet link alone what `seeder` has; peers come from the tracker that the link names. */
async function fetchByMagnet(lab: Lab, seeder: Client, leecher: Client, payload: typeof tree): Promise<void> {
  const published = await lab.publish(payload);
  await lab.seed(seeder, published);
  await lab.download(leecher, published, { torrent: lab.magnet(published) });
}

// Those by libtorrent are in connections_test.ts.
for (const other of [aria2, transmission, webtorrent]) {
  const cases: Record<string, (lab: Lab) => Promise<void>> = {};
  for (const payload of [tree, large]) {
    cases[`Weft fetches ${payload.name} from it`] = (lab) => fetchByMagnet(lab, other, weft, payload);
    cases[`it fetches ${payload.name} from Weft`] = (lab) => fetchByMagnet(lab, weft, other, payload);
  }
  await labTest(`magnets are fetched from ${other.name}, and served to it`, [other, weft], cases);
}
