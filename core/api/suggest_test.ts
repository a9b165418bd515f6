import assert from "node:assert/strict";
import { didYouMean, suggest } from "./suggest.ts";

Deno.test("suggest() finds the word that was mistyped", () => {
  assert.equal(suggest("evry", ["url", "every"]), "every");
  assert.equal(suggest("listne", ["limits", "listen"]), "listen");
  assert.equal(suggest("Tracker-HTTP", ["tcp", "tracker_http"]), "tracker_http");
});

Deno.test("suggest() stays silent when nothing is close", () => {
  assert.equal(suggest("colour", ["url", "every"]), undefined);
  assert.equal(suggest("x", ["a", "b"]), undefined);
  assert.equal(suggest("a".repeat(10_000), ["a".repeat(9_999)]), undefined);
});

Deno.test("didYouMean() is the end of a message, or nothing", () => {
  assert.equal(didYouMean("evry", ["every"]), ', did you mean "every"?');
  assert.equal(didYouMean("colour", ["every"]), "");
});
