import assert from "node:assert/strict";
import { createSimulation, type MemoryHost } from "../host/memory/mod.ts";
import { collectFiles } from "./files.ts";
import { hashFiles, pieceRanges } from "./hash_files.ts";

async function onDisk(body: (host: MemoryHost) => Promise<void>): Promise<void> {
  using simulation = createSimulation({ seed: 1 });
  await simulation.complete(body(simulation.host("here")));
}

async function write({ disk }: MemoryHost, path: string, length: number): Promise<void> {
  await disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
  await disk.writeFile(path, new Uint8Array(length));
}

Deno.test("collectFiles() orders names by their bytes, folder by folder", () =>
  onDisk(async (host) => {
    for (const name of ["b", "B", "a/z", "a/ä", "10", "9"]) await write(host, `/d/${name}`, 1);
    const { files, multi } = await collectFiles(host.disk, "/d");
    assert.equal(multi, true);
    assert.deepEqual(files.map(({ path }) => path.join("/")), ["10", "9", "B", "a/z", "a/ä", "b"]);
  }));

Deno.test("collectFiles() leaves out symlinks, the state folder and the torrent itself", () =>
  onDisk(async (host) => {
    for (const name of ["x", ".weft/state.db", "sub/.weft", "x.torrent"]) await write(host, `/d/${name}`, 1);
    host.disk.symlink("/d/link", "x");
    const { files, skipped } = await collectFiles(host.disk, "/d", "/d/x.torrent");
    assert.deepEqual(files.map(({ path }) => path.join("/")), ["sub/.weft", "x"]);
    assert.deepEqual(skipped.map(({ path }) => path), ["/d/.weft", "/d/link", "/d/x.torrent"]);
  }));

Deno.test("collectFiles() names what it can't read, and leaves nothing out in silence", () =>
  onDisk(async ({ disk }) => {
    const names = (...found: string[]) => ({
      list: () => Promise.resolve(found),
      lstat: () => Promise.resolve(undefined),
      stat: () => disk.stat("/"),
    });
    for (const [name, why] of [["caf\ufffd.txt", /name isn't UTF-8; rename it/], ["gone", /it is gone/]] as const) {
      await assert.rejects(collectFiles({ ...disk, ...names(name) } as never, "/d"), why);
    }
  }));

Deno.test("collectFiles() takes a single file as it is", () =>
  onDisk(async (host) => {
    await write(host, "/d/film.mkv", 5);
    const { files, multi } = await collectFiles(host.disk, "/d/film.mkv");
    assert.equal(multi, false);
    assert.deepEqual(files, [{ path: ["film.mkv"], file: "/d/film.mkv", length: 5 }]);
  }));

Deno.test("pieceRanges() cuts files into pieces that span them", () => {
  const files = [["a", 5], ["empty", 0], ["b", 6]].map(([file, length]) => (
    { path: [String(file)], file: String(file), length: Number(length) }
  ));
  assert.deepEqual(pieceRanges(files, 4), [
    [{ path: "a", position: 0, length: 4 }],
    [{ path: "a", position: 4, length: 1 }, { path: "b", position: 0, length: 3 }],
    [{ path: "b", position: 3, length: 3 }],
  ]);
});

Deno.test("hashFiles() notices a file that became shorter", () =>
  onDisk(async (host) => {
    await write(host, "/d/x", 10);
    const files = [{ path: ["x"], file: "/d/x", length: 20 }];
    await assert.rejects(hashFiles(host.disk, files, 16, () => {}), /"\/d\/x" became shorter while it was read/);
  }));
