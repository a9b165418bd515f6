import assert from "node:assert/strict";
import { parseIp } from "weft";
import { AddressCounts, AddressRates, BUDGET_SECRET_BYTES } from "./address_budget.ts";
import { packAddress, type PackedAddress } from "./peer_table.ts";
import { seeded } from "./test_tracker.ts";

const at = (ip: string): PackedAddress => packAddress(parseIp(ip)!.bytes, 1);
const secret = seeded().bytes(BUDGET_SECRET_BYTES);
const many = Array.from({ length: 100_000 }, (_, i) => at(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));

Deno.test("an address's count is its own, also among a hundred thousand", () => {
  const counts = new AddressCounts(secret);
  for (const address of many) counts.add(address);
  for (let i = 0; i < 1_000; i++) counts.add(at("192.0.2.1"));
  const most = Math.max(...many.slice(0, 10_000).map((address) => counts.of(address)));
  assert.ok(most < 20, `${most}, where each has 1`);
  assert.ok(counts.of(at("192.0.2.1")) >= 1_000);
  for (let i = 0; i < 1_000; i++) counts.remove(at("192.0.2.1"));
  for (const address of many) counts.remove(address);
  assert.ok(many.every((address) => counts.of(address) === 0));
});

Deno.test("one household is one address: the first half of IPv6 counts", () => {
  const counts = new AddressCounts(secret);
  counts.add(at("2001:db8::1"));
  assert.deepEqual([counts.of(at("2001:db8::2:3:4")), counts.of(at("2001:db8:0:1::1"))], [1, 0]);
});

Deno.test("an address does something so often a second, and ten seconds' worth after a pause", () => {
  const rates = new AddressRates(5, secret);
  const took = (now: number, times: number): number =>
    Array.from({ length: times }, () => rates.take(now, at("192.0.2.1"))).filter(Boolean).length;
  assert.deepEqual([took(0, 100), took(1_000, 100), took(1_100, 100), took(60_000, 100)], [50, 5, 0, 50]);
});

Deno.test("who floods takes nothing from others", () => {
  const rates = new AddressRates(5, secret);
  for (let i = 0; i < 1_000; i++) rates.take(0, at("192.0.2.1"));
  assert.ok(many.slice(0, 50_000).every((address) => rates.take(0, address)));
});
