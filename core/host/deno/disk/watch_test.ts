import assert from "node:assert/strict";
import { DiskError } from "../../../api/host.ts";
import { DiskWatch } from "./watch.ts";

Deno.test({
  name: "DiskWatch says which folder it may not watch, instead of asking",
  permissions: { read: false },
  fn() {
    assert.throws(
      () => new DiskWatch(["/nowhere/profile.yaml"], () => {}),
      (error) => error instanceof DiskError && error.fault === "denied" && /--allow-read/.test(error.message),
    );
  },
});

Deno.test({
  name: "DiskWatch follows a file through its symlink, and a link that is pointed elsewhere",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "weft-watch-" });
    const awake = setInterval(() => {}, 60_000); // a watch alone doesn't keep older Denos from ending
    try {
      await Deno.mkdir(`${folder}/real`);
      for (const name of ["one", "two"]) await Deno.writeTextFile(`${folder}/real/${name}`, name);
      await Deno.symlink(`${folder}/real/one`, `${folder}/link`);
      let told = Promise.withResolvers<void>();
      using _watch = new DiskWatch([`${folder}/link`], () => told.resolve());
      await Deno.writeTextFile(`${folder}/real/one`, "changed");
      await told.promise;
      told = Promise.withResolvers();
      await Deno.symlink(`${folder}/real/two`, `${folder}/new`);
      await Deno.rename(`${folder}/new`, `${folder}/link`);
      await told.promise;
      told = Promise.withResolvers();
      await Deno.writeTextFile(`${folder}/real/two`, "changed");
      await told.promise;
    } finally {
      clearInterval(awake);
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("DiskWatch goes on when a folder on the way is replaced, however soon the next one comes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-watch-" });
  const file = `${folder}/a/b/profile.yaml`;
  const make = async (text: string): Promise<void> => {
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    await Deno.writeTextFile(file, text);
  };
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 25));
  try {
    await make("first");
    for (let round = 0; round < 20; round++) {
      let told = 0;
      using _watch = new DiskWatch([file], () => told++);
      await Deno.remove(`${folder}/a`, { recursive: true });
      await make("replaced");
      // What the replacement itself is told by comes first.
      for (let before = -1; before !== told; await pause()) before = told;
      const before = told;
      for (let tries = 0; told === before; tries++) {
        assert.ok(tries < 200, `nobody was told in round ${round}`);
        await Deno.writeTextFile(file, "changed");
        await pause();
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
