import assert from "node:assert/strict";
import fc from "fast-check";
import { byteString, parsePeerAddress, peerAddressFromBytes } from "weft";
import { decodeAddress, decodeContacts, encodeAddress, encodeContacts, isSecure, networkOf } from "./contact.ts";

const id = "abcdefghij0123456789";

Deno.test("decodeContacts() reads what encodeContacts() wrote, in both families", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const contact = (family: 4 | 6) =>
    fc.tuple(bytes(20), bytes(family === 4 ? 4 : 16), fc.integer({ min: 1, max: 65535 }))
      .map(([id, ip, port]) => ({ id: byteString(id), address: peerAddressFromBytes(ip, port) }))
      .filter(({ address }) => address.family === family);
  for (const family of [4, 6] as const) {
    fc.assert(fc.property(fc.array(contact(family)), (contacts) => {
      assert.deepEqual(decodeContacts(encodeContacts(contacts, family), family), contacts);
    }));
  }
});

Deno.test("decodeContacts() leaves out port 0 and IPv4 in IPv6, and what isn't whole", () => {
  assert.deepEqual(decodeContacts(new Uint8Array(26), 4), []);
  const mapped = new Uint8Array(38).fill(1);
  mapped.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 20);
  assert.deepEqual(decodeContacts(mapped, 6), []);
  assert.equal(decodeContacts(new Uint8Array(26 + 25).fill(1), 4).length, 1);
});

Deno.test("addresses have 6 or 18 bytes", () => {
  for (const text of ["192.0.2.1:6881", "[2001:db8::1]:1"]) {
    const address = parsePeerAddress(text);
    assert.deepEqual(decodeAddress(encodeAddress(address)), address);
  }
  assert.equal(decodeAddress(new Uint8Array(7)), undefined);
  assert.equal(decodeAddress(new Uint8Array(6)), undefined);
});

Deno.test("one party may hold a /24 or a /48", () => {
  const [a, c] = ["[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1"].map(parsePeerAddress);
  assert.equal(networkOf(a), networkOf(c));
  assert.equal(networkOf(parsePeerAddress("192.0.2.1:1")), networkOf(parsePeerAddress("192.0.2.9:2")));
  assert.notEqual(networkOf(parsePeerAddress("192.0.2.1:1")), networkOf(parsePeerAddress("192.0.3.1:1")));
});

Deno.test("isSecure() wants nothing of addresses that are not public", () => {
  assert.ok(isSecure({ id, address: parsePeerAddress("10.0.0.1:1") }));
  assert.ok(isSecure({ id, address: parsePeerAddress("127.0.0.1:1") }));
  assert.ok(!isSecure({ id, address: parsePeerAddress("192.0.2.1:1") }));
});
