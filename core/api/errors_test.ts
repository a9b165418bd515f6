import assert from "node:assert/strict";
import { errorText } from "./errors.ts";

Deno.test("errorText() has something to say of whatever was thrown", () => {
  assert.equal(errorText(new TypeError("no")), "no");
  assert.equal(errorText("plain"), "plain");
  assert.equal(errorText(undefined), "undefined");
  assert.equal(errorText(Symbol("x")), "Symbol(x)");
  assert.equal(errorText(Object.create(null)), "it threw what can't be shown");
  assert.equal(errorText(new Error("x".repeat(100_000))).length, 2000);
});
