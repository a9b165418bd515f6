import assert from "node:assert/strict";
import { ConfigError } from "../core/api/mod.ts";
import { entryModule, fileUrl, type ProfilePart, readProfilePart } from "./compile_profile.ts";

const PLUGIN = `import { definePlugin, object } from "weft";
import "./lib/part.ts";
export default definePlugin({ name: "a", config: object({}), setup() {} });
`;

/** The part of a profile that stands in a folder of its own, below one with a space in its name. */
async function partOf(profile: string): Promise<{ part: ProfilePart; folder: string }> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft compile-" }));
  try {
    for (const each of ["plugins/lib", "profile"]) await Deno.mkdir(`${folder}/${each}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/plugins/a.ts`, PLUGIN);
    await Deno.writeTextFile(`${folder}/plugins/lib/part.ts`, "export const part: number = 1;");
    await Deno.writeTextFile(`${folder}/profile/weft.yaml`, profile.replaceAll("FOLDER", folder));
    return { part: await readProfilePart(`${folder}/profile/weft.yaml`, "weft.yaml"), folder };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readProfilePart() embeds files by what the profile calls them, and no built-in", async () => {
  const { part, folder } = await partOf(`plugins:
  - use: tcp
  - use: ../plugins/a.ts
  - { use: ../plugins/a.ts, as: again }
  - { use: "FOLDER/plugins/a.ts", as: absolute }
`);
  const url = `file://${folder.replace(" ", "%20")}/plugins/a.ts`;
  assert.deepEqual([...part.embedded], [["../plugins/a.ts", url], [`${folder}/plugins/a.ts`, url]]);
  assert.deepEqual([part.packages, part.isolated, part.env], [[], [], []]);
});

Deno.test("readProfilePart() leaves what is isolated on disk, and names its files and variables", async () => {
  const { part, folder } = await partOf(`plugins:
  - { use: ../plugins/a.ts, as: one, isolate: worker, permissions: { env: [HOME, LANG] } }
  - { use: "FOLDER/plugins/a.ts", as: two, isolate: process, permissions: { env: [HOME] } }
`);
  assert.deepEqual(part.isolated, [
    { name: "one", files: ["../plugins/a.ts", "../plugins/lib/part.ts"] },
    { name: "two", files: [`${folder}/plugins/a.ts`, `${folder}/plugins/lib/part.ts`] },
  ]);
  assert.deepEqual([part.embedded.size, part.env], [0, ["HOME", "LANG"]]);
});

Deno.test("readProfilePart() throws every mistake with its place", async () => {
  await assert.rejects(partOf("plugins:\n  - use: tpc\n  - use: ./none.ts\n"), (error: ConfigError) => {
    assert.equal(error.problems.length, 2);
    assert.match(error.problems[0], /^weft\.yaml:2:10: unknown plugin "tpc", did you mean "tcp"\?/);
    assert.match(error.problems[1], /^weft\.yaml:3:10: cannot load ".*none\.ts": there is no file/);
    return error instanceof ConfigError;
  });
  await assert.rejects(readProfilePart("/nowhere/weft.yaml", "weft.yaml"), /Cannot read profile "weft\.yaml": No such/);
});

Deno.test("entryModule() imports files as they stand to it, and names packages", () => {
  const part = {
    embedded: new Map([["./a.ts", "file:///srv/my%20plugins/a.ts"], [
      "https://x.example/b.ts",
      "https://x.example/b.ts",
    ]]),
    packages: ["npm:c@1"],
    isolated: [],
    env: [],
  };
  assert.equal(
    entryModule("file:///tmp/x/weft.js", "file:///weft/mod.ts", part),
    `import { runAsMain } from "../../weft/mod.ts";

runAsMain({
  "./a.ts": () => import("../../srv/my%20plugins/a.ts"),
  "https://x.example/b.ts": () => import("https://x.example/b.ts"),
});

// Never called: what is named here is in the program, and found by its name as it would be without it.
export const packages = [
  () => import("npm:c@1"),
];
`,
  );
  assert.match(entryModule("file:///weft/x.js", "file:///weft/mod.ts", part), /from "\.\/mod\.ts"/);
});

Deno.test("fileUrl() escapes what would end a path", () => {
  assert.equal(new URL(fileUrl("/a b/#1?%.ts")).pathname, "/a%20b/%231%3F%25.ts");
});
