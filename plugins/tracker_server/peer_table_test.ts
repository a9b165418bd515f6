import assert from "node:assert/strict";
import fc from "fast-check";
import { formatIp, parseIp, toHex } from "weft";
import { LEECHER, packAddress, PARTIAL, PeerTable, type Role, SEED } from "./peer_table.ts";
import { NONE } from "./slot_index.ts";

const secret = (seed: number): Uint8Array => new Uint8Array(28).fill(seed);
const hash = (n: number): Uint8Array => new Uint8Array(20).fill(n);
const at = (ip: string, port = 6881) => packAddress(parseIp(ip)!.bytes, port);
const seen = 1;

/** What a table holds of a swarm, by its lists: addresses, in order. */
function lists(table: PeerTable, infoHash: Uint8Array): string[][] {
  const swarm = table.findSwarm(infoHash);
  if (swarm === NONE) return [];
  return [[false, false], [false, true], [true, false], [true, true]].map(([six, uploads]) => {
    const size = uploads ? table.uploaders(swarm, six) : table.leechers(swarm, six);
    return Array.from({ length: size }, (_, i) => text(table, table.member(swarm, six, uploads, i))).sort();
  });
}

function text(table: PeerTable, peer: number): string {
  const bytes = new Uint8Array(18);
  const length = table.writeCompact(peer, bytes, 0);
  const ip = length - 2;
  return `${formatIp(bytes.subarray(0, ip))} ${bytes[ip] << 8 | bytes[ip + 1]}`;
}

Deno.test("a peer is found where it was added, by swarm, address and port", () => {
  const table = new PeerTable(10, secret(1));
  const peer = table.add(hash(1), at("192.0.2.1"), { role: LEECHER, seen });
  const swarm = table.findSwarm(hash(1));
  assert.equal(table.find(swarm, at("192.0.2.1")), peer);
  assert.equal(table.find(swarm, at("192.0.2.1", 6882)), NONE);
  assert.equal(table.find(swarm, at("192.0.2.2")), NONE);
  assert.equal(table.find(swarm, at("::c000:201")), NONE, "the same words, but IPv6");
  assert.equal(table.findSwarm(hash(2)), NONE);
  assert.deepEqual(lists(table, hash(1)), [["192.0.2.1 6881"], [], [], []]);
});

Deno.test("a swarm goes with its last peer, and its place is used again", () => {
  const table = new PeerTable(2, secret(1));
  for (let n = 0; n < 100; n++) {
    const peer = table.add(hash(n), at("2001:db8::1"), { role: SEED, seen });
    table.setDownloads(table.swarmOf(peer), 5);
    assert.deepEqual([table.swarms, table.peers, table.inRole(SEED)], [1, 1, 1]);
    table.remove(peer);
    assert.equal(table.findSwarm(hash(n)), NONE);
  }
  const peer = table.add(hash(1), at("2001:db8::1"), { role: PARTIAL, seen });
  assert.equal(table.downloads(table.swarmOf(peer)), 0);
  assert.equal(table.partials(table.swarmOf(peer)), 1);
});

Deno.test("add() throws when the table is full", () => {
  const table = new PeerTable(1, secret(1));
  table.add(hash(1), at("192.0.2.1"), { role: LEECHER, seen });
  assert.throws(() => table.add(hash(1), at("192.0.2.2"), { role: LEECHER, seen }), RangeError);
});

Deno.test("peers stand in the order in which they were last seen", () => {
  const table = new PeerTable(10, secret(1));
  const [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((ip, i) =>
    table.add(hash(1), at(ip), { role: LEECHER, seen: i })
  );
  table.touch(a, 5);
  table.touch(c, 6);
  const order = [];
  for (let peer = table.oldest; peer !== NONE; peer = table.newerThan(peer)) order.push([peer, table.seen(peer)]);
  assert.deepEqual(order, [[b, 1], [a, 5], [c, 6]]);
});

Deno.test("whatever happens, a table holds what a list of peers would", () => {
  const ips = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "::1"];
  const step = fc.record({
    act: fc.constantFrom("announce", "announce", "announce", "remove", "oldest"),
    swarm: fc.nat({ max: 4 }),
    ip: fc.constantFrom(...ips),
    port: fc.integer({ min: 1, max: 6 }),
    role: fc.constantFrom<Role>(LEECHER, PARTIAL, SEED),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.uint8Array({ minLength: 28, maxLength: 28 }),
      (steps, secret) => {
        const table = new PeerTable(40, secret);
        const model = new Map<string, { swarm: number; ip: string; port: number; role: Role }>();
        for (const [now, { act, swarm, ip, port, role }] of steps.entries()) {
          const key = `${swarm} ${ip} ${port}`;
          const slot = table.findSwarm(hash(swarm));
          const known = slot === NONE ? NONE : table.find(slot, at(ip, port));
          assert.equal(known !== NONE, model.has(key));
          if (act === "announce" && known === NONE) {
            if (table.peers === table.capacity) continue;
            table.add(hash(swarm), at(ip, port), { role, seen: now });
            model.set(key, { swarm, ip, port, role });
          } else if (act === "announce") {
            table.setRole(known, role);
            table.touch(known, now);
            model.delete(key);
            model.set(key, { swarm, ip, port, role });
          } else if (act === "remove" && known !== NONE) {
            table.remove(known);
            model.delete(key);
          } else if (act === "oldest" && model.size > 0) {
            const { oldest } = table;
            const [first] = model.keys();
            assert.equal(
              `${toHex(table.infoHash(table.swarmOf(oldest)))} ${text(table, oldest)}`,
              shown(model.get(first)!),
            );
            table.remove(oldest);
            model.delete(first);
          }
        }
        assert.equal(table.peers, model.size);
        for (let swarm = 0; swarm < 5; swarm++) {
          const own = [...model.values()].filter((peer) => peer.swarm === swarm);
          const list = (six: boolean, uploads: boolean): string[] =>
            own.filter(({ ip, role }) => ip.includes(":") === six && (role !== LEECHER) === uploads)
              .map(({ ip, port }) => `${ip} ${port}`).sort();
          const expected = own.length === 0
            ? []
            : [list(false, false), list(false, true), list(true, false), list(true, true)];
          assert.deepEqual(lists(table, hash(swarm)), expected);
          if (own.length === 0) continue;
          const slot = table.findSwarm(hash(swarm));
          assert.equal(table.partials(slot), own.filter(({ role }) => role === PARTIAL).length);
          assert.equal(table.total(slot), own.length);
        }
      },
    ),
    { numRuns: 300 },
  );
});

function shown({ swarm, ip, port }: { swarm: number; ip: string; port: number }): string {
  return `${toHex(hash(swarm))} ${ip} ${port}`;
}
