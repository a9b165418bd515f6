import assert from "node:assert/strict";
import { SynCookies } from "./syn_cookies.ts";

const key = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

Deno.test("a cookie holds for its address, id, number and key, for half a minute at least", () => {
  const cookies = new SynCookies(key);
  const cookie = cookies.make(29_000, "192.0.2.1:6881", 7, 100);
  assert.ok(cookies.matches(31_000, cookie, "192.0.2.1:6881", 7, 100));
  assert.ok(cookies.matches(59_000, cookie, "192.0.2.1:6881", 7, 100));
  assert.ok(!cookies.matches(61_000, cookie, "192.0.2.1:6881", 7, 100));
  assert.ok(!cookies.matches(31_000, cookie, "192.0.2.1:6882", 7, 100));
  assert.ok(!cookies.matches(31_000, cookie, "192.0.2.1:6881", 8, 100));
  assert.ok(!cookies.matches(31_000, cookie, "192.0.2.1:6881", 7, 101));
  assert.ok(!new SynCookies(key.with(7, 9)).matches(31_000, cookie, "192.0.2.1:6881", 7, 100));
});

Deno.test("cookies are spread evenly", () => {
  const cookies = new SynCookies(key);
  const seen = new Set(Array.from({ length: 65_536 }, (_, seq) => cookies.make(0, "[2001:db8::1]:6881", 7, seq)));
  // Of so many draws, 1 - 1/e of all values are expected.
  assert.ok(Math.abs(seen.size / 65_536 - 0.632) < 0.01, `${seen.size} values`);
});
