import assert from "node:assert/strict";
import { baseName, parentOf, resolvePath } from "./path.ts";

Deno.test("resolvePath() joins relative paths and keeps absolute ones", () => {
  assert.equal(resolvePath("/home/ada", "data"), "/home/ada/data");
  assert.equal(resolvePath("/home/ada", "./a/../b//c"), "/home/ada/b/c");
  assert.equal(resolvePath("/home/ada", "/srv/data"), "/srv/data");
  assert.equal(resolvePath("C:/Users", "D:\\data"), "D:/data");
});

Deno.test("resolvePath() never leaves the root", () => {
  assert.equal(resolvePath("/home", "../../../etc"), "/etc");
});

Deno.test("baseName() and parentOf() cut a path at its last slash", () => {
  assert.equal(baseName("/home/ada/data/"), "data");
  assert.equal(parentOf("/home/ada/data"), "/home/ada");
});
