import assert from "node:assert/strict";
import fc from "fast-check";
import { encode, encodePeers4, encodePeers6, parsePeerAddress, peerAddress, ProtocolError } from "weft";
import { contact, decodePex, encodePex, MAX_RECEIVED, PexFlag } from "./codec.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const a = parsePeerAddress("192.0.2.1:6881");
const b = parsePeerAddress("[2001:db8::1]:6882");
const c = parsePeerAddress("192.0.2.3:6883");

const fixture = (name: string): Uint8Array =>
  Deno.readFileSync(new URL(`../../tests/fixtures/pex/${name}`, import.meta.url));

Deno.test("decodePex() reads whom libtorrent adds, in both families, and whom it drops", () => {
  const { added, dropped, cut } = decodePex(fixture("libtorrent_added.bin"));
  assert.deepEqual(added.map(({ address }) => address.key), [
    "127.0.0.1:7001",
    "127.0.0.1:7002",
    "127.0.0.1:7004",
    "[::1]:7006",
  ]);
  assert.deepEqual([added.map(({ flags }) => flags), dropped, cut], [[0, 0, 0, 0], [], 0]);
  const later = decodePex(fixture("libtorrent_dropped.bin"));
  assert.deepEqual([later.added, later.dropped.map(({ key }) => key)], [[], ["127.0.0.1:35364"]]);
});

Deno.test("decodePex() reads whom Transmission adds, which leaves out what is empty, and names whom it dialed reachable", () => {
  const bare = decodePex(fixture("transmission_bare.bin"));
  assert.deepEqual(bare, { added: [{ address: parsePeerAddress("10.77.2.2:6881"), flags: 0 }], dropped: [], cut: 0 });
  const { added } = decodePex(fixture("transmission_added.bin"));
  assert.deepEqual(added.map(({ address, flags }) => [address.key, flags]), [
    ["10.77.2.2:6881", PexFlag.reachable],
    ["10.77.2.3:6881", PexFlag.reachable],
    ["10.77.2.4:6881", 0],
    ["[fd77::2]:6881", PexFlag.reachable],
  ]);
});

Deno.test("encodePex() writes both families, with flags, and leaves out what is empty", () => {
  const message = encodePex([contact(a, PexFlag.uploadOnly), contact(b, PexFlag.utp), contact(c, 0)], [contact(c, 0)]);
  const expected = encode({
    added: encodePeers4([a, c]),
    "added.f": Uint8Array.of(0x02, 0),
    added6: encodePeers6([b]),
    "added6.f": Uint8Array.of(0x04),
    dropped: encodePeers4([c]),
  });
  assert.deepEqual(message, expected);
  assert.deepEqual(encodePex([], []), bytes("de"));
});

Deno.test("decodePex() reads what encodePex() writes", () => {
  const ip4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65535 }));
  const ip6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 65535 }));
  const peers = fc.array(fc.tuple(fc.oneof(ip4, ip6), fc.nat(31)), { maxLength: MAX_RECEIVED });
  fc.assert(fc.property(peers, peers, (added, dropped) => {
    const named = added.map(([[ip, port], flags]) => ({ address: peerAddress(ip, port), flags }));
    const gone = dropped.map(([[ip, port]]) => peerAddress(ip, port));
    const message = encodePex(
      named.map(({ address, flags }) => contact(address, flags)),
      gone.map((address) => contact(address, 0)),
    );
    assert.deepEqual(decodePex(message), {
      added: [4, 6].flatMap((family) => named.filter(({ address }) => address.family === family)),
      dropped: [4, 6].flatMap((family) => gone.filter((address) => address.family === family)),
      cut: 0,
    });
  }));
});

Deno.test("decodePex() keeps each peer's flags where one of port 0 is left out, and takes missing flags as none", () => {
  const added = new Uint8Array([...encodePeers4([a]), 192, 0, 2, 2, 0, 0, ...encodePeers4([c])]);
  const read = decodePex(encode({ added, "added.f": Uint8Array.of(1, 2, 16) }));
  assert.deepEqual(read.added, [{ address: a, flags: 1 }, { address: c, flags: 16 }]);
  assert.deepEqual(decodePex(encode({ added, "added.f": Uint8Array.of(1) })).added.map(({ flags }) => flags), [1, 0]);
  assert.deepEqual(decodePex(encode({ added, "added.f": 7 })).added.map(({ flags }) => flags), [0, 0]);
});

Deno.test("decodePex() takes a mapped IPv4 address as IPv4", () => {
  const added6 = new Uint8Array([...new Array(10).fill(0), 255, 255, 192, 0, 2, 1, 6881 >> 8, 6881 & 255]);
  assert.equal(decodePex(encode({ added6 })).added[0].address.key, a.key);
});

Deno.test("decodePex() reads 100 peers of either kind and counts the rest", () => {
  const many = Array.from({ length: 90 }, (_, i) => peerAddress(`192.0.2.${i + 1}`, 6881));
  const more = Array.from({ length: 90 }, (_, i) => peerAddress(`2001:db8::${i + 1}`, 6881));
  const { added, cut } = decodePex(encode({ added: encodePeers4(many), added6: encodePeers6(more) }));
  assert.deepEqual([added.length, cut], [100, 80]);
  const gone = decodePex(encode({ added: encodePeers4(many), dropped: encodePeers4([...many, ...many]) }));
  assert.deepEqual([gone.added.length, gone.dropped.length, gone.cut], [90, 100, 80]);
});

Deno.test("decodePex() tolerates keys that it doesn't know, and missing ones", () => {
  assert.deepEqual(decodePex(bytes("d5:extrale1:xi1ee")), { added: [], dropped: [], cut: 0 });
  assert.deepEqual(decodePex(bytes("de")), { added: [], dropped: [], cut: 0 });
});

Deno.test("decodePex() loses no more than the list that is flawed", () => {
  const { added, dropped } = decodePex(bytes("d5:added7:AAAAAAA7:added.f0:6:added6i6e7:dropped6:BBBBBB8:dropped6leex"));
  assert.deepEqual(added.map(({ address, flags }) => [address.key, flags]), [["65.65.65.65:16705", 0]]);
  assert.deepEqual(dropped.map(({ key }) => key), ["66.66.66.66:16962"]);
});

for (
  const [what, payload] of [
    ["nothing", ""],
    ["no dictionary", "le"],
    ["a thousand values", `d1:al${"i0e".repeat(1_000)}ee`],
  ] as const
) {
  Deno.test(`decodePex() throws on ${what}`, () => {
    assert.throws(() => decodePex(bytes(payload)), ProtocolError);
  });
}

Deno.test("decodePex() takes any bytes, or throws a ProtocolError", () => {
  const message = encodePex([contact(a, 1), contact(b, 2), contact(c, 3)], [contact(a, 0)]);
  const mutation = fc.tuple(fc.nat(message.length - 1), fc.nat(255));
  const mutated = fc.array(mutation, { maxLength: 5 }).map((changes) => {
    const copy = message.slice();
    for (const [at, byte] of changes) copy[at] = byte;
    return copy;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (payload) => {
      try {
        const { added } = decodePex(payload);
        assert.ok(added.every(({ address: { port } }) => port > 0));
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
