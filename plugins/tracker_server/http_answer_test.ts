import assert from "node:assert/strict";
import { encode, encodePeers4, encodePeers6, parsePeerAddress, utf8Encode } from "weft";
import { encodeAnswer, encodeRefusal, encodeScrape } from "./http_answer.ts";
import { hashOf } from "./test_tracker.ts";

const four = parsePeerAddress("192.0.2.1:6881");
const six = parsePeerAddress("[2001:db8::1]:6881");
const answer = {
  ...{ seeds: 1, leechers: 20, downloaders: 5, downloads: 300, interval: 1800, minInterval: 60 },
  peers: encodePeers4([four]),
  peers6: encodePeers6([six]),
  ids: new Uint8Array([...hashOf(1), ...hashOf(2)]),
};
const common = { complete: 1, downloaded: 300, incomplete: 20, interval: 1800, "min interval": 60 };
const ip = Uint8Array.of(192, 0, 2, 9);

Deno.test("an answer is written as bencode has it, keys in order", () => {
  const compact = { ...common, "external ip": ip, peers: answer.peers };
  assert.deepEqual(encodeAnswer({ ...answer, peers6: new Uint8Array() }, ip, true), encode(compact));
  assert.deepEqual(encodeAnswer(answer, ip, true), encode({ ...compact, peers6: answer.peers6 }));
  const peers = [
    { ip: "192.0.2.1", "peer id": hashOf(1), port: 6881 },
    { ip: "2001:db8::1", "peer id": hashOf(2), port: 6881 },
  ];
  assert.deepEqual(encodeAnswer(answer, ip, false), encode({ ...common, "external ip": ip, peers }));
});

Deno.test("a scrape's torrents stand in the order of their hashes, whatever they are", () => {
  const hashes = [hashOf(0xff), hashOf(0x80), hashOf(0), hashOf(0x7f)];
  const bytes = encodeScrape(hashes, [answer, answer, undefined, answer]);
  const at = hashes.map((hash) => bytes.findIndex((_, i) => hash.every((byte, j) => bytes[i + j] === byte)));
  assert.ok(at[3] < at[1] && at[1] < at[0] && at[2] === -1, `${at}`);
});

Deno.test("a refusal says why, and when to try again if that is known", () => {
  assert.deepEqual(encodeRefusal({ message: "no" }), utf8Encode("d14:failure reason2:noe"));
  assert.deepEqual(encodeRefusal({ message: "no", retry: 5 }), utf8Encode("d14:failure reason2:no8:retry ini5ee"));
});
