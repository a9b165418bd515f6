import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { formatMagnet, type Magnet, parseMagnet } from "./magnet.ts";
import { InfoHash, torrentId } from "./torrent_id.ts";

const HEX = "d3a707a8b44a3aed6fdc96ec9dea2a265ca4beea";
const BASE = `magnet:?xt=urn:btih:${HEX}`;

Deno.test("parseMagnet() reads every parameter of BEP 9, 19 and 53", () => {
  const magnet = parseMagnet(
    `${BASE}&dn=A%20name+here&tr=http%3A%2F%2Ft.example%2Fa&tr.1=udp://u.example:80&ws=https://w.example/` +
      "&x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:6882&x.pe=peer.example:6883&so=0,2,4-7&xl=5&unknown=1",
  );
  assert.deepEqual(magnet, {
    id: torrentId({ v1: InfoHash.parse(HEX) }),
    name: "A name here",
    trackers: ["http://t.example/a", "udp://u.example:80"],
    peers: ["192.0.2.1:6881", "[2001:db8::1]:6882", "peer.example:6883"],
    webSeeds: ["https://w.example/"],
    select: [[0, 0], [2, 2], [4, 7]],
  });
});

Deno.test("parseMagnet() reads hashes in base32 and as a multihash, alone or together", () => {
  assert.equal(parseMagnet("MAGNET:?xt=URN:BTIH:2OTQPKFUJI5O2364S3WJ32RKEZOKJPXK").id.hex, HEX);
  const v2 = "ab".repeat(32);
  assert.equal(parseMagnet(`magnet:?xt=urn:btmh:1220${v2}`).id.hex, v2);
  assert.equal(parseMagnet(`${BASE}&xt=urn:btmh:1220${v2}`).id.wireIds.length, 2);
});

Deno.test("parseMagnet() leaves out peers and URLs that can't be used, and repeats", () => {
  const magnet = parseMagnet(`${BASE}&x.pe=nonsense&x.pe=1.2.3.4:0&tr=nonsense&tr=http://a/&tr=http://a/&dn=`);
  assert.deepEqual(magnet, { id: magnet.id, trackers: ["http://a/"], peers: [], webSeeds: [] });
});

Deno.test("parseMagnet() bounds how much one link can ask for", () => {
  const trackers = Array.from({ length: 500 }, (_, i) => `&tr=http://${i}.example/`).join("");
  assert.equal(parseMagnet(BASE + trackers).trackers.length, 100);
  assert.throws(() => parseMagnet(BASE + "&dn=" + "x".repeat(70_000)), ProtocolError);
});

Deno.test("parseMagnet() throws without a usable hash", () => {
  const links = ["", "http://a/", "magnet:?dn=x", "magnet:?xt=urn:btih:zz", "magnet:?xt=urn:btmh:1220ab"];
  for (const text of links) assert.throws(() => parseMagnet(text), ProtocolError, text);
});

Deno.test("parseMagnet() reads what formatMagnet() writes", () => {
  const hash = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(InfoHash.from);
  const v2 = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const magnet: fc.Arbitrary<Magnet> = fc.record({
    id: fc.oneof(fc.record({ v1: hash }), fc.record({ v2 }), fc.record({ v1: hash, v2 })).map(torrentId),
    name: fc.string({ unit: "grapheme", minLength: 1 }),
    trackers: fc.uniqueArray(fc.webUrl({ withQueryParameters: true })),
    peers: fc.uniqueArray(fc.constantFrom("192.0.2.1:6881", "[2001:db8::1]:1", "peer.example:65535")),
    webSeeds: fc.uniqueArray(fc.webUrl()),
    select: fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)).map(([a, b]) => [a, a + b] as const), { minLength: 1 }),
  }, { requiredKeys: ["id", "trackers", "peers", "webSeeds"], noNullPrototype: true });
  fc.assert(fc.property(magnet, (value) => assert.deepEqual(parseMagnet(formatMagnet(value)), value)));
});

Deno.test("parseMagnet() of any text returns or throws ProtocolError", () => {
  fc.assert(fc.property(fc.string(), fc.constantFrom("", "magnet:?", BASE + "&"), (text, prefix) => {
    try {
      parseMagnet(prefix + text);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }));
});

Deno.test("parseMagnet() loses no more than what is flawed", () => {
  const select = (so: string) => parseMagnet(`${BASE}&so=${so}`).select;
  for (const so of ["a", "3-1", "1-", "-1", "99999999"]) {
    assert.equal(select(so), undefined);
    assert.deepEqual(select(`1,${so},4-5`), [[1, 1], [4, 5]]);
  }
  const flawed =
    `magnet:?xt=urn:btih:zz&xt=urn:btmh:1220ab&xt=urn:btih:${HEX}&tr=nonsense&tr=http://a/&x.pe=:&x.pe=a:1`;
  const { id, trackers, peers } = parseMagnet(flawed);
  assert.deepEqual([id.hex, trackers, peers], [HEX, ["http://a/"], ["a:1"]]);
});

Deno.test("parseMagnet() doesn't see line breaks, nor white space around the link and its values", () => {
  const half = HEX.length / 2;
  const broken = `\n magnet:?\r\n  &xt=urn:btih:${HEX.slice(0, half)}\n\t${
    HEX.slice(half)
  } \n& dn = a b \n&tr=http://a/%20x\n `;
  const magnet = parseMagnet(broken);
  assert.deepEqual([magnet.id.hex, magnet.name, magnet.trackers], [HEX, "a b", ["http://a/ x"]]);
  assert.equal(parseMagnet(`magnet:?xt=urn:btih:+${HEX}%0A`).id.hex, HEX);
});
