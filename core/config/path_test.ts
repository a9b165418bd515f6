import assert from "node:assert/strict";
import { baseName, parentOf, resolvePath } from "./path.ts";

Deno.test("resolvePath() starts relative paths at the base and keeps absolute ones", () => {
  const cases: [string, string, string][] = [
    ["/srv/weft", "./downloads", "/srv/weft/downloads"],
    ["/srv/weft", "../data//x/./y", "/srv/data/x/y"],
    ["/srv", "../../../x", "/x"],
    ["/srv", "/data/", "/data"],
    ["/", ".", "/"],
    ["profiles", "x", "profiles/x"],
    [".", "..", ".."],
    [".", ".", "."],
    ["C:\\weft", "..\\data", "C:/data"],
    ["/srv", "D:\\data", "D:/data"],
  ];
  for (const [base, path, resolved] of cases) assert.equal(resolvePath(base, path), resolved, `${base} + ${path}`);
});

Deno.test("baseName() and parentOf() cut a path at its last slash", () => {
  assert.equal(baseName("/home/ada/data/"), "data");
  assert.equal(parentOf("/home/ada/data"), "/home/ada");
});
