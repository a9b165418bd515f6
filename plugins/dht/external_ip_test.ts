import assert from "node:assert/strict";
import { peerAddress } from "weft";
import { ExternalIp } from "./external_ip.ts";

const ours = peerAddress("203.0.113.5", 6881);
const lie = peerAddress("198.51.100.9", 6881);
const voter = (network: number, host = 1) => peerAddress(`20.0.${network}.${host}`, 6881);

Deno.test("our address is what two thirds of at least 6 networks say", () => {
  const external = new ExternalIp();
  const news = Array.from({ length: 6 }, (_, i) => external.vote(ours, voter(i)));
  assert.deepEqual(news, [undefined, undefined, undefined, undefined, undefined, ours.ip]);
  assert.equal(external.current, ours.ip);
});

Deno.test("one network has one vote, and a third of liars changes nothing", () => {
  const external = new ExternalIp();
  for (let host = 1; host < 100; host++) assert.equal(external.vote(lie, voter(99, host)), undefined);
  for (let i = 0; i < 16; i++) external.vote(ours, voter(i));
  for (let i = 16; i < 24; i++) assert.equal(external.vote(lie, voter(i)), undefined);
  assert.equal(external.current, ours.ip);
});

Deno.test("a new address is noticed once older votes are outnumbered", () => {
  const external = new ExternalIp();
  for (let i = 0; i < 24; i++) external.vote(ours, voter(i));
  for (let i = 0; i < 24; i++) external.vote(lie, voter(100 + i));
  assert.equal(external.current, lie.ip);
});

Deno.test("addresses that are not public, or of another family, are no votes", () => {
  const external = new ExternalIp();
  for (let i = 0; i < 10; i++) {
    external.vote(peerAddress("10.0.0.1", 1), voter(i));
    external.vote(peerAddress("2001:db8::1", 1), voter(i));
  }
  assert.equal(external.current, undefined);
});
