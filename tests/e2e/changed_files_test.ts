/** Weft as a process, while others change the files that it downloads or seeds. */
import assert from "node:assert/strict";
import { offline } from "../support/offline.ts";
import { run, RunningWeft, WEFT } from "../support/running_weft.ts";

const SIZES = { first: 3_000_000, second: 3_000_000, third: 6_000_000 };

/** A folder with an album that somebody seeds, slowly. */
async function withSeed(body: (folder: string, get: string[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "weft-e2e-" });
  try {
    await Deno.mkdir(`${folder}/data/album/below`, { recursive: true });
    for (const [name, size] of Object.entries(SIZES)) {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      await Deno.writeFile(`${folder}/data/album/${name === "second" ? "below/second" : name}`, bytes);
    }
    await run(folder, [...WEFT, "create", "data/album", "--out", "album.torrent"]);
    const listen = ["--listen", "127.0.0.1:0"];
    await using seed = new RunningWeft(folder, [
      ...WEFT,
      ...["seed", "album.torrent", "--data", "data", "--up", "5 MB/s"],
      ...listen,
      ...offline,
    ]);
    const [, peer] = /listening on (127\.0\.0\.1:\d+)/.exec(await seed.says(/listening on/))!;
    await body(folder, [
      ...WEFT,
      ...["get", "album.torrent", "--out", "got", "--peer", peer, "--sequential"],
      ...listen,
      ...offline,
    ]);
    seed.signal("SIGTERM");
    assert.equal(await seed.end(), 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function assertSame(folder: string): Promise<void> {
  for (const path of ["first", "below/second", "third"]) {
    const [got, wanted] = await Promise.all(
      ["got", "data"].map((at) => Deno.readFile(`${folder}/${at}/album/${path}`)),
    );
    assert.ok(got.length === wanted.length && got.every((byte, i) => byte === wanted[i]), path);
  }
}

for (
  const [what, change] of Object.entries({
    "deleted": (album: string) => Deno.remove(`${album}/first`),
    "cut": (album: string) => Deno.truncate(`${album}/first`, 1_000_000),
    "without its folder": (album: string) => Deno.remove(`${album}/below`, { recursive: true }),
  })
) {
  Deno.test(`get fetches a file again that is ${what} in the middle, before it says "complete"`, async () => {
    await withSeed(async (folder, get) => {
      await using weft = new RunningWeft(folder, [...get, "--json"]);
      // Two of three files are there.
      for (let done = 0; done < 7_500_000;) ({ done } = JSON.parse(await weft.says(/"progress"/)));
      await change(`${folder}/got/album`);
      assert.equal(await weft.end(), 0, weft.lines.join("\n"));
      await assertSame(folder);
      assert.ok(weft.lines.some((line) => /pieces of \\?"album\\?" are gone with their files/.test(line)));
    });
  });
}

Deno.test("get of what was complete and is gone says so and exits 1, until it is told to fetch it again", async () => {
  await withSeed(async (folder, get) => {
    assert.equal((await run(folder, get)).code, 0);
    const touched = await run(folder, ["touch", "got/album/first"]);
    assert.equal(touched.code, 0);
    const again = await run(folder, get);
    assert.equal(again.code, 0, again.error);
    assert.doesNotMatch(again.out, /downloading/);
    await Deno.rename(`${folder}/got/album`, `${folder}/elsewhere`);
    for (let times = 0; times < 2; times++) {
      const gone = await run(folder, get);
      assert.equal(gone.code, 1);
      assert.match(
        gone.error,
        /its files are gone: ".*\/got\/album\/.*" is missing, so are 2 more.*"weft get --recheck"/,
      );
      await assert.rejects(Deno.stat(`${folder}/got/album`), Deno.errors.NotFound);
    }
    const told = await run(folder, [...get, "--recheck"]);
    assert.equal(told.code, 0, told.error);
    await assertSame(folder);
  });
});
