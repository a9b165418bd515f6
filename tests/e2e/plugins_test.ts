/**
 * Plugins in folders of their own, outside the repository, and Weft started from yet another folder. `WEFT_BINARY`
 * names a compiled Weft to run instead of `mod.ts`.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { cp } from "node:fs/promises";
import * as modules from "node:module";
import { offline } from "../support/offline.ts";

const root = new URL("../../", import.meta.url).pathname;
const binary = Deno.env.get("WEFT_BINARY");
const command = binary === undefined
  ? [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env=LOG_STREAM,LOG_TOKENS",
    `${root}mod.ts`,
  ]
  : [await Deno.realPath(binary)];

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a program in `cwd`; its end, and a way to stop it. */
function start(cwd: string, program: string, ...args: string[]) {
  const child = new Deno.Command(program, { args, cwd, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const ended = child.output().then(({ code, stdout, stderr }): Ended => {
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), error: text.decode(stderr) };
  });
  return { child, ended };
}

const weft = (cwd: string, ...args: string[]): Promise<Ended> =>
  start(cwd, command[0], ...command.slice(1), ...args).ended;
const deno = (cwd: string, ...args: string[]): Promise<Ended> => start(cwd, Deno.execPath(), ...args).ended;

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft-plugins-" }));
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A swarm with one seed on this machine, and a web server that lists it; `asked` grows by each info-hash asked for. */
async function withRoster(
  folder: string,
  body: (list: string, infoHash: string, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await Deno.writeFile(`${folder}/data.bin`, bytes);
  const made = await weft(folder, "create", "data.bin");
  assert.equal(made.code, 0, made.error);
  const infoHash = /info-hash +(\w+)/.exec(made.out)![1];
  const seed = start(
    folder,
    command[0],
    ...command.slice(1),
    ...["seed", "data.bin.torrent", "--data", ".", "--state", "seed.db", "--listen", "127.0.0.1:0", ...offline],
  );
  try {
    const address = await listeningAddress(folder);
    const asked: string[] = [];
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
      asked.push(new URL(url).searchParams.get("info_hash")!);
      return Response.json([address]);
    });
    await body(`http://127.0.0.1:${server.addr.port}/list`, infoHash, asked);
  } finally {
    seed.child.kill("SIGTERM");
    await seed.ended;
  }
}

async function listeningAddress(folder: string): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const { code, out } = await weft(folder, "status", "--json", "--state", "seed.db");
    const status = code === 0 ? JSON.parse(out) : undefined;
    if (status?.swarms[0]?.state === "seeding") return status.listening[0];
  }
  throw new Error("The seed did not get ready");
}

/** Fetches the torrent with no other source of peers than a plugin; loopback is allowed, since the seed is here. */
async function fetchWith(folder: string, use: string, list: string): Promise<Ended> {
  const profile = `egress: { allow: [loopback] }
plugins:
  - use: tcp
  - use: ${JSON.stringify(use)}
    with: { url: ${JSON.stringify(list)} }
`;
  await Deno.mkdir(`${folder}/profile`, { recursive: true });
  await Deno.writeTextFile(`${folder}/profile/weft.yaml`, profile);
  await Deno.remove(`${folder}/got`, { recursive: true }).catch(() => {});
  const args = ["get", "data.bin.torrent", "--out", "got", "--profile", "profile/weft.yaml"];
  return await weft(folder, ...args, "--listen", "127.0.0.1:0");
}

Deno.test("a plugin that weft new wrote passes its checks, and finds a peer", () =>
  inFolder(async (folder) => {
    const made = await weft(folder, "new", "plugin", "my-peers", "--dir", "plugins/my-peers");
    assert.equal(made.code, 0, made.error);
    for (const args of [["check"], ["test"]]) {
      const { code, out, error } = await deno(`${folder}/plugins/my-peers`, ...args);
      assert.equal(code, 0, `deno ${args.join(" ")}: ${out}${error}`);
    }
    await withRoster(folder, async (list, infoHash, asked) => {
      const { code, error } = await fetchWith(folder, "../plugins/my-peers/my-peers.ts", list);
      if (binary !== undefined && code === 2) return assert.match(error, /can't load the TypeScript.*--profile/);
      assert.equal(code, 0, error);
      assert.deepEqual(asked, [infoHash]);
      assert.deepEqual(await Deno.readFile(`${folder}/got/data.bin`), await Deno.readFile(`${folder}/data.bin`));
    });
  }));

Deno.test("a plugin in plain JavaScript finds a peer, by path and by file URL, beside a deno.json of its own", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a plugin`);
    await Deno.writeTextFile(`${folder}/a plugin/deno.json`, '{ "imports": { "weft": "./nowhere.js" } }');
    await Deno.writeTextFile(
      `${folder}/a plugin/parse.js`,
      'import { parsePeerAddress } from "weft";\nexport const parse = (text) => ({ address: parsePeerAddress(text) });',
    );
    await Deno.writeTextFile(
      `${folder}/a plugin/roster.js`,
      `import { definePlugin, discoverPeers, object, url } from "weft";
import { parse } from "./parse.js";

export default definePlugin({
  name: "roster",
  config: object({ url: url() }),
  setup(plugin) {
    plugin.on(discoverPeers, async function* ({ id }, signal) {
      const answer = await plugin.net.fetch(\`\${plugin.config.url}?info_hash=\${id.hex}\`, { signal });
      yield* answer.json().map(parse);
    });
  },
});
`,
    );
    await withRoster(folder, async (list) => {
      for (const use of ["../a plugin/roster.js", new URL(`file://${folder}/a plugin/roster.js`).href]) {
        const { code, error } = await fetchWith(folder, use, list);
        assert.equal(code, 0, error);
        assert.deepEqual(await Deno.readFile(`${folder}/got/data.bin`), await Deno.readFile(`${folder}/data.bin`));
      }
    });
  }));

Deno.test("mistakes in plugin files are told with the profile's place and the file's", () =>
  inFolder(async (folder) => {
    const files: Record<string, string> = {
      "syntax.js": "export default {\n  name: 1,,\n};\n",
      "none.js": "export const plugin = 1;\n",
      "thrown.js": "const config = undefined;\nexport default config.url;\n",
      "imports.js": 'import { gone } from "./gone.js";\nexport default gone;\n',
      "package.js": 'import { x } from "some-package";\nexport default x;\n',
      "weft.yaml": `plugins:
  - use: ./syntax.js
  - use: ./none.js
  - use: ./thrown.js
  - use: ./imports.js
  - use: ./package.js
  - use: ./missing.js
  - use: missing.js
  - use: tcp
    isolate: worker
`,
    };
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    const { code, error } = await weft(folder, "check", "weft.yaml");
    assert.equal(code, 2);
    const lines = error.replaceAll(folder, "").trim().split("\n");
    const expected = [
      /^weft\.yaml:2:10: cannot load "\/syntax\.js": \/syntax\.js:2:11: Unexpected token/,
      /^weft\.yaml:3:10: "\/none\.js" has no plugin as its default export; write/,
      /^weft\.yaml:4:10: cannot load "\/thrown\.js": \/thrown\.js:2:23: Cannot read properties of undefined/,
      /^weft\.yaml:5:10: cannot load "\/imports\.js": \/imports\.js(:1:22)?: cannot find "\/gone\.js"; correct the import/,
      /^weft\.yaml:6:10: cannot load "\/package\.js": \/package\.js(:1:19)?: cannot find "some-package"; write "weft"/,
      /^weft\.yaml:7:10: cannot load "\/missing\.js": there is no file "\/missing\.js"; correct its path/,
      /^weft\.yaml:8:10: unknown plugin "missing\.js"; write "\.\/missing\.js" for a file beside the profile/,
      /^weft\.yaml:9:10: "tcp" is part of Weft and can't be isolated; remove "isolate"/,
    ];
    for (const [i, pattern] of expected.entries()) assert.match(lines[i], pattern);
    assert.equal(lines.length, expected.length, error);
  }));

Deno.test("a slip in a plugin's setup is told with the profile's place and the file's", () =>
  inFolder(async (folder) => {
    const plugin = `import { definePlugin, object } from "weft";
export default definePlugin({
  name: "slip",
  config: object({}),
  setup: (plugin) => plugin.config.url.length,
});
`;
    await Deno.writeTextFile(`${folder}/slip.js`, plugin);
    await Deno.writeTextFile(`${folder}/weft.yaml`, 'listen: "127.0.0.1:0"\nplugins:\n  - use: ./slip.js\n');
    const { code, error } = await weft(folder, "run", "weft.yaml");
    assert.equal(code, 2);
    const told =
      /^weft\.yaml:3:5: cannot start "\.\/slip\.js": \/slip\.js:5:40: Cannot read properties of undefined \(reading 'length'\)$/m;
    assert.match(error.replaceAll(folder, ""), told);
  }));

Deno.test({
  name: "a package from npm is a plugin like others, also in what it imports as weft",
  ignore: binary !== undefined || !("registerHooks" in modules),
  fn: () =>
    inFolder(async (folder) => {
      const source = 'import { definePlugin, object } from "weft";\n' +
        'export default definePlugin({ name: "roster", config: object({}), setup() {} });\n';
      const about = { name: "@weft-test/roster", version: "1.0.0", type: "module", exports: "./mod.js" };
      const archive = await tarball({ "package/package.json": JSON.stringify(about), "package/mod.js": source });
      await using registry = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
        if (url.endsWith(".tgz")) return new Response(archive);
        const tarball = new URL("/roster.tgz", url).href;
        const version = { ...about, dist: { tarball, integrity: `sha512-${hash("sha512", archive, "base64")}` } };
        return Response.json({ name: about.name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } });
      });
      await Deno.writeTextFile(`${folder}/.npmrc`, `@weft-test:registry=http://127.0.0.1:${registry.addr.port}/\n`);
      await Deno.writeTextFile(
        `${folder}/weft.yaml`,
        'plugins:\n  - use: "npm:@weft-test/roster@1"\n  - use: "npm:tinyqueue@^3.0.0"\n',
      );
      await Deno.copyFile(`${root}deno.lock`, `${folder}/deno.lock`); // what is loaded is no dependency of Weft
      const [program, run, ...rest] = [...command, "check", "weft.yaml"];
      const { code, stderr } = await new Deno.Command(program, {
        args: [run, `--lock=${folder}/deno.lock`, ...rest],
        cwd: folder,
        env: { HOME: folder, DENO_DIR: await cacheOf(folder) },
        stdin: "null",
        stdout: "null",
      }).output();
      const error = new TextDecoder().decode(stderr);
      assert.equal(code, 2, error);
      assert.match(error, /weft\.yaml:3:10: "npm:tinyqueue@\^3\.0\.0" has no plugin as its default export/);
      assert.doesNotMatch(error, /weft\.yaml:2:/);
    }),
});

/** A cache of Deno's own with the packages that are there, so that the test's package stays in `folder`. */
async function cacheOf(folder: string): Promise<string> {
  const { npmCache } = JSON.parse((await deno(folder, "info", "--json")).out) as { npmCache: string };
  await cp(npmCache, `${folder}/cache/npm`, { recursive: true });
  return `${folder}/cache`;
}

/** Files as npm packs them: a gzipped tar (POSIX ustar, a header of 512 bytes before each file). */
async function tarball(files: Record<string, string>): Promise<Uint8Array<ArrayBuffer>> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (const [name, text] of Object.entries(files)) {
    const body = encode(text);
    const owner = octal(0, 7);
    const fields = `${octal(0o644, 7)}${owner}${owner}${octal(body.length, 11)}${octal(0, 11)}        0`;
    const header = new Uint8Array(512);
    header.set(encode(name.padEnd(100, "\0") + fields));
    header.set(encode("ustar\x0000"), 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.set(encode(`${octal(sum, 6)} `), 148);
    const padded = new Uint8Array(Math.ceil(body.length / 512) * 512);
    padded.set(body);
    blocks.push(header, padded);
  }
  const stream = new Blob([...blocks, new Uint8Array(1024)]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("the README shows the plugin that weft new writes", async () => {
  const readme = await Deno.readTextFile(`${root}README.md`);
  assert.ok(readme.includes(await Deno.readTextFile(`${root}core/cli/commands/new/roster.ts`)));
});
