/** Torrents that lie: made by hand, each for one fall, and mutations of real ones. @module */
import { type Encodable, encode, utf8Encode } from "../../core/wire/mod.ts";

/** A lying torrent: what is wrong with it, and the file. */
export type Liar = readonly [lie: string, bytes: Uint8Array];

const KiB = 1024;
const MAX = Number.MAX_SAFE_INTEGER;

/** Numbers below `n`, the same for the same seed. */
export function dice(seed: number): (n: number) => number {
  let x = seed >>> 0 || 1;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

/** Hand-made ones. */
export function* liars(): Generator<Liar> {
  yield* lyingNumbers();
  yield* lyingNames();
  yield* lyingShapes();
  yield* lyingBencode();
}

/** Endless mutations of `originals`: bytes changed, cut out, doubled and swapped, digits that grow. */
export function* mutations(originals: readonly Uint8Array[], seed: number): Generator<Uint8Array> {
  const roll = dice(seed);
  for (;;) {
    let bytes: Uint8Array = originals[roll(originals.length)].slice();
    for (let left = 1 + roll(4); left > 0; left--) bytes = mutate(bytes, originals, roll);
    yield bytes;
  }
}

function mutate(bytes: Uint8Array, originals: readonly Uint8Array[], roll: (n: number) => number): Uint8Array {
  const at = roll(bytes.length + 1);
  const length = roll(Math.min(40, bytes.length - at + 1));
  switch (roll(7)) {
    case 0:
      return splice(bytes, at, 1, [roll(256)]);
    case 1:
      return splice(bytes, at, length, []);
    case 2:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 3:
      return splice(
        bytes,
        at,
        0,
        utf8Encode(["i-1e", "le", "de", "0:", "e", "i0e", "99999999999:", "d", "l"][roll(9)]),
      );
    case 4: {
      const other = originals[roll(originals.length)];
      const from = roll(other.length);
      return splice(bytes, at, length, other.subarray(from, from + roll(60)));
    }
    case 5:
      return bytes.slice(0, at);
    default: {
      // A number somewhere becomes another one.
      const digit = bytes.findIndex((byte, i) => i >= at && byte >= 0x30 && byte <= 0x39);
      const numbers = ["0", "00", "-0", "-1", "1", "65535", "4294967296", "9007199254740993", "9".repeat(30)];
      return digit < 0 ? bytes : splice(bytes, digit, 1, utf8Encode(numbers[roll(numbers.length)]));
    }
  }
}

function splice(bytes: Uint8Array, at: number, remove: number, insert: ArrayLike<number>): Uint8Array {
  const spliced = new Uint8Array(at + insert.length + Math.max(0, bytes.length - at - remove));
  spliced.set(bytes.subarray(0, at));
  spliced.set(insert, at);
  spliced.set(bytes.subarray(at + remove), at + insert.length);
  return spliced;
}

function torrent(info: Record<string, unknown>, more: Record<string, unknown> = {}): Uint8Array {
  const base = { name: "liar", "piece length": 16 * KiB, pieces: new Uint8Array(20), length: 1 };
  return encode({ info: { ...base, ...info }, ...more } as Encodable);
}

/** A torrent of files of one byte with these paths. */
function withPaths(
  paths: readonly (readonly unknown[])[],
  name = "liar",
  more: Record<string, unknown> = {},
): Uint8Array {
  const pieces = new Uint8Array(20 * Math.ceil(paths.length / (16 * KiB)));
  return torrent({ name, length: undefined, pieces, files: paths.map((path) => ({ path, length: 1, ...more })) });
}

function* lyingNumbers(): Generator<Liar> {
  for (const length of [0, -1, 2, 16 * KiB + 1, 2 ** 40, MAX, 2n ** 63n, 2n ** 64n, "1"]) {
    yield [`length ${length}`, torrent({ length })];
  }
  for (const pieceLength of [0, -1, 1, 3, 2 ** 29, 2 ** 29 + 1, 2 ** 31, 2 ** 32, MAX, 2n ** 64n, "x"]) {
    yield [`piece length ${pieceLength}`, torrent({ "piece length": pieceLength })];
    yield [`piece length ${pieceLength} of 2^50 bytes`, torrent({ "piece length": pieceLength, length: 2 ** 50 })];
  }
  for (const count of [0, 1, 2, 2 ** 21, 2 ** 21 + 1]) {
    yield [
      `${count} pieces of one byte`,
      torrent({ pieces: new Uint8Array(20 * count), "piece length": 1, length: count }),
    ];
    yield [`${count} pieces for one byte`, torrent({ pieces: new Uint8Array(20 * count) })];
  }
  for (const size of [1, 19, 21, 39]) yield [`${size} bytes of hashes`, torrent({ pieces: new Uint8Array(size) })];
  const lengths: (number | bigint)[][] = [[MAX, 1], [MAX, MAX], [-1, 2], [0, 0], [1, -1], [2n ** 63n, 1], [
    2 ** 52,
    2 ** 52,
  ]];
  for (const list of lengths) {
    const files = list.map((length, i) => ({ length, path: [`${i}`] }));
    yield [`files of ${list} bytes`, torrent({ length: undefined, files })];
  }
  const huge = { "piece length": 2 ** 29, pieces: new Uint8Array(20 * 2 ** 21), length: 2 ** 50 };
  yield ["2^21 pieces of 512 MiB", torrent(huge)];
  yield [
    "2^50 bytes of padding",
    torrent({ ...huge, length: undefined, files: [{ attr: "p", length: 2 ** 50, path: ["p"] }] }),
  ];
}

function* lyingNames(): Generator<Liar> {
  const names = [
    ..."/ \\ . .. ... ~ - CON nul.txt a/../../b /etc/passwd C:\\x \\\\host\\share .weft __proto__ constructor toString"
      .split(" "),
    " ",
    "\0",
    "\n\r\t",
    "\x1b]0;title\x07\x1b[2J",
    "\u009b31m",
    "\u202egpj.exe",
    "\u200b",
    "\ufeff",
    "\ud800",
    "x".repeat(10_000),
    "文".repeat(10_000),
    "../".repeat(3_000),
  ];
  for (const name of names) {
    const lie = JSON.stringify(name.length > 20 ? `${name.slice(0, 20)}…` : name);
    yield [`name ${lie}`, torrent({ name })];
    yield [`path ${lie}`, withPaths([[name]])];
    yield [`folder ${lie}`, withPaths([[name, name], [name]], name)];
  }
  yield ["name that is empty", torrent({ name: "" })];
  yield ["name that is no text", torrent({ name: Uint8Array.of(0xff, 0xfe, 0) })];
  for (const path of [[], [""], ["", ""], [1], [[]], ["..", "..", "x"]]) {
    yield [`path ${JSON.stringify(path)}`, withPaths([path])];
  }
  yield ["a path that is no list", torrent({ length: undefined, files: [{ length: 1, path: "x" }] })];
  yield ["a path of 100,000 folders", withPaths([Array(100_000).fill("d")])];
  yield [
    "1,000 paths of 500 folders",
    withPaths(Array.from({ length: 1_000 }, (_, i) => [`${i}`, ...Array(500).fill("d")])),
  ];
  yield ["10,000 equal names", withPaths(Array(10_000).fill(["same"]))];
  yield ["names that collide", withPaths([["a"], ["A"], ["a", "b"], ["A", "B"], ["a\u0301"], ["\u00e1"], ["a\u200b"]])];
  yield ["files within files", withPaths([["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]])];
  for (const target of [["..", "..", "etc", "passwd"], ["/etc/passwd"], [], ["a"]]) {
    yield [`symlink to ${target.join("/")}`, withPaths([["a"], ["b"]], "liar", { attr: "l", "symlink path": target })];
  }
  yield ["everything is padding", withPaths([["a"], ["b"]], "liar", { attr: "p" })];
  yield ["attributes of 10,000 letters", withPaths([["a"]], "liar", { attr: "xhlp".repeat(2_500) })];
}

function* lyingShapes(): Generator<Liar> {
  const wrong: unknown[] = [1, "x", [], {}, [[]], { a: 1 }, Uint8Array.of(255), 2n ** 64n];
  for (const key of ["info", "announce", "announce-list", "url-list", "nodes", "comment", "creation date"]) {
    for (const value of wrong) yield [`${key} is ${show(value)}`, torrent({}, { [key]: value })];
  }
  for (
    const key of ["name", "pieces", "piece length", "length", "files", "private", "meta version", "file tree", "source"]
  ) {
    for (const value of wrong) yield [`info.${key} is ${show(value)}`, torrent({ [key]: value })];
  }
  for (
    const url of [
      "file:///etc/passwd",
      "javascript:1",
      "foo:bar",
      "http://",
      "http://a:0/",
      "http://[::1",
      "http://\x1b[2J/",
    ]
  ) {
    yield [`announce ${JSON.stringify(url)}`, torrent({}, { announce: url })];
  }
  const urls = Array.from({ length: 100_000 }, (_, i) => `http://t${i}.example/announce`);
  yield ["100,000 trackers", torrent({}, { "announce-list": [urls] })];
  yield ["100,000 tiers", torrent({}, { "announce-list": urls.map((url) => [url]) })];
  yield [
    "a hybrid whose tree lies",
    torrent({ "meta version": 2, "file tree": { liar: { "": { "pieces root": "short" } } } }),
  ];
  yield ["a version from the future", torrent({ "meta version": 99 })];
  yield ["100,000 files", withPaths(Array.from({ length: 100_000 }, (_, i) => [`${i}`]))];
  yield [
    "100,000 empty files",
    torrent({
      length: undefined,
      pieces: "",
      files: Array.from({ length: 100_000 }, (_, i) => ({ length: 0, path: [`${i}`] })),
    }),
  ];
}

function show(value: unknown): string {
  return typeof value === "bigint" ? `${value}` : JSON.stringify(value);
}

function* lyingBencode(): Generator<Liar> {
  const texts: Record<string, string> = {
    nothing: "",
    "a number": "i1e",
    "an empty dictionary": "de",
    "a depth of 100,000 lists": "d4:info" + "l".repeat(100_000) + "e".repeat(100_000) + "e",
    "a depth of 100,000 dictionaries": "d4:info" + "d1:a".repeat(100_000),
    "a million of lists": `d1:al${"le".repeat(2 ** 20)}ee`,
    "a million of integers": `d1:al${"i1e".repeat(2 ** 20)}ee`,
    "a string without end": "d4:info99999999999999999999:x",
    "a string of 64 GiB": "d4:info68719476736:x",
    "a negative length": "d4:info-3:abce",
    "an integer without end": `d4:infoi${"9".repeat(100_000)}`,
    "an integer of 100,000 digits": `d4:infoi${"9".repeat(100_000)}ee`,
    "the number -0": "d4:infoi-0ee",
    "leading zeros": "d04:infode4:infodee",
    "a key twice": "d4:infode4:infodee",
    "a key that is no string": "di1ei2ee",
    "__proto__": "d9:__proto__d4:name1:xe4:infod9:__proto__d4:name1:xeee",
    "HTML": "<!doctype html><title>404</title>",
    "a carriage return": "d4:infode\r\n",
  };
  for (const [lie, text] of Object.entries(texts)) yield [lie, utf8Encode(text)];
  const whole = torrent({});
  for (let at = 0; at < whole.length; at += 7) yield [`cut at byte ${at}`, whole.slice(0, at)];
  yield ["one byte too many", splice(whole, whole.length, 0, [0])];
  yield ["twice the same", splice(whole, whole.length, 0, whole)];
  yield ["zeros", new Uint8Array(100_000)];
  yield [
    "a dictionary of 65 MiB",
    splice(utf8Encode(`d1:a${65 * KiB * KiB}:e`), 12, 0, new Uint8Array(65 * KiB * KiB)),
  ];
}
