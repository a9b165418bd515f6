// Files that stand there already, on the real disk and between processes.
import assert from "node:assert/strict";
import { offline } from "../support/offline.ts";
import { run, RunningWeft, WEFT } from "../support/running_weft.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "weft-names-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Makes `NAME/Show/ep1.mkv` and `NAME.torrent` of it. */
async function makeShow(folder: string, name: string, length: number): Promise<Uint8Array> {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  await Deno.mkdir(`${folder}/${name}/Show`, { recursive: true });
  await Deno.writeFile(`${folder}/${name}/Show/ep1.mkv`, bytes);
  const { code, error } = await run(folder, [...WEFT, "create", `${name}/Show`, "--out", `${name}.torrent`]);
  assert.equal(code, 0, error);
  return bytes;
}

const local = ["--listen", "127.0.0.1:0", ...offline];

Deno.test("two downloads of other content into one folder, one after the other and at once: the first keeps its file", () =>
  inFolder(async (folder) => {
    const files = { one: await makeShow(folder, "one", 60_000), two: await makeShow(folder, "two", 65_000) };
    const seed = async (name: string): Promise<{ weft: RunningWeft; peer: string }> => {
      const weft = new RunningWeft(folder, [...WEFT, "seed", `${name}.torrent`, "--data", name, ...local]);
      const [, peer] = /listening on (.*)/.exec(await weft.says(/seeding, listening on/))!;
      return { weft, peer };
    };
    const one = await seed("one");
    const two = await seed("two");
    await using _one = one.weft;
    await using _two = two.weft;
    const get = (name: string, peer: string, out: string, ...more: string[]) =>
      run(folder, [...WEFT, "get", `${name}.torrent`, "--out", out, "--peer", peer, ...local, ...more]);

    assert.equal((await get("one", one.peer, "later")).code, 0);
    const refused = await get("two", two.peer, "later");
    assert.equal(refused.code, 1);
    assert.match(refused.error, /Cannot write ".*later\/Show\/ep1\.mkv": it stands there already .*--force/);
    assert.deepEqual(await Deno.readFile(`${folder}/later/Show/ep1.mkv`), files.one);
    const forced = await get("two", two.peer, "later", "--force");
    assert.equal(forced.code, 0, forced.error);
    assert.deepEqual(await Deno.readFile(`${folder}/later/Show/ep1.mkv`), files.two);

    const both = await Promise.all([get("one", one.peer, "at-once"), get("two", two.peer, "at-once")]);
    assert.deepEqual(both.map(({ code }) => code).sort(), [0, 1], JSON.stringify(both));
    const winner = both[0].code === 0 ? files.one : files.two;
    assert.deepEqual(await Deno.readFile(`${folder}/at-once/Show/ep1.mkv`), winner);
  }));

/** Seeds until it says that it does; what it said. */
async function seed(folder: string, ...args: string[]): Promise<readonly string[]> {
  await using weft = new RunningWeft(folder, [...WEFT, "seed", ...args, "--state", "state.db", ...local]);
  await weft.says(/seeding, listening on/);
  weft.signal("SIGINT");
  assert.equal(await weft.end(), 0);
  return weft.lines;
}

Deno.test("what create made, seed finds: odd names, the torrent's own folder or file, links on request", () =>
  inFolder(async (folder) => {
    const album = `${folder}/Vol. 1...`;
    await Deno.mkdir(`${album}/aux `, { recursive: true });
    for (const name of ["aux /con", "x.c", "X.c", "caf\u00e9", "cafe\u0301"]) {
      await Deno.writeTextFile(`${album}/${name}`, name);
    }
    await run(folder, [...WEFT, "create", "Vol. 1...", "--out", "t.torrent"]);
    await seed(folder, "t.torrent", "--data", ".");
    await seed(folder, "t.torrent", "--data", "Vol. 1...");
    await run(folder, [...WEFT, "create", "Vol. 1.../x.c", "--out", "x.torrent"]);
    await seed(folder, "x.torrent", "--data", "Vol. 1.../x.c");

    await Deno.rename(`${album}/x.c`, `${folder}/moved`);
    await Deno.symlink("../moved", `${album}/x.c`);
    const refused = await run(folder, [...WEFT, "seed", "t.torrent", "--data", ".", "--state", "state.db", ...local]);
    assert.equal(refused.code, 1);
    assert.match(refused.error, /Vol\. 1\.\.\.\/x\.c": it is a symlink; move it away, or seed with --follow-links/);
    await seed(folder, "t.torrent", "--data", ".", "--follow-links");
  }));

Deno.test("a file that is too long is told, by get and seed, and cut with --force alone; seed makes no empty file", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/album`);
    await Deno.writeTextFile(`${folder}/album/a`, "hello");
    await Deno.writeTextFile(`${folder}/album/empty`, "");
    await run(folder, [...WEFT, "create", "album"]);
    await Deno.remove(`${folder}/album/empty`);
    await Deno.writeTextFile(`${folder}/album/a`, "hello, and more");
    const told = /album\/a" has 15 bytes, 5 are the torrent's/;
    assert.match((await seed(folder, "album.torrent", "--data", ".")).join("\n"), told);
    await assert.rejects(Deno.lstat(`${folder}/album/empty`), Deno.errors.NotFound);
    const get = (...more: string[]) => run(folder, [...WEFT, "get", "album.torrent", "--out", ".", ...local, ...more]);
    for (let runs = 0; runs < 2; runs++) {
      const { code, error } = await get();
      assert.equal(code, 0);
      assert.match(error, told);
    }
    assert.equal(await Deno.readTextFile(`${folder}/album/a`), "hello, and more");
    assert.equal((await get("--force")).error, "");
    assert.equal(await Deno.readTextFile(`${folder}/album/a`), "hello");
  }));
