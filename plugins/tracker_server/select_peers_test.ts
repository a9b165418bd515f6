import assert from "node:assert/strict";
import { parseIp } from "weft";
import { LEECHER, packAddress, PeerTable, SEED } from "./peer_table.ts";
import { selectPeers } from "./select_peers.ts";
import { NONE } from "./slot_index.ts";
import { hashOf, seeded } from "./test_tracker.ts";

/** A swarm with so many seeds and leechers over IPv4, and over IPv6; seeds have ports from 30,000 on. */
function swarmOf(seeds: number, leechers: number, seeds6 = 0, leechers6 = 0): PeerTable {
  const table = new PeerTable(2_000, new Uint8Array(28).fill(3));
  const add = (ip: string, port: number): number =>
    table.add(hashOf(1), packAddress(parseIp(ip)!.bytes, port), { role: port >= 30_000 ? SEED : LEECHER, seen: 1 });
  for (const [ip, some, others] of [["192.0.2.1", seeds, leechers], ["2001:db8::1", seeds6, leechers6]] as const) {
    for (let i = 0; i < some; i++) add(ip, 30_000 + i);
    for (let i = 0; i < others; i++) add(ip, 1 + i);
  }
  return table;
}

function select(
  table: PeerTable,
  wanted: number,
  { uploads = false, families = [false], asker = NONE, seed = 1 } = {},
) {
  const [fours, sixes] = selectPeers(table, seeded(seed), { swarm: 0, asker, uploads, families, wanted });
  assert.equal(new Set([...fours, ...sixes]).size, fours.length + sixes.length, "nobody twice");
  const count = (peers: number[], role: number): number => peers.filter((peer) => table.role(peer) === role).length;
  return {
    seeds: count(fours, SEED),
    leechers: count(fours, LEECHER),
    ...(sixes.length > 0 && { seeds6: count(sixes, SEED), leechers6: count(sixes, LEECHER) }),
    peers: [...fours, ...sixes],
  };
}

Deno.test("a leecher gets seeds and leechers in proportion", () => {
  const { seeds, leechers } = select(swarmOf(100, 300), 40);
  assert.equal(seeds + leechers, 40);
  assert.ok(seeds >= 10 && seeds <= 12, `${seeds} seeds`);
});

Deno.test("nobody is left out for being few", () => {
  const { seeds, leechers } = select(swarmOf(1, 1_000), 20);
  assert.deepEqual([seeds, leechers], [1, 19]);
  const { peers: _, ...all } = select(swarmOf(1_000, 1, 1, 1), 50, { families: [false, true] });
  assert.deepEqual(all, { seeds: 47, leechers: 1, seeds6: 1, leechers6: 1 });
});

Deno.test("one who uploads gets leechers alone", () => {
  assert.deepEqual(select(swarmOf(10, 3), 20, { uploads: true }).seeds, 0);
  assert.deepEqual(select(swarmOf(10, 3), 20, { uploads: true }).leechers, 3);
});

Deno.test("the asker gets all others where there are fewer than it wants", () => {
  const table = swarmOf(2, 3);
  for (const asker of [0, 1, 2, 3, 4]) {
    const { peers } = select(table, 50, { asker });
    assert.deepEqual(peers.sort(), [0, 1, 2, 3, 4].filter((peer) => peer !== asker));
  }
});

Deno.test("one wanted is one given, although the asker stands in a list", () => {
  assert.equal(select(swarmOf(0, 2), 1, { asker: 0 }).peers[0], 1);
  assert.equal(select(swarmOf(1, 1), 1, { asker: 1 }).peers[0], 0);
});

Deno.test("everybody is told of about as often as everybody else", () => {
  const table = swarmOf(0, 100);
  const told = new Array<number>(100).fill(0);
  for (let seed = 1; seed <= 500; seed++) for (const peer of select(table, 20, { seed }).peers) told[peer]++;
  assert.ok(Math.min(...told) > 50 && Math.max(...told) < 160, `${Math.min(...told)} to ${Math.max(...told)} of 100`);
});
