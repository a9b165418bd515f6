import assert from "node:assert/strict";
import { type ConnectedPeer, parsePeerAddress } from "weft";
import { nearness, Roster } from "./roster.ts";

function peer(address: string, more: Partial<ConnectedPeer> & { readonly speaks?: string } = {}): ConnectedPeer {
  return {
    address: parsePeerAddress(address),
    uploadOnly: false,
    encrypted: false,
    transport: "tcp",
    reachable: false,
    offers: (name) => name === more.speaks,
    ...more,
  };
}

Deno.test("the roster follows who comes and leaves, and its version tells when somebody did", () => {
  const roster = new Roster();
  const keys = (): string[] => [...roster.peers].map(({ key }) => key);
  roster.update([peer("192.0.2.1:1"), peer("[2001:db8::1]:2")]);
  assert.deepEqual([keys(), roster.version], [["192.0.2.1:1", "[2001:db8::1]:2"], 1]);
  const [first, second] = roster.peers;
  roster.update([peer("[2001:db8::1]:2"), peer("192.0.2.1:1")]);
  assert.equal(roster.version, 1);
  roster.update([peer("[2001:db8::1]:2")]);
  assert.deepEqual([keys(), roster.version], [["[2001:db8::1]:2"], 2]);
  assert.deepEqual([first.present, second.present, roster.get("192.0.2.1:1")], [false, true, undefined]);
  roster.update([peer("192.0.2.1:1"), peer("[2001:db8::1]:2")]);
  assert.notEqual(roster.get("192.0.2.1:1"), first);
  assert.equal(roster.get("[2001:db8::1]:2"), second);
});

Deno.test("what is said of a peer are BEP 11's flags", () => {
  const roster = new Roster();
  roster.update([
    peer("192.0.2.1:1", { encrypted: true }),
    peer("192.0.2.2:1", { uploadOnly: true }),
    peer("192.0.2.3:1", { transport: "utp" }),
    peer("192.0.2.4:1", { speaks: "ut_holepunch" }),
    peer("192.0.2.5:1", { reachable: true }),
    peer("192.0.2.6:1"),
    peer("192.0.2.7:1", {
      encrypted: true,
      uploadOnly: true,
      transport: "utp",
      speaks: "ut_holepunch",
      reachable: true,
    }),
  ]);
  assert.deepEqual([...roster.peers].map(({ flags }) => flags), [0x01, 0x02, 0x04, 0x08, 0x10, 0, 0x1f]);
});

Deno.test("what is said of a peer follows what becomes known of it, and is no news to those who were told of it", () => {
  const roster = new Roster();
  roster.update([peer("192.0.2.1:1")]);
  const [before] = roster.peers;
  roster.update([peer("192.0.2.1:1", { uploadOnly: true, speaks: "ut_holepunch" })]);
  assert.deepEqual([[...roster.peers], before.flags, roster.version], [[before], 0x0a, 1]);
});

Deno.test("the roster leaves out addresses that lead nowhere", () => {
  const roster = new Roster();
  roster.update([peer("0.0.0.1:1"), peer("239.1.2.3:1"), peer("255.255.255.255:1"), peer("192.0.2.1:1")]);
  assert.deepEqual([...roster.peers].map(({ key }) => key), ["192.0.2.1:1"]);
});

Deno.test("nearness() ranks the internet, our network and this machine", () => {
  const ips = ["192.0.2.1", "2001:db8::1", "10.1.2.3", "fe80::1", "127.0.0.1", "::1", "224.0.0.1"];
  assert.deepEqual(ips.map(nearness), [0, 0, 1, 1, 2, 2, undefined]);
});

Deno.test("of very many who came at once, 50 are taken in at each look", () => {
  const roster = new Roster();
  const many = Array.from({ length: 120 }, (_, i) => peer(`192.0.2.${i + 1}:1`));
  const sizes = [1, 2, 3, 4].map(() => {
    roster.update(many);
    return [[...roster.peers].length, roster.version];
  });
  assert.deepEqual(sizes, [[50, 1], [100, 2], [120, 3], [120, 3]]);
});
