import assert from "node:assert/strict";
import { conformance } from "weft/conformance";
import { startPlugin } from "weft/testing";
import plugin from "./roster.ts";

/** A web server in the test's own world. */
const serve = { "peers.example": () => Response.json(["192.0.2.7:6881", "[2001:db8::7]:6881"]) };

Deno.test("roster names the peers that its server lists", async () => {
  await using bench = await startPlugin(plugin, { with: { url: "https://peers.example/list" }, serve });
  const { candidates, again } = await bench.discover();
  assert.deepEqual(candidates.map(({ address }) => address.key), ["192.0.2.7:6881", "[2001:db8::7]:6881"]);
  assert.equal(again, 5 * 60_000);
});

Deno.test("roster refuses a mistake in its configuration", async () => {
  const mistaken = { url: "https://peers.example/list", evry: "10m" };
  await assert.rejects(startPlugin(plugin, { with: mistaken }), /unknown key "evry" in with, did you mean "every"\?/);
});

conformance(plugin, { serve });
