import assert from "node:assert/strict";
import { peerAddress } from "../../wire/mod.ts";
import { type Member, type Origin, originOf, whoMakesRoom } from "./crowd.ts";

const from = (ip: string): Origin => originOf(peerAddress(ip, 6881));
const networkOf = (ip: string): string => from(ip).network;
const at = (...ips: readonly string[]): Member[] => ips.map((ip) => ({ from: from(ip) }));
const anybody = () => 0;

Deno.test("originOf() knows the network, a /24 of IPv4 and a /48 of IPv6", () => {
  assert.equal(networkOf("192.0.2.7"), networkOf("192.0.2.200"));
  assert.notEqual(networkOf("192.0.2.7"), networkOf("192.0.3.7"));
  assert.equal(networkOf("2001:db8:1:2::3"), networkOf("2001:db8:1:ff::4"));
  assert.notEqual(networkOf("2001:db8:1:2::3"), networkOf("2001:db8:2:2::3"));
});

Deno.test("whoMakesRoom() takes the network with most places, in it the address with most, and of that the oldest", () => {
  const members = at("203.0.113.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3");
  assert.equal(whoMakesRoom(members, from("198.51.100.1"), anybody), members[2]);
});

Deno.test("whoMakesRoom() takes who can be spared best of them, and never who can't be", () => {
  const members = at("192.0.2.2", "192.0.2.2", "192.0.2.2", "203.0.113.1");
  const newcomer = from("198.51.100.1");
  assert.equal(whoMakesRoom(members, newcomer, (member) => member === members[1] ? 2 : 1), members[1]);
  assert.equal(whoMakesRoom(members, newcomer, (member) => member === members[3] ? 1 : undefined), members[3]);
  assert.equal(whoMakesRoom(members, newcomer, () => undefined), undefined);
});

Deno.test("whoMakesRoom() has whoever holds most make room for itself", () => {
  const members = at("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "203.0.113.1");
  assert.equal(whoMakesRoom(members, from("192.0.2.9"), anybody), members[0]);
  const kept = (member: unknown) => member === members[4] ? 0 : undefined;
  assert.equal(whoMakesRoom(members, from("203.0.113.9"), kept), members[4]);
  assert.equal(whoMakesRoom(members, from("192.0.2.9"), kept), undefined, "not those of others");
});

Deno.test("whoMakesRoom() lets newcomers in where everybody has one place", () => {
  const members = at("192.0.2.1", "203.0.113.1");
  assert.equal(whoMakesRoom(members, from("198.51.100.1"), anybody), members[0]);
});
