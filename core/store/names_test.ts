import assert from "node:assert/strict";
import { createSimulation } from "../host/memory/mod.ts";
import { type FileEntry } from "../wire/mod.ts";
import { namesOnDisk } from "./names.ts";
import { SaveFolder } from "./paths.ts";

/** Where the files of a torrent called `name` are taken to be, on a disk with these files in the save folder. */
async function names(
  files: readonly string[],
  onDisk: readonly string[],
  { name = "album" } = {},
): Promise<(string | undefined)[]> {
  using simulation = createSimulation({ seed: 1 });
  const { disk } = simulation.host("machine");
  const entries = files.map((path): FileEntry => ({
    path: path.split("/"),
    length: 1,
    offset: 0,
    pad: false,
    attributes: "",
  }));
  return await simulation.complete((async () => {
    await disk.makeDirectory("/save");
    for (const path of onDisk) {
      const whole = `/save/${path}`;
      await disk.makeDirectory(whole.slice(0, whole.lastIndexOf("/")));
      await disk.writeFile(whole, new Uint8Array(1));
    }
    const layout = { name, multi: true, files: entries };
    return await namesOnDisk(disk, new SaveFolder(disk, "/save"), layout, [".weft"]);
  })());
}

const NFC = "caf\u00e9";
const NFD = "cafe\u0301";

Deno.test("namesOnDisk() takes what is there under its exact name, however unsafe", async () => {
  for (const file of ["Vol. 1.", "name ", "aux.c", "con", "a\u202eb", "dir ./x", "aux/con/nul"]) {
    assert.deepEqual(await names([file], [`album/${file}`]), [`album/${file}`]);
  }
  assert.deepEqual(await names(["01.txt"], ["What is life.../01.txt"], { name: "What is life..." }), [
    "What is life.../01.txt",
  ]);
});

Deno.test("namesOnDisk() keeps files apart that differ in case or form alone", async () => {
  const pair = ["xt_DSCP.c", "xt_dscp.c"];
  assert.deepEqual(await names(pair, pair.map((file) => `album/${file}`)), pair.map((file) => `album/${file}`));
  assert.deepEqual(await names(pair, []), ["album/xt_DSCP.c", "album/xt_dscp (2).c"]);
  for (const forms of [[NFC, NFD], [NFD, NFC]]) {
    const both = forms.map((file) => `album/${file}`);
    assert.deepEqual(await names(forms, both), both);
    assert.deepEqual(await names(forms, [`album/${NFC}`]).then((paths) => paths[forms.indexOf(NFC)]), `album/${NFC}`);
  }
  assert.deepEqual(await names(["a.", "a."], ["album/a."]), ["album/a.", "album/a_ (2)"]);
});

Deno.test("namesOnDisk() finds the other Unicode form, of folders too", async () => {
  assert.deepEqual(await names([`${NFC}/${NFC}.txt`], [`album/${NFD}/${NFD}.txt`]), [`album/${NFD}/${NFD}.txt`]);
  assert.deepEqual(await names([`${NFD}.txt`], [`album/${NFC}.txt`]), [`album/${NFC}.txt`]);
});

Deno.test("namesOnDisk() gives what is new its safe name, in the folders that are there", async () => {
  assert.deepEqual(await names(["aux.c", "dir./b.", "c"], []), ["album/_aux.c", "album/dir_/b_", "album/c"]);
  assert.deepEqual(await names(["dir./a", "dir./b."], ["album/dir./a"]), ["album/dir./a", "album/dir./b_"]);
  assert.deepEqual(await names(["b."], ["album/b_"]), ["album/b_"]);
});

Deno.test("namesOnDisk() finds no way out, and nothing that is ours", async () => {
  assert.deepEqual(await names(["..", "../up", "a\\..\\b", "."], ["up", "album/x"]), [
    "album/__ (2)",
    "album/__/up",
    "album/a_.._b",
    "album/_",
  ]);
  assert.deepEqual(await names(["state.db"], [".weft/state.db"], { name: ".weft" }), ["_.weft/state.db"]);
});
