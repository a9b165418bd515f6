import assert from "node:assert/strict";
import fc from "fast-check";
import { parseMetainfo } from "../wire/mod.ts";
import { buildTorrent, choosePieceLength } from "./torrent.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

Deno.test("choosePieceLength() gives 1,000 to 2,000 pieces where the bounds allow", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 46 }), (length) => {
    const chosen = choosePieceLength(length);
    assert.ok(Number.isInteger(Math.log2(chosen)));
    const pieces = length / chosen;
    assert.ok(pieces <= 2000 || chosen === 16 * MiB);
    assert.ok(pieces > 1000 || chosen === 16 * KiB);
  }));
});

Deno.test("buildTorrent() writes a torrent that reads back the same", () => {
  const torrent = buildTorrent({
    name: "sample",
    files: [{ path: ["a", "b.txt"], file: "/x", length: 5 }, { path: ["c"], file: "/y", length: 0 }],
    multi: true,
    pieceLength: 16 * KiB,
    pieces: new Uint8Array(20),
    trackers: ["http://one.example/announce", "udp://two.example:6969"],
    webSeeds: ["https://web.example/"],
    private: true,
    comment: "hello",
    source: "here",
    createdBy: "Weft",
    creationDate: 1_700_000_000,
  });
  const metainfo = parseMetainfo(torrent);
  assert.deepEqual(metainfo.info.files.map(({ path, length }) => [path, length]), [[["a", "b.txt"], 5], [["c"], 0]]);
  assert.deepEqual(metainfo.announce, [["http://one.example/announce"], ["udp://two.example:6969"]]);
  assert.deepEqual(metainfo.webSeeds, ["https://web.example/"]);
  assert.equal(metainfo.info.private, true);
  assert.equal(metainfo.info.source, "here");
  assert.equal(metainfo.comment, "hello");
  assert.equal(metainfo.creationDate, 1_700_000_000);
});
