import assert from "node:assert/strict";
import { peerAddress, toHex } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { Outstanding } from "./outstanding.ts";

const a = peerAddress("192.0.2.1", 1);
const b = peerAddress("192.0.2.2", 1);

Deno.test("an answer is taken once, from the address that was asked alone", () => {
  const queries = new Outstanding<string>(new SeededRandom(1));
  const { transaction } = queries.add(0, a, "x")!;
  assert.equal(transaction.length, 4);
  assert.equal(queries.take(transaction, b), undefined);
  assert.equal(queries.take(transaction, peerAddress(a.ip, 2)), undefined);
  assert.equal(queries.take(transaction.slice(0, 2), a), undefined);
  assert.ok(queries.awaits(a) && !queries.awaits(b));
  assert.equal(queries.take(transaction, a)?.what, "x");
  assert.equal(queries.take(transaction, a), undefined);
  assert.ok(!queries.awaits(a));
});

Deno.test("transactions don't repeat", () => {
  const queries = new Outstanding<number>(new SeededRandom(1));
  const seen = new Set(Array.from({ length: 1_000 }, (_, i) => toHex(queries.add(0, a, i)!.transaction)));
  assert.equal(seen.size, 1_000);
});

Deno.test("a query is slow after 2 s, and given up after 8; until then its answer counts", () => {
  const queries = new Outstanding<string>(new SeededRandom(1));
  const first = queries.add(0, a, "first")!;
  queries.add(1_000, a, "second");
  assert.equal(queries.nextTimeout, 2_000);
  assert.deepEqual(queries.timeouts(1_999), { slow: [], over: [] });
  assert.deepEqual(queries.timeouts(2_000).slow.map(({ what }) => what), ["first"]);
  assert.equal(queries.nextTimeout, 3_000);
  assert.deepEqual(queries.timeouts(3_000).slow.map(({ what }) => what), ["second"]);
  assert.equal(queries.nextTimeout, 8_000);
  assert.equal(queries.take(first.transaction, a)?.what, "first");
  assert.deepEqual(queries.timeouts(9_000).over.map(({ what }) => what), ["second"]);
  assert.deepEqual([queries.size, queries.nextTimeout, queries.awaits(a)], [0, undefined, false]);
});

Deno.test("takeAll() gives what waits for an address, and no more than 1,024 queries wait", () => {
  const queries = new Outstanding<number>(new SeededRandom(1));
  for (let i = 0; i < 1_024; i++) assert.ok(queries.add(0, i % 2 ? a : b, i));
  assert.equal(queries.add(0, a, 0), undefined);
  assert.equal(queries.takeAll(a).length, 512);
  assert.equal(queries.size, 512);
  assert.deepEqual([queries.awaits(a), queries.awaits(b)], [false, true]);
});
