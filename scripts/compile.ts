/**
 * Compiles Weft to one binary, `./weft`, or another path given as the argument. It may use the network, read and
 * write files, and nothing else. `WEFT_DENO` names the deno that compiles, if not the one that runs this.
 *
 * @module
 */
const root = new URL("../", import.meta.url).pathname;
const output = Deno.args[0] ?? `${root}weft`;

const command = new Deno.Command(Deno.env.get("WEFT_DENO") ?? Deno.execPath(), {
  args: [
    "compile",
    "--no-check", // `deno task check` did
    "--no-prompt",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env=LOG_STREAM,LOG_TOKENS", // what npm:yaml looks at
    // Workers are loaded by URL, so nothing else names this file.
    "--include",
    "core/host/deno/worker.ts",
    "--output",
    output,
    "mod.ts",
  ],
  cwd: root,
});
const { code } = await command.spawn().status;
Deno.exit(code);
