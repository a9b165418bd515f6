import { type Client, launch, type LeechRequest, type RunningClient, type SeedRequest } from "./client.ts";

const repository = new URL("../../../", import.meta.url).pathname;

/** What Weft needs, as the README shows it. */
const permissions = ["--allow-net", "--allow-read", "--allow-write", "--allow-env=LOG_STREAM,LOG_TOKENS"];

/** Weft itself, from this tree, as its users start it. */
export const weft: Client = {
  name: "weft",
  knowsPadFiles: true,
  writesEmptyFiles: true,
  takesPeers: true,
  // It is this tree: where it doesn't start, tests must fail.
  available: (): Promise<string | undefined> => Promise.resolve(undefined),
  seed: (request: SeedRequest): Promise<RunningClient> =>
    start("seed", request, ["--data", request.data, ...(request.trusted ? ["--skip-check"] : [])]),
  leech: (request: LeechRequest): Promise<RunningClient> =>
    start("leech", request, ["--out", request.out, ...(request.peer ? ["--peer", request.peer] : [])]),
};

/** Weft as a leecher whose plugins and settings come from a profile, given as YAML. */
export function weftWithProfile(profile: string): Client {
  return {
    ...weft,
    async leech(request): Promise<RunningClient> {
      const file = `${request.scratch}/profile.yaml`;
      await Deno.writeTextFile(file, profile);
      return start("leech", request, ["--out", request.out, "--profile", file]);
    },
  };
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

// deno-lint-ignore require-await -- the interface is asynchronous for the clients that write settings first
async function start(
  role: "seed" | "leech",
  { torrent, site, port, scratch }: SeedRequest | LeechRequest,
  more: string[],
): Promise<RunningClient> {
  const verb = role === "seed" ? "seed" : "get";
  const common = ["--listen", `${site.ip}:${port}`, "--state", `${scratch}/weft.db`, "--allow-local", "--json"];
  return launch({ site, port, role, argv: weftCommand(verb, torrent, ...more, ...common), cwd: scratch });
}
