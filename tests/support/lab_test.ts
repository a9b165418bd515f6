import assert from "node:assert/strict";
import { aria2 } from "./clients/aria2.ts";
import { libtorrent } from "./clients/libtorrent.ts";
import { scrapedPeers } from "./clients/opentracker.ts";
import { transmission } from "./clients/transmission.ts";
import { webtorrent } from "./clients/webtorrent.ts";
import { labTest } from "./lab.ts";
import { padded, tree } from "./payloads.ts";

// A ring, so that each is seen in both roles: where these fail, the interop tests say nothing about Weft.
const ring = [libtorrent, aria2, transmission, webtorrent, libtorrent];

await labTest(
  "the other clients download from each other",
  ring,
  Object.fromEntries(
    [tree, padded].flatMap((payload) =>
      ring.slice(1).map((leecher, index) => [`${ring[index].name} to ${leecher.name}, ${payload.name}`, async (lab) => {
        const published = await lab.publish(payload);
        await lab.seed(ring[index], published);
        await lab.download(leecher, published);
      }])
    ),
  ),
);

Deno.test("scrapedPeers() adds complete and incomplete peers of a scrape reply", () => {
  assert.equal(scrapedPeers("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei2e10:downloadedi9e10:incompletei3eeee"), 5);
  assert.equal(scrapedPeers("d5:filesdee"), 0);
});
