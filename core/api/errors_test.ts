import assert from "node:assert/strict";
import { errorText, faultText } from "./errors.ts";

Deno.test("errorText() has something to say of whatever was thrown", () => {
  assert.equal(errorText(new TypeError("no")), "no");
  assert.equal(errorText("plain"), "plain");
  assert.equal(errorText(undefined), "undefined");
  assert.equal(errorText(Symbol("x")), "Symbol(x)");
  assert.equal(errorText(Object.create(null)), "it threw what can't be shown");
  assert.equal(errorText(new Error("x".repeat(100_000))).length, 2000);
});

Deno.test("faultText() says where a slip in a plugin's code is, past Weft's own", () => {
  const slip = (stack: string, make: typeof TypeError = TypeError): Error => Object.assign(new make("no"), { stack });
  const kernel = new URL("./schema.ts", import.meta.url).href;
  const stack = `TypeError: no
    at new URL (ext:deno_web/00_url.js:9:9)
    at decode (${kernel}:5:6)
    at Object.setup (file:///a/my%20roster/roster.ts?v=3:12:7)
    at file:///a/other.ts:1:2`;
  assert.equal(faultText(slip(stack)), "/a/my roster/roster.ts:12:7: no");
  assert.equal(faultText(slip("no\n    at async file:///a/x.ts:1:2", ReferenceError)), "/a/x.ts:1:2: no");
  assert.equal(faultText(slip(`no\n    at decode (${kernel}:5:6)`)), "no");
  assert.equal(faultText(slip("file://%:1:2")), "no");
  assert.equal(faultText(slip(stack, RangeError)), "no", "what is thrown on purpose says enough");
  assert.equal(faultText("plain"), "plain");
});
