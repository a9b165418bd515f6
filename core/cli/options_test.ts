import assert from "node:assert/strict";
import { listenOption, peerOption, rateOption, sizeOption } from "./options.ts";

Deno.test("--listen takes IPv4 and bracketed IPv6 with a port, 0 too, and a port alone", () => {
  assert.deepEqual(listenOption("0.0.0.0:6881"), { ip: "0.0.0.0", port: 6881 });
  assert.deepEqual(listenOption("[::]:0"), { ip: "::", port: 0 });
  assert.deepEqual(listenOption("6881"), { ip: "::", port: 6881 });
});

Deno.test("options that can't be read say what they expect", () => {
  for (const text of ["localhost:1", "::1:6881", "1.2.3.4:65536", "1.2.3.4:", "[1.2.3.4:1"]) {
    assert.throws(() => listenOption(text), /expected one such as \[::\]:6881 or 6881/, text);
  }
  assert.throws(() => peerOption("192.0.2.1"), /"192\.0\.2\.1"/);
  assert.throws(() => rateOption("fast"), /10 MB\/s/);
  assert.throws(() => sizeOption("large"), /64 KiB/);
});

Deno.test("--peer may be given again", () => {
  assert.deepEqual(peerOption("[2001:db8::1]:1", peerOption("peer.example:2")), ["peer.example:2", "[2001:db8::1]:1"]);
});
