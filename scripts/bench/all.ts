/**
 * Runs the benchmarks, one after another, each in a process of its own: `deno task bench` runs all, `deno task bench
 * NAME [OPTIONS]` one of them. Each says in its file what it measures and takes.
 *
 * Figures of one run compare with each other, not with those of another machine or day; nothing else should run.
 *
 * @module
 */

/** Every benchmark by its name, in the order in which all are run. */
const benchmarks: Readonly<Record<string, string>> = {
  transfer: "transfer.ts",
  rc4: "rc4.ts",
  utp: "utp.ts",
  tracker: "tracker.ts",
  dht: "dht.ts",
  idle: "idle.ts",
  reload: "reload.ts",
  sandbox: "sandbox.ts",
  store: "store.ts",
};

/** Runs one. Returns whether it went well. */
async function run(name: string, args: readonly string[]): Promise<boolean> {
  const script = new URL(benchmarks[name], import.meta.url).pathname;
  const options = ["run", "--allow-all", "--v8-flags=--expose-gc", script, ...args];
  const { success } = await new Deno.Command(Deno.execPath(), { args: options, stdin: "null" }).spawn().status;
  return success;
}

const [name, ...args] = Deno.args;
if (name !== undefined && !Object.hasOwn(benchmarks, name)) {
  console.error(`No benchmark "${name}"; there are ${Object.keys(benchmarks).join(", ")}`);
  Deno.exit(2);
}
const failed: string[] = [];
for (const each of name === undefined ? Object.keys(benchmarks) : [name]) {
  if (name === undefined) console.log(`\n# ${each}`);
  if (!await run(each, args)) failed.push(each);
}
if (failed.length > 0) {
  if (name === undefined) console.error(`\nNot measured: ${failed.join(", ")}`);
  Deno.exit(1);
}
