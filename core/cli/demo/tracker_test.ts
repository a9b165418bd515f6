import assert from "node:assert/strict";
import { decode, decodePeers4 } from "../../wire/mod.ts";
import { demoTracker } from "./tracker.ts";

const tracker = demoTracker("127.0.0.1");

async function announce(query: string): Promise<Map<string, unknown>> {
  const response = await tracker(new Request(`http://127.0.0.1/announce?${query}`));
  return decode(new Uint8Array(await response.arrayBuffer())) as Map<string, unknown>;
}

function peersOf(answer: Map<string, unknown>): string[] {
  return decodePeers4(answer.get("peers") as Uint8Array).map(({ key }) => key);
}

Deno.test("demoTracker() tells each peer of the others in its swarm", async () => {
  assert.deepEqual(peersOf(await announce("info_hash=%01a&port=1001")), []);
  assert.deepEqual(peersOf(await announce("port=1002&info_hash=%01a")), ["127.0.0.1:1001"]);
  assert.deepEqual(peersOf(await announce("info_hash=%02a&port=1003")), []);
  await announce("info_hash=%01a&port=1001&event=stopped");
  assert.deepEqual(peersOf(await announce("info_hash=%01a&port=1002")), []);
});

Deno.test("demoTracker() refuses announces that lack something", async () => {
  assert.ok((await announce("port=1")).has("failure reason"));
  assert.ok((await announce("info_hash=x&port=0")).has("failure reason"));
});
