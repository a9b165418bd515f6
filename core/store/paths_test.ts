import assert from "node:assert/strict";
import fc from "fast-check";
import { createSimulation } from "../host/memory/mod.ts";
import { safeName, safePaths, SaveFolder } from "./paths.ts";

function pathsOf(files: readonly (readonly string[])[], name = "t", reserved: string[] = []): (string | undefined)[] {
  const entries = files.map((path) => ({ path, length: 1, offset: 0, pad: false, attributes: "" }));
  return safePaths({ name, multi: true, files: entries }, reserved);
}

const hostile: readonly [name: string, safe: string][] = [
  ["..", "__"],
  [".", "_"],
  ["", "_"],
  ["...", "___"],
  ["/etc/passwd", "_etc_passwd"],
  ["../../.bashrc", ".._.._.bashrc"],
  ["..\\..\\evil.exe", ".._.._evil.exe"],
  ["C:\\Windows\\evil", "C__Windows_evil"],
  ["c:evil", "c_evil"],
  ["\\\\server\\share", "__server_share"],
  ["a\0b", "a_b"],
  ["line\nbreak\r\x1b[2J", "line_break__[2J"],
  ["\u0085next", "_next"],
  ["photo\u202Egpj.exe", "photo_gpj.exe"],
  ["\u2066isolate\u2069", "_isolate_"],
  ["a\u2028b", "a_b"],
  ["\ufeffbom", "_bom"],
  ["CON", "_CON"],
  ["nul.txt", "_nul.txt"],
  ["com1", "_com1"],
  ["LPT9 .log", "_LPT9 .log"],
  ["COM\u00b9", "_COM\u00b9"],
  ["conin$", "_conin$"],
  ["trailing.", "trailing_"],
  ["trailing. .", "trailing___"],
  ["space ", "space_"],
  ["lone \ud800 half", "lone \ufffd half"],
];

const harmless = [
  "a",
  ".hidden",
  "a..b",
  "Ünïcödé 文件 👩‍👩‍👧.mkv",
  "console.log",
  "What? Yes: no.mkv",
  "a b",
  " leading",
  "~",
  "-rf",
  "$HOME",
  "%2e%2e",
];

for (const [name, safe] of hostile) {
  Deno.test(`safeName() makes ${JSON.stringify(name)} harmless`, () => assert.equal(safeName(name), safe));
}

Deno.test("safeName() leaves harmless names alone", () => {
  for (const name of harmless) assert.equal(safeName(name), name);
});

Deno.test("safeName() cuts long names at a character, and keeps the extension", () => {
  const safe = safeName("文".repeat(300) + ".mkv");
  assert.match(safe, /^文+\.mkv$/);
  assert.ok(new TextEncoder().encode(safe).length <= 255);
  assert.ok(safeName("x".repeat(300)).length <= 255);
  assert.ok(safeName("x." + "y".repeat(300)).length <= 255);
});

Deno.test("safePaths() puts a single file where its name says, below the save folder", () => {
  const file = { path: ["../up"], length: 1, offset: 0, pad: false, attributes: "" };
  assert.deepEqual(safePaths({ name: "../up", multi: false, files: [file] }), [".._up"]);
});

Deno.test("safePaths() keeps hostile folders below the torrent's", () => {
  assert.deepEqual(pathsOf([["..", "..", "etc", "passwd"]], "../x"), [".._x/__/__/etc/passwd"]);
  assert.deepEqual(pathsOf([["a", "/abs", "b"]]), ["t/a/_abs/b"]);
  assert.deepEqual(pathsOf([[]]), ["t/_"]);
});

Deno.test("safePaths() gives every file a path of its own", () => {
  assert.deepEqual(pathsOf([["a.txt"], ["A.TXT"], ["a.txt"], ["a (2).txt"]]), [
    "t/a.txt",
    "t/A (2).TXT",
    "t/a (3).txt",
    "t/a (2) (2).txt",
  ]);
  assert.deepEqual(pathsOf([["caf\u00e9"], ["cafe\u0301"]]), ["t/caf\u00e9", "t/cafe\u0301 (2)"]);
  assert.deepEqual(pathsOf([["a\u200bb"], ["ab"]]), ["t/a\u200bb", "t/ab (2)"]);
  assert.deepEqual(pathsOf([["D", "x"], ["d", "X"]]), ["t/D/x", "t/d/X (2)"]);
});

Deno.test("safePaths() moves a file aside that has the path of a folder", () => {
  assert.deepEqual(pathsOf([["a"], ["a", "b"], ["A", "b", "c"]]), ["t/a (2)", "t/a/b (2)", "t/A/b/c"]);
});

Deno.test("safePaths() keeps clear of names that are ours", () => {
  assert.deepEqual(pathsOf([["x.parts"]], ".WEFT", [".weft"]), ["_.WEFT/x.parts"]);
  const file = { path: [".we\u200bft"], length: 1, offset: 0, pad: false, attributes: "" };
  assert.deepEqual(safePaths({ name: "n", multi: false, files: [file] }, [".weft"]), ["_.we\u200bft"]);
});

Deno.test("safePaths() keeps thousands of deep trees apart", () => {
  const trees = Array.from({ length: 1000 }, (_, i) => [`${i}`, ...Array(999).fill("d"), "f"]);
  assert.equal(new Set(pathsOf(trees)).size, 1000);
});

Deno.test("safePaths() has no path for pads and symlinks", () => {
  const entry = { path: ["p"], length: 0, offset: 0, pad: false, attributes: "l", symlink: ["..", "etc"] };
  assert.deepEqual(safePaths({ name: "t", multi: true, files: [entry, { ...entry, pad: true, length: 9 }] }), [
    undefined,
    undefined,
  ]);
});

Deno.test("safePaths() folds trees too deep to open", () => {
  const [path] = pathsOf([[...Array(5000).fill("d"), "file"]]);
  assert.equal(path, "t/file");
});

Deno.test("safePaths() stays below the folder and unique for any names", () => {
  const part = fc.oneof(
    fc.constantFrom("..", ".", "", "a", "A", "a ", "CON", "a/b", "\u202e", "b"),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  fc.assert(fc.property(fc.array(fc.array(part, { maxLength: 4 }), { maxLength: 12 }), part, (files, name) => {
    const paths = pathsOf(files, name) as string[];
    for (const path of paths) {
      for (const component of path.split("/")) {
        assert.equal(safeName(component), component);
        assert.ok(component !== "" && component !== "." && component !== "..");
      }
    }
    const keys = paths.map((path) => path.normalize("NFC").toLowerCase());
    assert.equal(new Set(keys).size, keys.length);
    for (const one of keys) assert.ok(!keys.some((other) => other.startsWith(one + "/")));
  }));
});

Deno.test("safePaths() is quick with thousands of equal names", () => {
  assert.equal(new Set(pathsOf(Array(20_000).fill(["same"]))).size, 20_000);
});

Deno.test("SaveFolder opens nothing outside, even through symlinks that stand in it", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { disk } = simulation.host("machine");
  for (const path of ["/save/t/real", "/outside"]) await disk.makeDirectory(path);
  await disk.writeFile("/outside/file", new Uint8Array(3));
  disk.symlink("/save/t/out", "/outside");
  disk.symlink("/save/t/in", "/save/t/real");
  disk.symlink("/save/t/leaf", "/outside/file");
  const folder = new SaveFolder(disk, "/save/");
  for (const path of ["t/out/file", "t/out/new", "t/out/deep/new"]) {
    for (const write of [true, false]) await assert.rejects(folder.open(path, write), /leads out of "\/save"/);
  }
  await assert.rejects(folder.open("t/leaf", true), /it is a symlink; move it away/);
  await assert.rejects(folder.open("t/real", false), /it is a directory/);
  assert.deepEqual(await disk.list("/outside"), ["file"]);
  for (const path of ["t/in/file", "t/new/deep/file"]) await (await folder.open(path, true)).close();
  assert.ok(await folder.inspect("t/real/file"));
  assert.ok(!await folder.inspect("t/real/other"));
});

Deno.test("SaveFolder finds the symlink above a tree that is not there yet, in a few looks", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { disk } = simulation.host("machine");
  for (const path of ["/save/t", "/outside/a"]) await disk.makeDirectory(path);
  disk.symlink("/save/t/out", "/outside");
  const lstat = disk.lstat.bind(disk);
  let looks = 0;
  disk.lstat = (path) => {
    looks++;
    return lstat(path);
  };
  const folder = new SaveFolder(disk, "/save");
  const deep = `${"d/".repeat(500)}file`;
  await assert.rejects(folder.inspect(`t/out/a/${deep}`), /leads out of "\/save"/);
  assert.ok(!await folder.inspect(`t/${deep}`));
  assert.ok(looks < 30, `${looks} looks`);
});
