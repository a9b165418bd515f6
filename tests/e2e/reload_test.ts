import assert from "node:assert/strict";
import * as modules from "node:module";
import { type Ended, run, RunningWeft, WEFT } from "../support/running_weft.ts";

const weft = (cwd: string, ...args: string[]): Promise<Ended> => run(cwd, [...WEFT, ...args]);

/** Deno before 2.9 can't load an imported file anew; Weft says so then. */
const canRefreshImports = "registerHooks" in modules;

const profile = (greeting: string, limit: string): string => `
listen: "127.0.0.1:0"
limits: { down: ${limit} }
plugins:
  - use: tcp
  - use: ./greeter.ts
    as: greeter
    with: { greeting: "${greeting}" }
`;
const greeter = (mark: string): string => `
import { definePlugin, object, string } from "weft";
import { name } from "./name.ts";
export default definePlugin({
  name: "greeter",
  config: object({ greeting: string() }),
  setup(plugin) {
    plugin.log.warn(plugin.config.greeting + " " + name + "${mark}");
  },
});
`;

Deno.test("a running Weft follows its profile, its plugins and what they import, and mistakes stop nothing", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "weft-reload-" });
  const write = (file: string, text: string): Promise<void> => Deno.writeTextFile(`${folder}/${file}`, text);
  await write("weft.yaml", profile("hello", "unlimited"));
  await write("greeter.ts", greeter("."));
  await write("name.ts", `export const name: string = "Ada";`);
  const running = new RunningWeft(folder, [...WEFT, "run", "weft.yaml"]);
  try {
    await running.says(/greeter: hello Ada\.$/);
    await running.says(/^listening on 127\.0\.0\.1/);

    await t.step("an edited profile takes effect", async () => {
      await write("weft.yaml", profile("good day", "unlimited"));
      await running.says(/greeter: good day Ada\.$/);
      await running.says(/^reloaded: replace plugin greeter: with\.greeting/);
    });

    await t.step("so does an edited plugin", async () => {
      await write("greeter.ts", greeter("!"));
      await running.says(/greeter: good day Ada!$/);
      await running.says(/^reloaded: replace plugin greeter: its code$/);
    });

    await t.step("so does a file that it imports, or it is said why not", async () => {
      await write("name.ts", `export const name: string = "Grace";`);
      if (!canRefreshImports) {
        await running.says(/^weft\.yaml:6:10: .*name\.ts" has changed, .*restart Weft/);
        await write("name.ts", `export const name: string = "Ada";`);
        await running.says(/^reloaded: nothing changed$/);
        return;
      }
      await running.says(/greeter: good day Grace!$/);
      await running.says(/^reloaded: replace plugin greeter: its code$/);
    });

    await t.step("a broken file that a plugin came to import is told, and watched until it is mended", async () => {
      await write("broken.ts", "export const name: string = ;");
      await write("greeter.ts", greeter("?").replace("./name.ts", "./broken.ts"));
      await running.says(/^weft\.yaml:6:10: cannot load .*greeter\.ts/);
      await running.says(/^weft: not reloaded; what ran goes on$/);
      await write("broken.ts", `export const name: string = "Edsger";`);
      await running.says(/greeter: good day Edsger\?$/);
      await running.says(/^reloaded: replace plugin greeter: its code$/);
    });

    await t.step("a mistake is told with its place, and what runs goes on", async () => {
      await write("weft.yaml", profile("oops", "unlimited").replace("greeting:", "greting:"));
      await running.says(/^weft\.yaml:8:13: unknown key "greting" in plugins\[1\]\.with, did you mean "greeting"\?$/);
      await running.says(/^weft: not reloaded; what ran goes on$/);
      const refused = await weft(folder, "reload");
      assert.equal(refused.code, 2);
      assert.match(refused.error, /^weft\.yaml:8:13: unknown key "greting"/m);
      const { plugins } = JSON.parse((await weft(folder, "status", "--json")).out);
      assert.deepEqual(plugins.map(({ name, state }: Record<string, string>) => [name, state]), [
        ["tcp", "running"],
        ["greeter", "running"],
      ]);
      await running.says(/^weft: not reloaded/);
      await write("weft.yaml", profile("good day", "unlimited"));
      await running.says(/^reloaded: nothing changed$/);
    });

    running.signal("SIGTERM");
    assert.equal(await running.end(), 0);
  } finally {
    await running[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("weft plan shows what weft reload does, and SIGHUP does the same", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-reload-" });
  const write = (limit: string): Promise<void> =>
    Deno.writeTextFile(
      `${folder}/weft.yaml`,
      `listen: "127.0.0.1:0"\nlimits: { down: ${limit} }\nplugins: [use: tcp]\n`,
    );
  await write("1 MiB/s");
  const running = new RunningWeft(folder, [...WEFT, "run", "weft.yaml", "--no-watch"]);
  try {
    await running.says(/^listening on/);
    await write("2 MiB/s");
    const planned = await weft(folder, "plan", "weft.yaml");
    assert.deepEqual(planned, { code: 0, out: "~ limits.down: 1 MiB/s to 2 MiB/s\n", error: "" });
    assert.deepEqual(await weft(folder, "plan", "weft.yaml"), planned, "a plan changes nothing");
    assert.deepEqual(await weft(folder, "reload"), planned);
    await running.says(/^reloaded: ~ limits\.down: 1 MiB\/s to 2 MiB\/s$/);
    assert.equal((await weft(folder, "plan", "weft.yaml")).out, "nothing would change\n");

    await write("3 MiB/s");
    running.signal("SIGHUP");
    await running.says(/^reloaded: ~ limits\.down: 2 MiB\/s to 3 MiB\/s$/);
    await Deno.remove(`${folder}/weft.yaml`);
    running.signal("SIGHUP");
    await running.says(/^weft: There is no profile "weft\.yaml"$/);
    await running.says(/^weft: not reloaded; what ran goes on$/);

    running.signal("SIGTERM");
    assert.equal(await running.end(), 0);
    await write("3 MiB/s");
    assert.match((await weft(folder, "plan", "weft.yaml")).out, /^no Weft runs with this state .*\n\+ plugin tcp\n$/);
  } finally {
    await running[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
});
