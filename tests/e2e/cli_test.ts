import assert from "node:assert/strict";
import { offline } from "../support/offline.ts";

const root = new URL("../../", import.meta.url).pathname;
/** The permissions that the README shows. */
const permissions = ["--allow-net", "--allow-read", "--allow-write", "--allow-env=LOG_STREAM,LOG_TOKENS"];

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** One Weft as a process of its own, in the folder `cwd`. */
function start(cwd: string, ...args: string[]): { readonly child: Deno.ChildProcess; readonly ended: Promise<Ended> } {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, `${root}mod.ts`, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output().then(({ code, stdout, stderr }) => {
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), error: text.decode(stderr) };
  });
  return { child, ended };
}

async function weft(cwd: string, ...args: string[]): Promise<Ended> {
  return await start(cwd, ...args).ended;
}

/** Asks the running Weft until `ready` finds what it looks for in its answer. */
async function ask<T>(
  cwd: string,
  state: string,
  ready: (status: Record<string, unknown>) => T | undefined,
): Promise<T> {
  for (let tries = 0; tries < 100; tries++) {
    const { code, out } = await weft(cwd, "status", "--json", "--state", state);
    const found = code === 0 ? ready(JSON.parse(out)) : undefined;
    if (found !== undefined) return found;
  }
  throw new Error("The running Weft did not get ready");
}

Deno.test("the demo runs with the permissions of its task", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["task", "demo"], cwd: root })
    .output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  assert.match(text.decode(stdout), /bytes compared, identical\n4\. \d+% of what was fetched/);
});

Deno.test("a folder travels from one process to another, steered through the control socket", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-e2e-" });
  try {
    await Deno.mkdir(`${folder}/data/nested`, { recursive: true });
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    await Deno.writeFile(`${folder}/data/nested/größe.bin`, bytes);
    await Deno.writeTextFile(`${folder}/data/readme`, "hello");
    assert.equal((await weft(folder, "create", "data")).code, 0);

    const seed = start(
      folder,
      "seed",
      "data.torrent",
      "--data",
      ".",
      "--state",
      "seed.db",
      "--listen",
      "127.0.0.1:0",
      ...offline,
    );
    const peer = await ask(folder, "seed.db", (status) => {
      const [swarm] = status.swarms as { state: string }[];
      return swarm?.state === "seeding" ? (status.listening as string[])[0] : undefined;
    });
    const second = await weft(folder, "seed", "data.torrent", "--data", ".", "--state", "seed.db", ...offline);
    assert.equal(second.code, 1);
    assert.match(second.error, /Weft already runs with this state/);

    const got = await weft(
      folder,
      "get",
      ...offline,
      "data.torrent",
      "--out",
      "got",
      "--listen",
      "127.0.0.1:0",
      "--peer",
      peer,
      "--json",
    );
    assert.equal(got.code, 0, got.error);
    assert.equal(JSON.parse(got.out.trim().split("\n").at(-1)!).event, "exit");
    assert.deepEqual(await Deno.readFile(`${folder}/got/data/nested/größe.bin`), bytes);
    assert.equal(await Deno.readTextFile(`${folder}/got/data/readme`), "hello");

    seed.child.kill("SIGTERM");
    const { code, error } = await seed.ended;
    assert.deepEqual([code, error], [0, ""]);
    assert.match((await weft(folder, "list", "--state", "seed.db")).error, /No Weft runs with this state/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
