import assert from "node:assert/strict";
import fc from "fast-check";
import { decode, type Encodable, encode, Encoded, infoSpan } from "./bencode.ts";
import { ProtocolError } from "./errors.ts";
import { parseInfo } from "./info.ts";
import { buildInfo, encodeMetainfo, parseMetainfo } from "./metainfo.ts";
import { byteString, fromByteString, toHex, utf8Decode, utf8Encode } from "./text.ts";

const fixture = (name: string): Uint8Array =>
  Deno.readFileSync(new URL(`../../tests/fixtures/torrents/${name}.torrent`, import.meta.url));
const info = buildInfo({ name: "a", pieceLength: 16384, length: 1, pieces: new Uint8Array(20) });

Deno.test("parseMetainfo() reads a single file with tiers, web seeds and nodes", () => {
  const torrent = parseMetainfo(fixture("single"));
  assert.deepEqual(torrent.announce, [
    ["http://tracker.example/announce", "udp://tracker.example:6969/announce"],
    ["http://backup.example/announce"],
  ]);
  assert.deepEqual(torrent.webSeeds, ["http://seed.example/one.bin"]);
  assert.deepEqual(torrent.nodes, [{ host: "router.example", port: 6881 }, { host: "192.0.2.7", port: 6882 }]);
  assert.deepEqual([torrent.comment, torrent.createdBy, torrent.creationDate], [
    "a single file",
    "libtorrent 2.0.8.0",
    1_700_000_000,
  ]);
  const { info } = torrent;
  assert.equal(info.id.hex, "d3a707a8b44a3aed6fdc96ec9dea2a265ca4beea");
  assert.deepEqual([info.name, info.length, info.pieceLength, info.pieceCount], ["one.bin", 100_000, 16384, 7]);
  assert.deepEqual(info.files, [{ path: ["one.bin"], length: 100_000, offset: 0, pad: false, attributes: "" }]);
  assert.deepEqual([info.multi, info.private, info.pieceSize(0), info.pieceSize(6)], [false, false, 16384, 1696]);
  assert.deepEqual(info.pieceHash(6), info.pieces.subarray(120, 140));
  assert.throws(() => info.pieceHash(7), RangeError);
});

// Hashes, piece counts and offsets as libtorrent and Transmission print them.
const ALBUM = ["01 träck.flac:40000:0", "empty.txt:0:40000", "02.flac:16384:40000", "cover/front.jpg:70001:56384"];
const PADDED = [
  "01 träck.flac:40000:0",
  ".pad/9152:9152:40000:p",
  "02.flac:16384:49152",
  "cover/front.jpg:70001:65536",
  ".pad/11919:11919:135537:p",
  "empty.txt:0:147456",
];
const CASES = [
  { name: "multi", hex: "c213d53750a5673fb632797d319b3506ecb5d021", pieces: 8, files: ALBUM },
  { name: "private", hex: "3c86a2046fabbf01a01aa821d8cf8df87f958191", pieces: 8, files: ALBUM },
  { name: "pads", hex: "aad8514d533b7f8e5eddb85cfdf99ef62dd6b02d", pieces: 9, files: PADDED },
  { name: "hybrid", hex: "879bc5092aa53e4db5a847ddd64265a25f334faa", pieces: 9, files: PADDED },
];
for (const { name, hex, pieces, files } of CASES) {
  Deno.test(`parseMetainfo() reads the files of the ${name} torrent`, () => {
    const { info } = parseMetainfo(fixture(name));
    assert.equal(info.id.v1?.hex, hex);
    assert.equal(info.pieceCount, pieces);
    assert.equal(info.private, name === "private");
    assert.ok(info.multi && info.name === "album");
    const found = info.files.map(({ path, length, offset, pad }) =>
      [path.join("/"), length, offset, ...(pad ? ["p"] : [])].join(":")
    );
    assert.deepEqual(found, files);
  });
}

Deno.test("parseMetainfo() knows a hybrid by both hashes and its files by their roots", () => {
  const { id, files } = parseMetainfo(fixture("hybrid")).info;
  assert.equal(toHex(id.v2!), "0a8747a3c219da1878da3713e9997f526883a284b4f1dc73e755778423a24453");
  assert.deepEqual(files.map(({ root }) => root?.length), [32, undefined, 32, 32, undefined, undefined]);
});

Deno.test("parseMetainfo() refuses v2-only torrents by name", () => {
  assert.throws(
    () => parseMetainfo(fixture("v2")),
    new ProtocolError("Cannot read torrent: v2-only torrents (BEP 52) are not supported yet"),
  );
});

Deno.test("parseMetainfo() reads what Transmission makes and keeps its unknown keys", () => {
  const torrent = parseMetainfo(fixture("transmission"));
  assert.equal(torrent.info.id.hex, "52ce843afbc76fdee78599bb7f7833ddb8e6cb2e");
  assert.ok(torrent.info.private);
  assert.equal(torrent.comment, "made by Transmission");
  assert.deepEqual([...torrent.unknown].map(([key, raw]) => [key, utf8Decode(raw)]), [["encoding", "5:UTF-8"]]);
});

for (const name of ["single", "multi", "pads", "private", "hybrid", "transmission"]) {
  Deno.test(`encodeMetainfo() of the ${name} torrent reads back the same`, () => {
    const { info, raw: _, ...fields } = parseMetainfo(fixture(name));
    const { info: again, raw, ...rest } = parseMetainfo(encodeMetainfo({ info: info.raw, ...fields }));
    assert.deepEqual(infoSpan(raw), info.raw);
    assert.equal(again.id.hex, info.id.hex);
    assert.deepEqual(rest, fields);
  });
}

Deno.test("parseMetainfo() reads what buildInfo() and encodeMetainfo() write", () => {
  const name = fc.string({ minLength: 1, maxLength: 10, unit: "grapheme" });
  const file = fc.record({ path: fc.array(name, { minLength: 1, maxLength: 3 }), length: fc.nat(100_000) });
  const layout = fc.oneof(
    fc.record({ length: fc.nat(100_000) }),
    fc.record({ files: fc.array(file, { minLength: 1, maxLength: 5 }) }),
  );
  const pieceLength = fc.integer({ min: 1000, max: 100_000 });
  fc.assert(fc.property(name, pieceLength, layout, fc.boolean(), (name, pieceLength, layout, isPrivate) => {
    const files = "files" in layout ? layout.files : [{ path: [name], length: layout.length }];
    const length = files.reduce((sum, file) => sum + file.length, 0);
    const pieces = new Uint8Array(20 * Math.ceil(length / pieceLength));
    const raw = buildInfo({ name, pieceLength, pieces, private: isPrivate, ...layout });
    const { info } = parseMetainfo(encodeMetainfo({ info: raw }));
    assert.deepEqual(
      [info.name, info.pieceLength, info.length, info.private, info.multi],
      [name, pieceLength, length, isPrivate, "files" in layout],
    );
    assert.deepEqual(info.files.map(({ path, length }) => ({ path, length })), files.map((entry) => ({ ...entry })));
    let sum = 0;
    for (let i = 0; i < info.pieceCount; i++) sum += info.pieceSize(i);
    assert.equal(sum, length);
  }));
});

Deno.test("parseMetainfo() leaves out optional keys of a wrong type, URLs and nodes that can't be used", () => {
  const bytes = encode({
    info: new Encoded(info),
    announce: "http://a.example/",
    "announce-list": [["nonsense", 1], [], "udp://b.example:1"],
    "url-list": "",
    nodes: [["a b", 1], ["::1", 6881], ["host", 0], 5],
    comment: 5,
  });
  const torrent = parseMetainfo(bytes);
  assert.deepEqual(torrent.announce, [["udp://b.example:1"]]);
  assert.deepEqual(torrent.webSeeds, []);
  assert.deepEqual(torrent.nodes, [{ host: "::1", port: 6881 }]);
  assert.equal(torrent.comment, undefined);
});

Deno.test("parseMetainfo() reads names in the encoding that the file says, unless they are UTF-8", () => {
  const gbk = Uint8Array.of(0xd6, 0xd0, 0xce, 0xc4); // 中文
  const read = (encoding: unknown, name: unknown, path: unknown, more = {}) => {
    const file = { path: [path], length: 1, ...more };
    const info = { name, files: [file], "piece length": 16384, pieces: new Uint8Array(20) };
    const torrent = parseMetainfo(encode({ info, ...(encoding !== undefined && { encoding }) } as never)).info;
    return [torrent.name, torrent.files[0].path[0]];
  };
  assert.deepEqual(read("GBK", gbk, gbk), ["中文", "中文"]);
  assert.deepEqual(read("GBK", utf8Encode("größe"), "a"), ["größe", "a"]);
  assert.deepEqual(read("GBK", "a", gbk, { "path.utf-8": ["b"] }), ["a", "b"]);
  assert.deepEqual(read("Shift_JIS", Uint8Array.of(0x83, 0x65), "a"), ["テ", "a"]);
  for (const unknown of [undefined, "no such encoding", 5]) assert.match(read(unknown, gbk, "a")[0], /\ufffd/);
});

Deno.test("parseMetainfo() loses no more than the optional key that is flawed", () => {
  const good = {
    announce: "http://a/",
    "announce-list": [["http://a/"], ["http://b/"]],
    "url-list": ["http://c/", "http://d/"],
    nodes: [["192.0.2.1", 1], ["192.0.2.2", 2]],
    comment: "x",
    "created by": "y",
    "creation date": 7,
    info: new Encoded(info),
  };
  const names: Record<string, string> = {
    "url-list": "webSeeds",
    "created by": "createdBy",
    "creation date": "creationDate",
  };
  const read = (value: Encodable): Record<string, unknown> => ({ ...parseMetainfo(encode(value)), raw: 0, info: 0 });
  const whole = read(good);
  const optional = Object.keys(good).filter((key) => key !== "info");
  const anything = fc.oneof(
    fc.integer(),
    fc.string(),
    fc.array(fc.integer()),
    fc.dictionary(fc.constant("k"), fc.integer()),
  );
  fc.assert(fc.property(fc.constantFrom(...optional), anything, (key, garbage) => {
    const name = names[key] ?? (key === "announce-list" ? "announce" : key);
    assert.deepEqual({ ...read({ ...good, [key]: garbage }), [name]: 0 }, { ...whole, [name]: 0 });
  }));
  for (const garbage of ["nonsense", 5, [], {}, ""]) {
    const { announce, webSeeds, nodes } = read({
      ...good,
      "announce-list": [garbage, ["http://a/", garbage], ["http://b/"]],
      "url-list": [garbage, "http://c/", "http://d/"],
      nodes: [garbage, ...good.nodes],
    });
    assert.deepEqual({ announce, webSeeds, nodes }, {
      announce: whole.announce,
      webSeeds: whole.webSeeds,
      nodes: whole.nodes,
    });
  }
});

Deno.test("parseMetainfo() takes flaws outside info, whose bytes have one reading only", () => {
  const text = byteString(info);
  const bytes = (file: string): Uint8Array => fromByteString(file);
  const torrent = parseMetainfo(bytes(`d07:comment01:x13:creation datei-0e4:info${text}e\r\n`));
  assert.deepEqual([torrent.comment, torrent.creationDate, torrent.info.raw], ["x", 0, info]);
  assert.equal(parseMetainfo(bytes(`d7:comment1:x7:comment1:y4:info${text}e`)).comment, undefined);
  for (
    const flawed of [text.replace("i1e", "i01e"), text.replace("4:name", "04:name"), `${text.slice(0, -1)}4:name1:be`]
  ) {
    assert.throws(() => parseMetainfo(bytes(`d4:info${flawed}e`)), ProtocolError);
    assert.throws(() => parseInfo(bytes(flawed)), ProtocolError);
  }
  assert.throws(() => parseInfo(bytes(`${text}\n`)), ProtocolError);
  assert.throws(() => parseMetainfo(bytes(`d4:info${text}4:info${text}e`)), /"info" must be a dictionary/);
});

Deno.test("parseMetainfo() bounds the trackers of one torrent", () => {
  const announce = Array.from({ length: 50 }, (_, tier) => Array.from({ length: 50 }, (_, i) => `http://${tier}/${i}`));
  assert.equal(parseMetainfo(encodeMetainfo({ info, announce })).announce.flat().length, 1000);
});

Deno.test("parseMetainfo() names what is no torrent", () => {
  for (const value of [1, [], {}, { info: 1 }]) {
    const bytes = encode(value);
    assert.throws(() => parseMetainfo(bytes), new ProtocolError('Cannot read torrent: "info" must be a dictionary'));
  }
});

Deno.test("encodeMetainfo() keeps unknown keys of any name byte for byte", () => {
  const unknown = new Map([["__proto__", encode({ b: 1 })], ["\xff", utf8Encode("d1:bi1e1:ai2ee")]]);
  assert.deepEqual(parseMetainfo(encodeMetainfo({ info, unknown })).unknown, unknown);
});

Deno.test("parseMetainfo() of a damaged torrent returns or throws ProtocolError", () => {
  const originals = ["single", "pads", "hybrid", "v2"].map(fixture);
  const damage = fc.tuple(fc.constantFrom(...originals), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }));
  fc.assert(
    fc.property(damage, fc.nat(2000), ([original, changes], length) => {
      const bytes = original.slice(0, length > 1300 ? undefined : length);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      try {
        parseMetainfo(bytes);
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
