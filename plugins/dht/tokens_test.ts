import assert from "node:assert/strict";
import { parsePeerAddress } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { Tokens } from "./tokens.ts";

const minute = 60_000;
const holder = parsePeerAddress("192.0.2.1:6881");

Deno.test("a token is good for its address, at any port, and for no other", () => {
  const tokens = new Tokens(0, new SeededRandom(1));
  const token = tokens.issue(0, holder);
  assert.ok(tokens.valid(0, holder, token));
  assert.ok(tokens.valid(0, parsePeerAddress("192.0.2.1:1"), token));
  assert.ok(!tokens.valid(0, parsePeerAddress("192.0.2.2:6881"), token));
  assert.ok(!tokens.valid(0, holder, token.map((byte) => byte ^ 1)));
  assert.ok(!tokens.valid(0, holder, new Uint8Array()));
});

Deno.test("a token lives at least 5 and at most 10 minutes, whenever it was issued", () => {
  for (let issued = 0; issued <= 10 * minute; issued += minute / 2) {
    const tokens = new Tokens(0, new SeededRandom(1));
    const token = tokens.issue(issued, holder);
    assert.ok(tokens.valid(issued + 5 * minute - 1, holder, token));
    assert.ok(!tokens.valid(issued + 10 * minute, holder, token));
  }
});

Deno.test("a new generation believes the tokens of the one before, for 5 minutes", () => {
  const before = new Tokens(0, new SeededRandom(1));
  const token = before.issue(minute, holder);
  const after = new Tokens(2 * minute, new SeededRandom(2), before.secrets);
  assert.ok(after.valid(3 * minute, holder, token));
  assert.ok(!after.valid(7 * minute, holder, token));
});
