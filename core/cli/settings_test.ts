import assert from "node:assert/strict";
import { parseListen } from "./settings.ts";

Deno.test("parseListen() reads IPv4 and bracketed IPv6 with a port, 0 too", () => {
  assert.deepEqual(parseListen("0.0.0.0:6881"), { ip: "0.0.0.0", port: 6881 });
  assert.deepEqual(parseListen("[::]:0"), { ip: "::", port: 0 });
});

Deno.test("parseListen() says what it expects", () => {
  for (const text of ["6881", "localhost:1", "::1:6881", "1.2.3.4:65536", "1.2.3.4:", "[1.2.3.4:1"]) {
    assert.throws(() => parseListen(text), /--listen: ".*" must be IP:PORT/, text);
  }
});
