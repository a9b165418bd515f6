import assert from "node:assert/strict";
import { decodeUdpTrackerRequest, fromHex, toHex } from "weft";
import { queryOf, readAnnounce, readScrape } from "./query.ts";
import clients from "../../tests/fixtures/tracker/clients.json" with { type: "json" };

const infoHash = "fe21ee5a42f78bf5b526d1b80f6a38e3b5b7b746";
const portOf = new Map([["aria2 1.36.0", 7801], ["libtorrent 2.0.8", 7802], ["Transmission 3.00", 7803]]);
const numwant = new Map([["aria2 1.36.0", 50], ["libtorrent 2.0.8", 200], ["Transmission 3.00", 80]]);

/** What stands between GET and HTTP/1.1. */
const target = (line: string): string => line.split(" ")[1];

for (const { client, http, stopped, scrape, udp } of clients) {
  Deno.test(`what ${client} asks is understood`, () => {
    const announce = readAnnounce(queryOf(target(http)));
    assert.deepEqual(
      [toHex(announce.infoHash), announce.port, announce.complete, announce.event, announce.wanted, announce.compact],
      [infoHash, portOf.get(client), false, "started", numwant.get(client), true],
    );
    assert.ok(announce.key !== undefined);
    if (stopped) {
      const last = readAnnounce(queryOf(target(stopped)));
      assert.deepEqual([last.event, last.wanted, last.key], ["stopped", 0, announce.key]);
    }
    if (scrape) assert.deepEqual(readScrape(queryOf(target(scrape))).map(toHex), [infoHash]);
    if (udp) {
      const request = decodeUdpTrackerRequest(fromHex(udp));
      assert.ok(request.action === "announce");
      const { infoHash: hash, port, left, event, wanted, urlData } = request;
      assert.deepEqual([toHex(hash), left, event, wanted], [infoHash, 100_000, "started", numwant.get(client)]);
      assert.equal(port, portOf.get(client));
      assert.equal(urlData, client.startsWith("libtorrent") ? "/announce?x=1" : undefined);
    }
  });
}
