import assert from "node:assert/strict";
import { InfoHash, type PeerAddress, peerAddress } from "weft";
import { findPeers } from "./find_peers.ts";
import type { LookupRequest, LookupResult } from "./machine.ts";
import type { DhtNode } from "./node.ts";

const infoHash = InfoHash.parse("0123456789abcdef0123456789abcdef01234567");
const id = "i".repeat(20);
const from = peerAddress("192.0.2.1", 6881);
const nth = (n: number): PeerAddress => peerAddress(`20.${n >> 16}.${n >> 8 & 255}.${n & 255}`, 1);

/** A node whose lookups are answered by hand. */
function manual(): { node: DhtNode; requests: LookupRequest[]; finish: PromiseWithResolvers<LookupResult> } {
  const finish = Promise.withResolvers<LookupResult>();
  const requests: LookupRequest[] = [];
  const node = {
    lookup: (request: LookupRequest) => {
      requests.push(request);
      return finish.promise;
    },
  };
  return { node: node as unknown as DhtNode, requests, finish };
}

Deno.test("peers come as soon as a node names them, once each, with who named them", async () => {
  const { node, requests, finish } = manual();
  const peers = findPeers(node, [infoHash], new AbortController().signal);
  const first = peers.next();
  requests[0].replied!({ id, values: [nth(1), nth(2), nth(1)] }, from);
  assert.deepEqual(await first, { done: false, value: { address: nth(1), namedBy: from.ip } });
  requests[0].replied!({ id, values: [nth(2)] }, from);
  assert.deepEqual(await peers.next(), { done: false, value: { address: nth(2), namedBy: from.ip } });
  const last = peers.next();
  finish.resolve({ closest: [{ id, address: from }], asked: 1, hops: 1 });
  assert.deepEqual(await last, { done: true, value: [{ infoHash, closest: [{ id, address: from }] }] });
});

Deno.test("one node may name 100 peers, and all together 1,000", async () => {
  const { node, requests, finish } = manual();
  const peers = findPeers(node, [infoHash], new AbortController().signal);
  const first = peers.next();
  for (let n = 0; n < 50_000; n += 1_000) {
    requests[0].replied!({ id, values: Array.from({ length: 1_000 }, (_, i) => nth(n + i)) }, from);
  }
  finish.resolve({ closest: [], asked: 1, hops: 1 });
  let count = 0;
  for (let next = await first; !next.done; next = await peers.next()) count++;
  assert.equal(count, 1_000);
});

Deno.test("it throws what its lookups reject with", async () => {
  const { node, finish } = manual();
  const peers = findPeers(node, [infoHash], new AbortController().signal);
  const first = peers.next();
  finish.reject(new Error("the round was given up"));
  await assert.rejects(first, /given up/);
});
