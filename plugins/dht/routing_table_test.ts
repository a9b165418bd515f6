import assert from "node:assert/strict";
import { type PeerAddress, peerAddress } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import type { Contact } from "./contact.ts";
import { compareDistance, type NodeId, randomId, randomIdSharing, secureId, sharedBits } from "./node_id.ts";
import { K, RoutingTable } from "./routing_table.ts";

const minute = 60_000;
const random = new SeededRandom(1);
const own = randomId(random);

/** An address in a network of its own. */
function at(n: number): PeerAddress {
  return peerAddress(`${20 + (n >> 8)}.0.${n & 255}.1`, 6881);
}

/** A node that shares exactly so many bits with ours. */
function node(n: number, bits: number): Contact {
  return { id: randomIdSharing(own, bits, random), address: at(n) };
}

/** A table with a full first bucket, past splitting, and its nodes. */
function full(): { table: RoutingTable; nodes: Contact[] } {
  const table = new RoutingTable(own, "off");
  const nodes = Array.from({ length: 2 * K }, (_, n) => node(n, n < K ? 0 : 1));
  for (const each of nodes) table.answered(0, each);
  return { table, nodes };
}

Deno.test("the bucket with our id splits, others keep 8 nodes", () => {
  const table = new RoutingTable(own, "off");
  for (let n = 0; n < 2_000; n++) table.answered(0, { id: randomId(random), address: at(n) });
  assert.ok(table.buckets > 5 && table.buckets < 20, `${table.buckets}`);
  const counts = new Map<number, number>();
  for (const { id } of table.nodes()) counts.set(sharedBits(own, id), (counts.get(sharedBits(own, id)) ?? 0) + 1);
  assert.ok([...counts.values()].every((count) => count <= K));
  assert.ok(table.size <= K * table.buckets);
});

Deno.test("closest() gives the closest of all, closest first", () => {
  const table = new RoutingTable(own, "off");
  for (let n = 0; n < 2_000; n++) table.answered(0, { id: randomId(random), address: at(n) });
  const all = [...table.nodes()];
  const targets: NodeId[] = [own, ...Array.from({ length: 200 }, (_, i) => randomIdSharing(own, i % 30, random))];
  for (const target of targets) {
    const expected = all.map(({ id }) => id).sort((a, b) => compareDistance(target, a, b)).slice(0, K);
    assert.deepEqual(table.closest(target).map(({ id }) => id), expected);
  }
});

Deno.test("a node that fails gives way to one that waits; without one, after the third time", () => {
  const { table, nodes } = full();
  const spare = node(100, 0);
  table.answered(0, spare);
  assert.ok(!table.has(spare.address));
  table.failed(0, nodes[0].address);
  assert.ok(table.has(nodes[0].address));
  table.failed(0, nodes[0].address);
  assert.ok(!table.has(nodes[0].address) && table.has(spare.address));
  for (let i = 0; i < 3; i++) table.failed(0, nodes[1].address);
  assert.ok(!table.has(nodes[1].address));
  table.failed(0, nodes[2].address);
  table.failed(0, nodes[2].address);
  assert.ok(!table.closest(nodes[2].id).some(({ id }) => id === nodes[2].id), "who is likely gone is not passed on");
  table.answered(1, nodes[2]);
  assert.equal(table.closest(nodes[2].id)[0].id, nodes[2].id);
});

Deno.test("one address has one place, and one network two in a bucket and ten in all", () => {
  const table = new RoutingTable(own, "off");
  const enter = (ip: string, port: number, bits: number): void =>
    table.answered(0, { id: randomIdSharing(own, bits, random), address: peerAddress(ip, port) });
  for (let port = 1; port <= 20; port++) enter("198.51.100.1", port, 0);
  assert.equal(table.size, 1);
  for (let host = 2; host <= 20; host++) enter(`198.51.100.${host}`, 1, 0);
  assert.equal(table.size, 2);
  for (let n = 0; n < 500; n++) table.answered(0, node(n, n % 12));
  for (let host = 21; host < 250; host++) enter(`198.51.100.${host}`, 1, host % 15);
  const ours = [...table.nodes()].filter(({ address }) => address.ip.startsWith("198.51.100."));
  assert.ok(ours.length <= 10, `${ours.length}`);
  for (let port = 1; port <= 8; port++) enter("127.0.0.1", port, 20);
  assert.equal([...table.nodes()].filter(({ address }) => address.ip === "127.0.0.1").length, 8);
});

Deno.test("who takes another's id or changes its own gains no place", () => {
  const table = new RoutingTable(own, "off");
  const honest = node(1, 0);
  table.answered(0, honest);
  table.answered(0, { id: honest.id, address: at(2) });
  assert.equal(table.closest(honest.id)[0].address, honest.address);
  assert.equal(table.size, 1);
  table.answered(0, { id: randomIdSharing(own, 3, random), address: honest.address });
  assert.equal(table.size, 1);
  table.answered(0, { id: own, address: at(3) });
  assert.equal(table.size, 1);
});

Deno.test("with prefer, a node whose id fits its address takes the place of one whose doesn't; require wants only such", () => {
  const secure = (): Contact => {
    for (let n = 500;; n++) {
      const id = secureId(at(n).ip, random);
      if (sharedBits(own, id) === 0) return { id, address: at(n) };
    }
  };
  for (const [mode, enters] of [["off", false], ["prefer", true]] as const) {
    const table = new RoutingTable(own, mode);
    for (let n = 0; n < 2 * K; n++) table.answered(0, node(n, n < K ? 0 : 1));
    const fitting = secure();
    table.answered(0, fitting);
    assert.equal(table.has(fitting.address), enters);
  }
  const strict = new RoutingTable(own, "require");
  strict.answered(0, node(1, 0));
  assert.equal(strict.size, 0);
  strict.answered(0, { id: randomId(random), address: peerAddress("10.0.0.1", 1) });
  assert.equal(strict.size, 1);
});

Deno.test("questionable() names who has not answered for 15 minutes once, and who failed after half a minute", () => {
  const { table, nodes } = full();
  assert.equal(table.questionable(14 * minute), undefined);
  const asked = new Set(Array.from({ length: 2 * K }, () => table.questionable(15 * minute)?.id));
  assert.equal(asked.size, 2 * K);
  assert.equal(table.questionable(15 * minute), undefined);
  table.failed(15 * minute, nodes[5].address);
  assert.equal(table.questionable(15 * minute + 30_000)?.id, nodes[5].id);
});

Deno.test("stale() gives an id of each bucket that has not changed for 15 minutes, and ours for the last", () => {
  const { table } = full();
  const targets: NodeId[] = [];
  for (let next = table.stale(15 * minute, random); next; next = table.stale(15 * minute, random)) targets.push(next);
  assert.equal(targets.length, table.buckets);
  assert.equal(sharedBits(own, targets[0]), 0);
  assert.equal(targets.at(-1), own);
});
