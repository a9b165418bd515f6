import assert from "node:assert/strict";
import { peerAddress } from "weft";
import { Proofs, QueryBudget } from "./budget.ts";

const a = peerAddress("192.0.2.1", 1);

Deno.test("an address gets a burst of two seconds' worth, then its rate, at whatever port", () => {
  const budget = new QueryBudget(0, { perAddress: 10, total: 1_000 });
  const taken = (now: number): number =>
    Array.from({ length: 100 }, (_, port) => budget.take(now, peerAddress(a.ip, port + 1))).filter(Boolean).length;
  assert.equal(taken(0), 20);
  assert.equal(taken(500), 5);
  assert.equal(taken(60_000), 20);
});

Deno.test("all addresses together get no more than the total, and who is past its own share does not use it up", () => {
  const budget = new QueryBudget(0, { perAddress: 10, total: 50 });
  for (let i = 0; i < 1_000; i++) budget.take(0, a);
  const served = Array.from({ length: 200 }, (_, i) => budget.take(0, peerAddress(`20.0.0.${i}`, 1))).filter(Boolean);
  assert.equal(served.length, 80);
});

Deno.test("an address of IPv6 is its /64", () => {
  const budget = new QueryBudget(0, { perAddress: 1, total: 50 });
  const served = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map((ip) => budget.take(0, peerAddress(ip, 1)));
  assert.deepEqual(served, [true, true, false]);
});

Deno.test("a proof counts for half an hour, for one address and port", () => {
  const proofs = new Proofs();
  proofs.prove(0, a);
  assert.ok(proofs.has(29 * 60_000, a));
  assert.ok(!proofs.has(30 * 60_000, a));
  assert.ok(!proofs.has(0, peerAddress(a.ip, 2)));
});

Deno.test("an address is asked for proof once a minute, and the oldest of thousands are forgotten", () => {
  const proofs = new Proofs();
  assert.deepEqual([0, 59_999, 60_000].map((now) => proofs.probe(now, a)), [true, false, true]);
  for (let i = 0; i < 10_000; i++) proofs.probe(60_000, peerAddress(`20.0.${i >> 8}.${i & 255}`, 1));
  assert.ok(proofs.probe(60_001, a));
});
