import assert from "node:assert/strict";
import { baseName, parentOf } from "./path.ts";

Deno.test("baseName() and parentOf() cut a path at its last slash", () => {
  assert.equal(baseName("/home/ada/data/"), "data");
  assert.equal(parentOf("/home/ada/data"), "/home/ada");
});
