import assert from "node:assert/strict";
import { ProtocolError } from "./errors.ts";
import { ipScope } from "./ip_range.ts";

const CASES = {
  public: "8.8.8.8 192.0.2.1 198.51.100.1 203.0.113.9 172.32.0.1 100.128.0.1 2606:4700::1 2001:db8::1 64:ff9b::808:808",
  loopback: "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::",
  private: "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 198.18.0.1 fc00::1 fd12::1 fec0::1 2002:a00:1::1",
  linkLocal: "169.254.169.254 fe80::1 febf::1 64:ff9b::a9fe:a9fe",
  multicast: "224.0.0.1 239.192.152.143 ff02::1",
  unspecified: "0.0.0.0 0.1.2.3 ::",
  reserved: "240.0.0.1 255.255.255.255 192.0.0.8 100::1 4000::1 ::8.8.8.8",
};

for (const [scope, ips] of Object.entries(CASES)) {
  Deno.test(`ipScope() tells ${scope} addresses`, () => {
    for (const ip of ips.split(" ")) assert.equal(ipScope(ip), scope, ip);
  });
}

Deno.test("ipScope() throws on text that is no address", () => {
  assert.throws(() => ipScope("localhost"), ProtocolError);
});
