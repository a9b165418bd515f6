import assert from "node:assert/strict";
import fc from "fast-check";
import { percentEncode, ProtocolError, utf8Encode } from "weft";
import { MAX_SCRAPED, queryOf, readAnnounce, readScrape } from "./query.ts";

const hash = "%124Vx%9A%BC%DE%F1%23%45%67%89%AB%CD%EF%124Vx%9A";
const bytes = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const least = `info_hash=${hash}&peer_id=-XX0001-aaaaaaaaaaaa&port=6881`;

Deno.test("readAnnounce() reads what clients send", () => {
  const query = `${least}&uploaded=1&downloaded=2&left=0&corrupt=0&key=5C9A&event=completed&numwant=80&compact=1` +
    "&no_peer_id=1&supportcrypto=1&redundant=0&trackerid=x&ip=192.0.2.7";
  const { infoHash, peerId, key, ...rest } = readAnnounce(query);
  assert.deepEqual([...infoHash], [...bytes, 0x12, 0x34, 0x56, 0x78, 0x9a]);
  assert.deepEqual(peerId, utf8Encode("-XX0001-aaaaaaaaaaaa"));
  assert.equal(key, readAnnounce(`${least}&key=5C9A`).key);
  assert.notEqual(key, readAnnounce(`${least}&key=5C9B`).key);
  assert.deepEqual(rest, { port: 6881, complete: true, event: "completed", wanted: 80, compact: true, ids: false });
});

Deno.test("readAnnounce() takes what is missing, empty or odd as a client means it", () => {
  const read = (more: string) => readAnnounce(least + more);
  const { complete, event, wanted, compact, ids } = read("");
  assert.deepEqual([complete, event, wanted, compact, ids], [false, undefined, undefined, true, false]);
  assert.equal(read("&left=9223372036854775807").complete, false);
  assert.equal(read("&left=-1").complete, false);
  assert.equal(read("&event=").event, undefined);
  assert.equal(read("&event=dancing").event, undefined);
  assert.equal(read("&event=paused").event, "paused");
  assert.equal(read("&numwant=-1").wanted, undefined);
  assert.equal(read("&numwant=0").wanted, 0);
  assert.equal(read("&numwant=1&numwant=2").wanted, 2);
  assert.deepEqual([read("&compact=0").compact, read("&compact=0").ids], [false, true]);
  assert.equal(read("&compact=0&no_peer_id=1").ids, false);
  assert.equal(read("&&=&a&=b&&").port, 6881);
  assert.equal(readAnnounce(least.replace("aaaaaaaaaaaa", "a+b+aaaaaaaa")).peerId[9], 0x2b, "a plus is a plus");
});

Deno.test("readAnnounce() says what is wrong", () => {
  const cases: [string, RegExp][] = [
    ["", /port must be 0 to 65535/],
    [least.replace("6881", "65536"), /port must be/],
    [least.replace("6881", "-1"), /port must be/],
    [least.replace("6881", "0x10"), /port must be/],
    [least.replace(hash, "short"), /info_hash must be 20 bytes/],
    [least.replace(hash, `${hash}a`), /info_hash must be 20 bytes/],
    [least.replace("%9A", "%9"), /info_hash must be 20 bytes/],
    [least.replace("%9A", "%zz"), /info_hash must be 20 bytes/],
    [least.replace("info_hash", "info_hush"), /info_hash must be 20 bytes/],
    [`${least}&info_hash=${hash}`, /about one info_hash/],
    [least.replace("peer_id", "peer"), /peer_id must be 20 bytes/],
    [`${least}&x=${"y".repeat(9_000)}`, /longer than 8192/],
  ];
  for (const [query, problem] of cases) assert.throws(() => readAnnounce(query), problem, query);
});

Deno.test("readScrape() reads one torrent or several, not all and not too many", () => {
  assert.equal(readScrape(`info_hash=${hash}`).length, 1);
  assert.equal(readScrape(`info_hash=${hash}&x=1&info_hash=${hash}`).length, 2);
  assert.throws(() => readScrape(""), /does not list all/);
  const short = "a".repeat(20);
  assert.equal(readScrape(Array(MAX_SCRAPED).fill(`info_hash=${short}`).join("&")).length, MAX_SCRAPED);
  assert.throws(() => readScrape(Array(MAX_SCRAPED + 1).fill(`info_hash=${short}`).join("&")), /at most 100/);
});

Deno.test("any 20 bytes come through, and any text is read or refused", () => {
  const id = fc.uint8Array({ minLength: 20, maxLength: 20 });
  fc.assert(fc.property(id, id, (infoHash, peerId) => {
    const read = readAnnounce(`info_hash=${percentEncode(infoHash)}&peer_id=${percentEncode(peerId)}&port=1`);
    assert.deepEqual([read.infoHash, read.peerId], [infoHash, peerId]);
  }));
  const parts = fc.constantFrom(
    "info_hash=",
    "peer_id=",
    "port=1",
    "&",
    "=",
    "%",
    "%4",
    "%ff",
    "left=",
    "é",
    "0",
    hash,
  );
  fc.assert(fc.property(fc.array(parts), (texts) => {
    for (const read of [readAnnounce, readScrape]) {
      try {
        read(texts.join(""));
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }
  }));
});

Deno.test("queryOf() is what stands behind the question mark", () => {
  assert.equal(queryOf("http://t.example/announce?a=b?c"), "a=b?c");
  assert.equal(queryOf("http://t.example/announce"), "");
});
