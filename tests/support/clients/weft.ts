import { connectControl, type ControlClient, controlPath } from "../../../core/control/mod.ts";
import { denoHost } from "../../../core/host/deno/mod.ts";
import type { Site } from "../netns.ts";
import { offline } from "../offline.ts";
import {
  besideAdapters,
  type Client,
  type ClientRequest,
  launch,
  type LeechRequest,
  type RunningClient,
  type SeedRequest,
} from "./client.ts";
import { Steered } from "./steered.ts";

const repository = new URL("../../../", import.meta.url).pathname;

/** What Weft needs, as the README shows it. */
const permissions = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-sys=networkInterfaces",
  "--allow-env=LOG_STREAM,LOG_TOKENS",
];

/** Weft itself, from this tree, as its users start it. */
export const weft: Client = {
  name: "weft",
  knowsPadFiles: true,
  writesEmptyFiles: true,
  takesPeers: true,
  // It is this tree: where it doesn't start, tests must fail.
  available: (): Promise<string | undefined> => Promise.resolve(undefined),
  seed: (request: SeedRequest): Promise<RunningClient> => start("seed", request, seedOptions(request)),
  leech: (request: LeechRequest): Promise<RunningClient> => start("leech", request, leechOptions(request)),
};

function seedOptions({ data, trusted, uploadLimit }: SeedRequest): string[] {
  return ["--data", data, ...(trusted ? ["--skip-check"] : []), ...(uploadLimit ? ["--up", `${uploadLimit} B/s`] : [])];
}

function leechOptions({ out, peer, downloadLimit }: LeechRequest): string[] {
  return [
    "--out",
    out,
    ...(peer ? ["--peer", peer] : []),
    ...(downloadLimit ? ["--down", `${downloadLimit} B/s`] : []),
  ];
}

/** Weft with plugins and settings of a profile, given as YAML. */
export function weftWithProfile(profile: string): Client {
  const write = async ({ scratch }: ClientRequest): Promise<string[]> => {
    const file = `${scratch}/profile.yaml`;
    await Deno.writeTextFile(file, profile);
    return ["--profile", file];
  };
  return {
    ...weft,
    seed: async (request) => start("seed", request, [...seedOptions(request), ...await write(request)]),
    leech: async (request) => start("leech", request, [...leechOptions(request), ...await write(request)]),
  };
}

/** What `steeredWeft` needs. */
export interface SteeredRequest {
  /** An empty folder for its profile, state and downloads. */
  readonly scratch: string;
  /** The profile, as YAML, but for `store` and the entry that steers it. It ends with the list of plugins. */
  readonly profile: string;
  /** `with` of the entry that steers it; see `weft_steer.ts`. */
  readonly steer?: Readonly<Record<string, unknown>>;
}

/** What a Weft that is asked for its `status` says. */
export interface WeftStatus {
  /** The state of each swarm, by info-hash. */
  readonly states: Readonly<Record<string, string>>;
  /** Which entries named each address. */
  readonly sources: Readonly<Record<string, readonly string[]>>;
  /** Connected peers, of all swarms. */
  readonly peers: readonly { readonly address: string; readonly incoming: boolean }[];
}

/** Weft as `weft run` starts it, steered; `weft_steer.ts` says what it can be asked. */
export async function steeredWeft(site: Site, { scratch, profile, steer = {} }: SteeredRequest): Promise<Steered> {
  const store = `store: { path: ${scratch}/out, state: ${scratch}/weft.db }`;
  const entry = `  - use: ${besideAdapters("weft_steer.ts")}\n    as: steer\n    with: ${JSON.stringify(steer)}`;
  await Deno.writeTextFile(`${scratch}/weft.yaml`, `${store}\n${profile}\n${entry}\n`);
  const weft = new Steered(site, weftCommand("run", `${scratch}/weft.yaml`, "--no-watch"));
  await weft.ready;
  return weft;
}

/** The control interface of the Weft that runs with this scratch folder. */
export async function weftControl(scratch: string): Promise<ControlClient> {
  const { net, disk } = denoHost();
  return connectControl(net, await controlPath(disk, stateIn(scratch), scratch));
}

/** The lines that Weft printed with `--json`, as objects. */
export function weftEvents(client: RunningClient): Record<string, unknown>[] {
  return client.log().split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
    try {
      return [JSON.parse(line) as Record<string, unknown>];
    } catch {
      return []; // the first line kept may be cut
    }
  });
}

/** The command line that runs Weft with `args`. */
export function weftCommand(...args: string[]): string[] {
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, `${repository}mod.ts`, ...args];
}

function stateIn(scratch: string): string {
  return `${scratch}/weft.db`;
}

// deno-lint-ignore require-await -- the interface is asynchronous for the clients that write settings first
async function start(
  role: "seed" | "leech",
  { torrent, site, port, scratch }: SeedRequest | LeechRequest,
  more: string[],
): Promise<RunningClient> {
  const verb = role === "seed" ? "seed" : "get";
  const plugins = more.includes("--profile") ? [] : offline;
  const common = [
    ...plugins,
    "--listen",
    `${site.ip}:${port}`,
    "--state",
    stateIn(scratch),
    "--allow-local",
    "--json",
  ];
  return launch({ site, port, role, argv: weftCommand(verb, torrent, ...more, ...common), cwd: scratch });
}
