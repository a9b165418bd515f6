import type { Client } from "../support/clients/client.ts";
import { weft } from "../support/clients/weft.ts";
import { type Lab, labTest } from "../support/lab.ts";
import { large, padded, secret, single, tree } from "../support/payloads.ts";

/**
 * Declares the tests of Weft with one other client: every kind of torrent, in both directions, peers found through
 * the tracker; and once more with the peer named, where the leecher can be told.
 */
export async function matrix(other: Client): Promise<void> {
  for (const [seeder, leecher] of [[other, weft], [weft, other]]) {
    const cases: Record<string, (lab: Lab) => Promise<void>> = {};
    for (const payload of [single, tree, padded, secret, large]) {
      cases[`${payload.name}, through the tracker`] = async (lab) => {
        const published = await lab.publish(payload);
        await lab.seed(seeder, published);
        await lab.download(leecher, published);
      };
    }
    if (leecher.takesPeers) {
      cases[`${tree.name}, from a named peer`] = async (lab) => {
        const published = await lab.publish(tree);
        await lab.seed(seeder, published);
        await lab.download(leecher, published, { peer: lab.seeder });
      };
    }
    await labTest(`${leecher.name} downloads every kind of torrent from ${seeder.name}`, [seeder, leecher], cases);
  }
}
