import assert from "node:assert/strict";
import { parseIp } from "weft";
import { CONNECTION_SECRET_LENGTH, ConnectionIds } from "./connection_id.ts";
import { seeded } from "./test_tracker.ts";

const ip = (text: string): Uint8Array => parseIp(text)!.bytes;
const ids = new ConnectionIds(seeded().bytes(CONNECTION_SECRET_LENGTH));
const here = ip("192.0.2.1");

Deno.test("a connection id is good for the address that it was given to, for two minutes", () => {
  const issued = [0, 7_999, 8_000, 123_456_789];
  for (const now of issued) {
    const id = ids.give(now, here);
    for (const later of [0, 60_000, 120_000]) assert.ok(ids.check(now + later, here, id), `${now} + ${later}`);
    assert.ok(!ids.check(now + 130_000, here, id));
    assert.ok(!ids.check(now + 256 * 8_000, here, id), "its span's number comes again");
    assert.ok(!ids.check(now, ip("192.0.2.2"), id));
    assert.ok(!ids.check(now, ip("2001:db8::1"), id));
  }
});

Deno.test("connection ids begin with 0, and the rest can't be told from other ids", () => {
  const given = Array.from({ length: 1_000 }, (_, i) => ids.give(0, ip(`192.0.${i >> 8}.${i & 255}`)));
  assert.ok(given.every((id) => id >> 56n === 0n));
  assert.equal(new Set(given).size, 1_000);
  for (let bit = 0n; bit < 48n; bit += 8n) assert.ok(new Set(given.map((id) => id >> bit & 0xffn)).size > 200);
});

Deno.test("an id with any bit changed, or of another secret, is no good", () => {
  const id = ids.give(0, here);
  for (let bit = 0; bit < 64; bit++) {
    assert.ok(!ids.check(0, here, id ^ 1n << BigInt(bit)), `bit ${bit}`);
  }
  assert.ok(!new ConnectionIds(seeded(2).bytes(CONNECTION_SECRET_LENGTH)).check(0, here, id));
});
