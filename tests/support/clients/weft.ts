import { type Client, launch, type LeechRequest, type RunningClient, type SeedRequest } from "./client.ts";

const repository = new URL("../../../", import.meta.url).pathname;

/** What Weft needs, as the README shows it. */
const permissions = ["--unstable-net", "--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];

/** Weft itself, from this tree, as its users start it. */
export const weft: Client = {
  name: "weft",
  knowsPadFiles: true,
  writesEmptyFiles: true,
  takesPeers: true,
  async available(): Promise<string | undefined> {
    const there = await Deno.stat(`${repository}mod.ts`).then(() => true, () => false);
    return there ? undefined : "mod.ts is missing";
  },
  seed: (request: SeedRequest): Promise<RunningClient> =>
    start("seed", request, ["--data", request.data, ...(request.trusted ? ["--skip-check"] : [])]),
  leech: (request: LeechRequest): Promise<RunningClient> =>
    start("leech", request, ["--out", request.out, ...(request.peer ? ["--peer", request.peer] : [])]),
};

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

async function start(
  role: "seed" | "leech",
  { torrent, site, port, scratch }: SeedRequest | LeechRequest,
  more: string[],
): Promise<RunningClient> {
  const verb = role === "seed" ? "seed" : "get";
  const argv = weftCommand(verb, torrent, ...more, "--listen", `${site.ip}:${port}`, "--allow-local", "--json");
  // State that Weft keeps for its user goes to the scratch folder: clients of one test don't share it.
  const env = { HOME: scratch, XDG_STATE_HOME: scratch, XDG_DATA_HOME: scratch, DENO_DIR: await denoFolder() };
  return launch({ site, port, role, argv, cwd: scratch, env });
}

/** Deno's cache, which it finds through HOME unless it is told. */
async function denoFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return (JSON.parse(new TextDecoder().decode(stdout)) as { denoDir: string }).denoDir;
}
