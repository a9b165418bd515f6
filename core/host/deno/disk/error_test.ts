import assert from "node:assert/strict";
import { diskError } from "./error.ts";

Deno.test("diskError() names the path once, and the reason in words", () => {
  const cases = [
    ["EROFS", "EROFS: read-only file system, mkdir '/srv/x'", "readOnly", "read-only file system"],
    [
      "ENOENT",
      "No such file or directory (os error 2): open '/srv/x'",
      "notFound",
      "No such file or directory (os error 2)",
    ],
    [
      "EXDEV",
      "EXDEV: cross-device link not permitted, rename '/srv/x' -> '/y'",
      "io",
      "cross-device link not permitted",
    ],
  ];
  for (const [code, said, fault, reason] of cases) {
    const error = diskError(Object.assign(new Error(said), { code }), "write", "/srv/x");
    assert.deepEqual([error.fault, error.message], [fault, `Cannot write "/srv/x": ${reason}`]);
  }
});
