import { libtorrent } from "../support/clients/libtorrent.ts";
import { weft, weftWithProfile } from "../support/clients/weft.ts";
import { type Lab, labTest } from "../support/lab.ts";
import { tree } from "../support/payloads.ts";

/** Entries of a profile's `plugins`, each the only source of peers or beside another. */
const sources: Record<string, (seeder: string) => string[]> = {
  "the tracker alone": () => ["{ use: tracker_http }"],
  "named peers alone": (seeder) => [`{ use: peers, with: { peers: ["${seeder}"] } }`],
  "the tracker and named peers": (seeder) => [
    "{ use: tracker_http, with: { timeout: 10s } }",
    `{ use: peers, with: { peers: ["${seeder}"] } }`,
  ],
};

await labTest(
  "weft downloads with what a profile says",
  [libtorrent, weft],
  Object.fromEntries(
    Object.entries(sources).map(([name, entries]) => [name, async (lab: Lab) => {
      const published = await lab.publish(tree);
      await lab.seed(libtorrent, published);
      const plugins = ["{ use: tcp }", ...entries(lab.seeder)].map((entry) => `  - ${entry}\n`);
      await lab.download(weftWithProfile(`plugins:\n${plugins.join("")}`), published);
    }]),
  ),
);
