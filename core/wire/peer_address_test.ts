import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import {
  formatIp,
  holderOf,
  parseHostPort,
  parseIp,
  parsePeerAddress,
  peerAddress,
  peerAddressFromBytes,
  tryParseHostPort,
} from "./peer_address.ts";

Deno.test("peerAddress() writes IPv6 as RFC 5952 does and keys it with brackets", () => {
  const cases = {
    "2001:DB8:0:0:0:0:2:1": "2001:db8::2:1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "2001:0:0:1:0:0:0:1": "2001:0:0:1::1",
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "::": "::",
    "0:0:0:0:0:0:0:1": "::1",
    "fe80::": "fe80::",
    "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
  };
  for (const [text, canonical] of Object.entries(cases)) {
    const { ip, family, key } = peerAddress(text, 6881);
    assert.deepEqual({ ip, family, key }, { ip: canonical, family: 6, key: `[${canonical}]:6881` });
  }
});

Deno.test("peerAddress() turns IPv4-mapped IPv6 into IPv4", () => {
  assert.equal(peerAddress("::ffff:192.0.2.7", 1).key, "192.0.2.7:1");
  assert.equal(peerAddress("::ffff:c000:207", 1).family, 4);
});

Deno.test("peerAddress() throws on text that is no address and on ports out of range", () => {
  const texts = [
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "g::",
    "::1%eth0",
  ];
  for (const text of [...texts, "1:2:3:4:5:6:7::8", "1.2.3.4::", "host.example"]) {
    assert.throws(() => peerAddress(text, 1), ProtocolError, text);
  }
  for (const port of [0, 65536, -1, 1.5, NaN]) assert.throws(() => peerAddress("1.2.3.4", port), ProtocolError);
});

Deno.test("parsePeerAddress() reads its own keys and nothing looser", () => {
  assert.equal(parsePeerAddress("[2001:db8::1]:6881").key, "[2001:db8::1]:6881");
  for (const text of ["::1:6881", "[1.2.3.4]:6881", "1.2.3.4", "1.2.3.4:", "1.2.3.4:99999", "a.example:1", "[::1]"]) {
    assert.throws(() => parsePeerAddress(text), ProtocolError, text);
  }
});

Deno.test("parseHostPort() also reads DNS names, in lower case", () => {
  assert.deepEqual(parseHostPort("Router.Example:6881"), { host: "router.example", port: 6881 });
  assert.deepEqual(parseHostPort("[::0:1]:6881"), { host: "::1", port: 6881 });
  for (const text of ["1.2.3:80", "-a.example:1", "a..b:1", "a b:1", ":1", `${"a".repeat(64)}.example:1`]) {
    assert.throws(() => parseHostPort(text), ProtocolError, text);
  }
});

Deno.test("tryParseHostPort() answers any text at once", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => {
    tryParseHostPort(text);
    tryParseHostPort(`${text}:1`);
  }));
  assert.equal(tryParseHostPort("a".repeat(200_000) + "!:1"), undefined);
});

Deno.test("every address reads back from its canonical text", () => {
  const ip = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
  );
  fc.assert(fc.property(ip, fc.integer({ min: 1, max: 65535 }), (bytes, port) => {
    const address = peerAddressFromBytes(bytes, port);
    assert.deepEqual(parsePeerAddress(address.key), address);
    assert.equal(formatIp(parseIp(address.ip)!.bytes), address.ip);
    if (address.family === 6) assert.deepEqual(parseIp(address.ip)!.bytes, bytes);
  }));
});

Deno.test("holderOf() tells IPv4 hosts and IPv6 networks apart", () => {
  const holder = (ip: string): string => holderOf(peerAddress(ip, 6881));
  assert.equal(holder("192.0.2.7"), "192.0.2.7");
  assert.equal(holder("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(holder("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(holder("2001:db8:1:2::1"), holder("2001:db8:1:2:ffff::"));
  assert.notEqual(holder("2001:db8:1:2::1"), holder("2001:db8:1:3::1"));
});
