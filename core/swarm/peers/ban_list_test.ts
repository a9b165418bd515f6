import assert from "node:assert/strict";
import { BanList } from "./ban_list.ts";

Deno.test("BanList keeps the first reason until the ban is lifted", () => {
  const bans = new BanList();
  bans.add("1.2.3.4", "sent 5 bad pieces");
  bans.add("1.2.3.4", "again");
  assert.equal(bans.reason("1.2.3.4"), "sent 5 bad pieces");
  assert.equal(bans.reason("1.2.3.4:6881"), undefined);
  assert.deepEqual([...bans.entries()], [["1.2.3.4", "sent 5 bad pieces"]]);
  assert.equal(bans.remove("1.2.3.4"), true);
  assert.equal(bans.remove("1.2.3.4"), false);
  assert.equal(bans.reason("1.2.3.4"), undefined);
});

Deno.test("BanList forgets the oldest rather than grow without end", () => {
  const bans = new BanList();
  for (let i = 0; i < 20_000; i++) bans.add(`10.0.${i >> 8}.${i & 255}`, "bad");
  assert.equal(bans.size, 10_000);
  assert.equal(bans.reason("10.0.0.0"), undefined);
  assert.equal(bans.reason(`10.0.${19_999 >> 8}.${19_999 & 255}`), "bad");
});
