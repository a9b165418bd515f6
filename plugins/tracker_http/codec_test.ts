import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import {
  type AnnounceRequest,
  encode,
  encodePeers4,
  encodePeers6,
  fromHex,
  InfoHash,
  peerAddress,
  torrentId,
  TrackerError,
} from "weft";
import { announceUrl, decodeAnnounce, decodeScrape, scrapeRequest, scrapeUrl } from "./codec.ts";

const infoHash = fromHex("0123456789abcdef0123456789abcdef01234567");
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function fixture(name: string): Uint8Array {
  return Deno.readFileSync(fileURLToPath(new URL(`../../tests/fixtures/tracker/${name}.bencode`, import.meta.url)));
}

function request(url: string, change: Partial<AnnounceRequest> = {}): AnnounceRequest {
  return {
    url: new URL(url),
    id: torrentId({ v1: InfoHash.from(infoHash) }),
    infoHash,
    peerId: text("-WF0010-a b~c.d_e-f%"),
    port: 6881,
    uploaded: 1,
    downloaded: 2,
    left: 3,
    wanted: 50,
    key: 0xab,
    ...change,
  };
}

Deno.test("announceUrl() writes every field, binary ones percent-encoded", () => {
  assert.equal(
    announceUrl(request("http://t.example/announce", { event: "started", trackerId: "a&b" })),
    "http://t.example/announce?info_hash=%01%23Eg%89%AB%CD%EF%01%23Eg%89%AB%CD%EF%01%23Eg" +
      "&peer_id=-WF0010-a%20b~c.d_e-f%25&port=6881&uploaded=1&downloaded=2&left=3&compact=1&no_peer_id=1&numwant=50" +
      "&key=000000ab&event=started&trackerid=a%26b",
  );
});

Deno.test("announceUrl() says what we do about encryption", () => {
  const query = (encryption?: "supported" | "required"): string =>
    announceUrl(request("http://t.example/announce", { encryption })).replace(/^.*?key=\w+/, "");
  assert.equal(query(), "");
  assert.equal(query("supported"), "&supportcrypto=1");
  assert.equal(query("required"), "&supportcrypto=1&requirecrypto=1&cryptoport=6881");
});

Deno.test("announceUrl() keeps a passkey in the path or the query as it was written", () => {
  const cases = [
    ["https://t.example:2710/0123abcd/announce", "https://t.example:2710/0123abcd/announce?info_hash="],
    [
      "https://t.example/announce.php?passkey=A%2fb+c%zz",
      "https://t.example/announce.php?passkey=A%2fb+c%zz&info_hash=",
    ],
    ["http://t.example/announce?", "http://t.example/announce?info_hash="],
    ["http://t.example/announce?a=1&", "http://t.example/announce?a=1&info_hash="],
    ["http://t.example/announce?a=1#x", "http://t.example/announce?a=1&info_hash="],
  ];
  for (const [url, start] of cases) assert.ok(announceUrl(request(url)).startsWith(start), url);
});

Deno.test("decodeAnnounce() reads what opentracker answers", () => {
  assert.deepEqual(decodeAnnounce(fixture("announce_empty")), {
    peers: [peerAddress("127.0.0.1", 6881)],
    interval: 1_768_000,
    minInterval: 884_000,
    seeders: 0,
    leechers: 1,
  });
  const { peers, seeders, leechers } = decodeAnnounce(fixture("announce_peers"));
  assert.deepEqual(peers.map(({ port }) => port).sort(), [6881, 6901, 6902, 6903]);
  assert.deepEqual([seeders, leechers], [1, 3]);
  assert.deepEqual(decodeAnnounce(fixture("announce_stopped")).peers, []);
  assert.throws(
    () => decodeAnnounce(fixture("announce_refused")),
    new TrackerError("Requested download is not authorized for use with this tracker.", { answer: { peers: [] } }),
  );
});

Deno.test("decodeAnnounce() reads compact and dictionary peers of both families", () => {
  const four = peerAddress("203.0.113.5", 6881);
  const six = peerAddress("2001:db8::1", 6882);
  assert.deepEqual(
    decodeAnnounce(encode({ peers: encodePeers4([four]), peers6: encodePeers6([six]) })).peers,
    [four, six],
  );
  const dictionaries = [
    { ip: "203.0.113.5", port: 6881, "peer id": new Uint8Array(20) },
    { ip: "2001:db8::1", port: 6882 },
    { ip: "peer.example", port: 6881 },
    { ip: "203.0.113.6", port: 0 },
    { ip: "203.0.113.6", port: 65536 },
    { port: 6881 },
  ];
  assert.deepEqual(decodeAnnounce(encode({ peers: dictionaries })).peers, [four, six]);
  assert.deepEqual(decodeAnnounce(encode({ interval: 60 })).peers, []);
});

Deno.test("decodeAnnounce() reads the warning, the tracker's id and our address", () => {
  const answer = decodeAnnounce(encode({
    peers: "",
    "warning message": "use https",
    "tracker id": "abc",
    "external ip": Uint8Array.of(203, 0, 113, 9),
  }));
  assert.deepEqual(answer, { peers: [], warning: "use https", trackerId: "abc", externalIp: "203.0.113.9" });
});

Deno.test("decodeAnnounce() throws the tracker's refusal with the wait that it asks for", () => {
  const cases: readonly [number | string | undefined, number | "never" | undefined][] = [
    [undefined, undefined],
    [5, 300_000],
    ["5", 300_000],
    ["never", "never"],
    ["soon", undefined],
    [-1, undefined],
  ];
  for (const [written, retry] of cases) {
    assert.throws(
      () => decodeAnnounce(encode({ "failure reason": "busy", "retry in": written })),
      (error) => error instanceof TrackerError && error.message === "busy" && error.retry === retry,
    );
  }
});

Deno.test("decodeAnnounce() loses no more than what is flawed", () => {
  const [four, six] = [peerAddress("203.0.113.5", 6881), peerAddress("2001:db8::1", 6882)];
  const good = { peers: encodePeers4([four]), peers6: encodePeers6([six]), interval: 60, "warning message": "w" };
  const whole = { peers: [four, six], interval: 60_000, warning: "w" };
  const stray = (bytes: Uint8Array): Uint8Array => Uint8Array.of(...bytes, 0x0a);
  assert.deepEqual(decodeAnnounce(stray(encode(good))), whole);
  assert.deepEqual(decodeAnnounce(encode({ ...good, peers: stray(good.peers), peers6: stray(good.peers6) })), whole);
  const dictionaries = ["x", 1, [], { ip: "203.0.113.5", port: 6881 }, { ip: 5, port: "x" }];
  assert.deepEqual(decodeAnnounce(encode({ ...good, peers: dictionaries })), whole);
  for (const garbage of ["odd", -1, [], { x: 1 }]) {
    assert.deepEqual(decodeAnnounce(encode({ ...good, peers6: garbage })).peers, [four]);
    assert.deepEqual(decodeAnnounce(encode({ ...good, peers: garbage })).peers, [six]);
    assert.deepEqual(decodeAnnounce(encode({ ...good, interval: garbage })).peers, whole.peers);
  }
});

Deno.test("decodeAnnounce() reads what stands beside a refusal", () => {
  const peer = peerAddress("203.0.113.5", 6881);
  const beside = { interval: 3600, "min interval": 1800, "warning message": "w", peers: encodePeers4([peer]) };
  assert.throws(() => decodeAnnounce(encode({ "failure reason": "busy", ...beside })), (error) => {
    assert.ok(error instanceof TrackerError);
    assert.deepEqual(error.answer, { peers: [peer], interval: 3_600_000, minInterval: 1_800_000, warning: "w" });
    return true;
  });
});

Deno.test("decodeAnnounce() passes over numbers that make no sense", () => {
  const answer = decodeAnnounce(
    encode({ interval: -1, "min interval": 0, complete: 2n ** 63n, incomplete: "x", peers: "" }),
  );
  assert.deepEqual(answer, { peers: [] });
});

Deno.test("decodeAnnounce() takes no more than 2000 peers", () => {
  assert.equal(decodeAnnounce(encode({ peers: new Uint8Array(6 * 50_000).fill(9) })).peers.length, 2000);
  // What stands behind is not even read: 1 MiB of it would take a tenth of a second.
  for (const [key, size] of [["peers", 6], ["peers6", 18]] as const) {
    const bytes = new Uint8Array(size * 2_001);
    bytes.fill(9, size * 2_000);
    assert.deepEqual(decodeAnnounce(encode({ [key]: bytes })).peers, []);
  }
});

Deno.test("decodeAnnounce() throws on answers that can't be read, saying why", () => {
  const cases: readonly [Uint8Array, RegExp][] = [
    [text("<html>"), /Cannot read the tracker's answer: Cannot decode bencode/],
    [text("le"), /it must be a dictionary/],
    [text(`d5:peers${"l".repeat(200)}${"e".repeat(200)}e`), /nested deeper/],
  ];
  for (const [bytes, message] of cases) {
    assert.throws(() => decodeAnnounce(bytes), (error) => error instanceof TrackerError && message.test(error.message));
  }
});

Deno.test("decodeAnnounce() and decodeScrape() throw nothing but TrackerError", () => {
  const fixtures = ["announce_peers", "announce_refused", "scrape"].map(fixture);
  const mutated = fc.tuple(fc.constantFrom(...fixtures), fc.nat(), fc.integer({ min: 0, max: 255 })).map(
    ([bytes, at, byte]) => bytes.with(at % bytes.length, byte),
  );
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      for (const decode of [decodeAnnounce, (bytes: Uint8Array) => decodeScrape(bytes, [infoHash])]) {
        try {
          decode(bytes);
        } catch (error) {
          if (!(error instanceof TrackerError)) throw error;
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("scrapeUrl() follows the convention of BEP 48", () => {
  const cases: readonly [string, string | undefined][] = [
    ["http://example.com/announce", "http://example.com/scrape"],
    ["http://example.com/x/announce", "http://example.com/x/scrape"],
    ["http://example.com/announce.php", "http://example.com/scrape.php"],
    ["http://example.com/a", undefined],
    ["http://example.com/announce?x2%0644", "http://example.com/scrape?x2%0644"],
    ["http://example.com/announce?x=2/4", undefined],
    ["http://example.com/x%064announce", undefined],
    ["https://example.com/announce.php?passkey=1", "https://example.com/scrape.php?passkey=1"],
  ];
  for (const [announce, scrape] of cases) assert.equal(scrapeUrl(new URL(announce)), scrape, announce);
});

Deno.test("scrapeRequest() names every info-hash", () => {
  assert.equal(
    scrapeRequest("http://t/scrape?k=1", [text("a".repeat(20)), text("&")]),
    `http://t/scrape?k=1&info_hash=${"a".repeat(20)}&info_hash=%26`,
  );
});

Deno.test("decodeScrape() answers in the order asked, undefined for what the tracker doesn't know", () => {
  const unknown = new Uint8Array(20).fill(255);
  assert.deepEqual(decodeScrape(fixture("scrape"), [unknown, infoHash]), [undefined, {
    seeders: 1,
    leechers: 2,
    completed: 0,
  }]);
  assert.throws(() => decodeScrape(encode({ "failure reason": "no" }), [infoHash]), new TrackerError("no"));
  assert.throws(() => decodeScrape(encode({ files: 1 }), [infoHash]), TrackerError);
});
