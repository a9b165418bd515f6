import assert from "node:assert/strict";
import { DiskError } from "../../../api/host.ts";
import { leakCheck } from "../../../../tests/support/leak_check.ts";
import { denoHost } from "../mod.ts";

const rows = { sql: "SELECT name FROM t ORDER BY name" };

Deno.test("a database survives kill -9 of its process, and is locked until then", async () => {
  const directory = await Deno.makeTempDir({ prefix: "weft-host-" });
  const path = `${directory}/weft.db`;
  const script = `
    import { denoHost } from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
    const database = await denoHost().db.open(${JSON.stringify(path)});
    await database.run([{ sql: "CREATE TABLE t (name TEXT)" }, { sql: "INSERT INTO t VALUES ('kept')" }]);
    console.log("ready");
  `;
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "-"], stdin: "piped", stdout: "piped" })
    .spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(script));
  await input.close();
  const output = child.stdout.getReader();
  await output.read();
  const host = denoHost();
  await assert.rejects(host.db.open(path), (error) => error instanceof DiskError && error.fault === "denied");
  child.kill("SIGKILL");
  await child.status;
  await output.cancel();
  const database = await host.db.open(path);
  assert.deepEqual((await database.all(rows)).map((row) => row.name), ["kept"]);
  await host.close();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("opening a database says why it can't", async () => {
  const directory = await Deno.makeTempDir({ prefix: "weft-host-" });
  const host = denoHost();
  const open = async (name: string) => await (await host.db.open(`${directory}/${name}`)).close();
  await assert.rejects(open("no/such/weft.db"), (error) => error instanceof DiskError && error.fault === "notFound");
  await Deno.writeTextFile(`${directory}/text`, "not a database ".repeat(1000));
  await assert.rejects(
    open("text"),
    (error) => error instanceof DiskError && error.fault === "io" && error.message.includes(`${directory}/text`),
  );
  await open("good");
  await host.close();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("only the part of a pooled buffer that a statement names reaches the database", async () => {
  const directory = await Deno.makeTempDir({ prefix: "weft-host-" });
  const host = denoHost();
  const database = await host.db.open(`${directory}/weft.db`);
  const pool = Uint8Array.from({ length: 1000 }, (_, i) => i);
  await database.run([
    { sql: "CREATE TABLE t (data BLOB)" },
    { sql: "INSERT INTO t VALUES (?)", values: [pool.subarray(3, 6)] },
  ]);
  assert.deepEqual((await database.all({ sql: "SELECT data FROM t" }))[0].data, new Uint8Array([3, 4, 5]));
  await host.close();
  await assert.rejects(database.all({ sql: "SELECT 1" }), DiskError);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("close() leaves no thread and no descriptor behind", async () => {
  const directory = await Deno.makeTempDir({ prefix: "weft-host-" });
  const path = `${directory}/file`;
  const use = async () => {
    const host = denoHost();
    await host.disk.writeFile(path, new Uint8Array(100));
    const ranges = [{ path, position: 0, length: 100 }];
    await Promise.all(Array.from({ length: 20 }, () => host.disk.digest("sha1", ranges)));
    await host.db.open(`${directory}/weft.db`);
    await host.close();
  };
  await use(); // what Deno keeps from now on
  const check = await leakCheck();
  await use();
  await check.verify();
  await Deno.remove(directory, { recursive: true });
});
