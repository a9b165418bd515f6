/** The compiled Weft, made once for all of these steps. */
import assert from "node:assert/strict";
import { type Compiler, findCompiler } from "../support/compiler.ts";
import { offline } from "../support/offline.ts";
import { type Ended, run, RunningWeft } from "../support/running_weft.ts";
import { fits, tryEscapes } from "./escapes/harness.ts";
import { type Escape, escapes, gaps } from "./escapes/table.ts";

const root = new URL("../../", import.meta.url).pathname;
const compiler = await findCompiler();
const missing = "missing" in compiler ? compiler.missing : undefined;

/** A source of peers in TypeScript, which imports a file of its own and a package. */
const ROSTER_TS = `
import { definePlugin, discoverPeers, object, string } from "weft";
import Queue from "npm:tinyqueue@^3.0.0";
import { parse } from "./parse.ts";

export default definePlugin({
  name: "roster",
  config: object({ peer: string() }),
  setup(plugin) {
    const queue: Queue<string> = new Queue([plugin.config.peer]);
    plugin.on(discoverPeers, async function* () {
      yield parse(queue.peek()!);
    });
  },
});
`;
const PARSE_TS = `
import { type PeerCandidate, parsePeerAddress } from "weft";
export const parse = (text: string): PeerCandidate => ({ address: parsePeerAddress(text) });
`;
/** The same in JavaScript, which says `MARK`. */
const LISTED_JS = `
import { definePlugin, discoverPeers, object, string } from "weft";
import { parse } from "./lib/parse.js";

export default definePlugin({
  name: "listed",
  config: object({ peer: string() }),
  setup(plugin) {
    plugin.log.warn("MARK");
    plugin.on(discoverPeers, async function* () {
      yield parse(plugin.config.peer);
    });
  },
});
`;
const PARSE_JS = `
import { parsePeerAddress } from "weft";
export const parse = (text) => ({ address: parsePeerAddress(text) });
`;

/** Processes take a while to start; what a worker may do in one is what it may do in another. */
const IN_PROCESSES = 12;
/** How many escapes run side by side. */
const TOGETHER = 24;

/** Nothing but the plugin names a peer; loopback is allowed, since the peer is here. */
function profile(use: string, peer: string, more = ""): string {
  return `listen: "127.0.0.1:0"
egress: { allow: [loopback] }
plugins:
  - use: tcp
  - use: ${use}
    as: source
    with: { peer: "${peer}" }
    ${more}
`;
}

async function compile({ deno, env }: Compiler, ...args: string[]): Promise<Ended> {
  const command = new Deno.Command(deno, { args: ["task", "--quiet", "compile", ...args], cwd: root, env });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

Deno.test({
  name: `one binary holds Weft and its profile's plugins${missing ? ` (cannot run here: ${missing})` : ""}`,
  ignore: missing !== undefined && "required" in compiler && !compiler.required,
  async fn(t) {
    if ("missing" in compiler) throw new Error(`Cannot run here: ${compiler.missing}`);
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft-binary-" }));
    const write = (file: string, text: string): Promise<void> => Deno.writeTextFile(`${folder}/${file}`, text);
    const old = /^deno 2\.[4-8]\./.test((await run(folder, [compiler.deno, "--version"])).out);
    const weft = (...args: string[]): Promise<Ended> => run(folder, [`${folder}/weft`, ...args]);
    try {
      for (const each of ["source", "use", "disk/lib", "data"]) {
        await Deno.mkdir(`${folder}/${each}`, { recursive: true });
      }
      await write("source/roster.ts", ROSTER_TS);
      await write("source/parse.ts", PARSE_TS);
      await write("disk/listed.js", LISTED_JS);
      await write("disk/lib/parse.js", PARSE_JS);
      await Deno.writeFile(`${folder}/data/data.bin`, crypto.getRandomValues(new Uint8Array(60_000)));

      await t.step("a mistake in the profile is told before anything is compiled", async () => {
        await write("source/wrong.yaml", profile("./roster.ts", "", "wiht: {}").replace("peer:", "pear:"));
        const { code, error } = await compile(
          compiler,
          "--profile",
          `${folder}/source/wrong.yaml`,
          "--output",
          `${folder}/no`,
        );
        assert.equal(code, 2, error);
        assert.match(error, /wrong\.yaml:8:5: unknown key "wiht"/);
        assert.match(error, /wrong\.yaml:7:13: unknown key "pear".*did you mean "peer"\?/);
        assert.doesNotMatch(error, /making/);
        const unknown = await compile(compiler, "--proflie", "x");
        assert.equal(unknown.code, 2);
        assert.match(unknown.error, /unknown option '--proflie'/);
      });

      await t.step("it compiles, and says what goes in", async () => {
        const isolated = `  - use: ../disk/listed.js\n    as: isolated\n    isolate: worker\n    with: { peer: "" }\n`;
        await write("source/weft.yaml", profile("./roster.ts", "127.0.0.1:1") + isolated);
        const { code, error } = await compile(
          compiler,
          ...["--profile", `${folder}/source/weft.yaml`, "--output", `${folder}/weft`],
        );
        assert.equal(code, 0, error);
        assert.match(error, /"\.\/roster\.ts" is compiled in\n/);
        assert.match(
          error,
          /"isolated" is isolated, so these are read from disk: "\.\.\/disk\/listed\.js", "\.\.\/disk\/lib\/parse\.js"\n/,
        );
        assert.deepEqual(await weft("--version"), { code: 0, out: `weft ${await version()}\n`, error: "" });
      });

      await t.step("without a profile it is Weft alone", async () => {
        const { code, error } = await compile(compiler, "--output", `${folder}/alone`);
        assert.equal(code, 0, error);
        await write("use/weft.yaml", profile("./roster.ts", "127.0.0.1:1"));
        const checked = await run(folder, [`${folder}/alone`, "check", "use/weft.yaml"]);
        assert.equal(checked.code, 2);
        assert.match(checked.error, /^use\/weft\.yaml:5:10: .*there is no file ".*use\/roster\.ts"/);
        assert.equal((await weft("check", "use/weft.yaml")).code, 0);
      });

      await t.step("its demo runs", async () => {
        const { code, out, error } = await weft("demo");
        assert.equal(code, 0, error);
        assert.match(out, /bytes compared, identical\n4\. /);
      });

      await t.step("it lists the built-ins", async () => {
        assert.match((await weft("plugins")).out, /^built-in .*\n(.*\n)*tcp /);
      });

      assert.equal((await weft("create", "data/data.bin", "--out", "data.torrent")).code, 0);
      await using seed = new RunningWeft(folder, [
        `${folder}/weft`,
        ...["seed", "data.torrent", "--data", "data", "--state", "seed.db", "--listen", "127.0.0.1:0", ...offline],
      ]);
      const peer = /127\.0\.0\.1:\d+/.exec(await seed.says(/listening on/))![0];
      const finds = async (use: string, more?: string): Promise<void> => {
        await write("use/weft.yaml", profile(use, peer, more));
        const { code, error } = await weft("get", "data.torrent", "--out", "got", "--profile", "use/weft.yaml");
        assert.equal(code, 0, error);
        assert.deepEqual(await Deno.readFile(`${folder}/got/data.bin`), await Deno.readFile(`${folder}/data/data.bin`));
        await Deno.remove(`${folder}/got`, { recursive: true });
      };

      // Beside the profile that is run nothing stands.
      await t.step(
        "a plugin that was compiled in finds a peer, though its file is not there",
        () => finds("./roster.ts"),
      );

      await t.step("so does one in JavaScript on disk, with a file that it imports", () => finds("../disk/listed.js"));

      await t.step("so does that one isolated, in a worker", () => finds("../disk/listed.js", "isolate: worker"));

      await t.step("so does that one isolated, in a process", () => finds("../disk/listed.js", "isolate: process"));

      await t.step("nothing gets out of its sandbox", async () => {
        const refused = escapes.filter(({ must, name }) =>
          must === "refused" && !(old && gaps.oldBinary.includes(name))
        );
        const [inWorker, inProcess] = ["worker", "process"].map((isolate) =>
          refused.filter(({ only }) => only === undefined || only === isolate)
        );
        assert.ok(inWorker.length >= 40);
        assert.deepEqual(await whatGetsOut(`${folder}/weft`, "worker", inWorker), []);
        assert.deepEqual(await whatGetsOut(`${folder}/weft`, "process", inProcess.slice(0, IN_PROCESSES)), []);
      });

      await t.step("TypeScript on disk is refused with the remedy where types can't be stripped", async () => {
        for (const isolate of ["none", "worker"]) {
          await write("use/weft.yaml", profile("../source/roster.ts", peer, `isolate: ${isolate}`));
          const { code, error } = await weft("check", "use/weft.yaml");
          if (!old) return assert.equal(code, 0, error);
          assert.equal(code, 2);
          assert.match(
            error,
            /^use\/weft\.yaml:5:10: .*can't load the TypeScript of ".*roster\.ts"; compile it in with/,
          );
        }
      });

      await t.step("a plugin on disk that is edited is reloaded, or it is said why not", async () => {
        await write("use/weft.yaml", profile("../disk/listed.js", peer));
        await using running = new RunningWeft(folder, [`${folder}/weft`, "run", "use/weft.yaml"]);
        await running.says(/source: MARK$/);
        await running.says(/^listening on/);
        await write("disk/listed.js", LISTED_JS.replace("MARK", "edited"));
        await running.says(/source: edited$/);
        await running.says(/^reloaded: replace plugin source: its code$/);
        await write("disk/lib/parse.js", `${PARSE_JS}// edited`);
        await running.says(
          /^reloaded: replace plugin source: its code$|^use\/weft\.yaml:5:10: .*parse\.js" has changed, .*restart Weft/,
        );
        running.signal("SIGTERM");
        assert.equal(await running.end(), 0);
      });

      await t.step("it writes a plugin to begin with, whose test passes", async () => {
        assert.equal((await weft("new", "plugin", "mine")).code, 0);
        const { code, out, error } = await run(`${folder}/mine`, [Deno.execPath(), "test", "--allow-read=."]);
        assert.equal(code, 0, out + error);
      });

      seed.signal("SIGTERM");
      assert.equal(await seed.end(), 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Tries escapes in the binary; what became of those that got out, and what else must not be. */
async function whatGetsOut(weft: string, isolate: "worker" | "process", all: readonly Escape[]): Promise<unknown[]> {
  const out: unknown[] = [];
  for (let at = 0; at < all.length; at += TOGETHER) {
    const group = all.slice(at, at + TOGETHER);
    const { outcomes, contacts, leaks, code } = await tryEscapes([weft], isolate, group);
    for (const each of group) if (!fits(each, outcomes.get(each.name))) out.push([each.name, outcomes.get(each.name)]);
    if (contacts > 0 || leaks.length > 0 || code !== 0) out.push({ contacts, leaks, code });
  }
  return out;
}

async function version(): Promise<string> {
  return JSON.parse(await Deno.readTextFile(`${root}deno.json`)).version;
}
