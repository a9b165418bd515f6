/**
 * What benchmarks of whole runtimes share: a payload, a process of Wefts that seed it, and a runtime in this process.
 *
 * @module
 */
import type { Host, Runtime, Settings } from "../../core/api/mod.ts";
import { pluginResolver } from "../../core/profile/mod.ts";
import { loadProfile } from "../../core/config/mod.ts";
import { denoHost } from "../../core/host/deno/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import { buildInfo, encodeMetainfo } from "../../core/wire/mod.ts";
import { builtins } from "../../plugins/mod.ts";
import { writePayload } from "../../tests/support/payload.ts";

const PIECE_LENGTH = 1 << 20;

/** The settings of a profile with data and state in `folder`; `versions` pretends that a plugin's code is another. */
export async function settings(
  host: Host,
  folder: string,
  profile: Record<string, unknown>,
  versions: Readonly<Record<string, string>> = {},
): Promise<Settings> {
  const resolve = pluginResolver({ builtins, host, version: "0" });
  return await loadProfile({
    value: {
      listen: "127.0.0.1:0",
      store: { path: `${folder}/data`, state: `${folder}/state.db` },
      plugins: [{ use: "tcp" }, { use: "tracker_http" }],
      ...profile,
    },
    file: "profile",
    baseDir: folder,
    async resolvePlugin(request) {
      const found = await resolve(request);
      const version = versions[request.use];
      return typeof found === "string" || version === undefined ? found : { ...found, version };
    },
  });
}

/** Starts a runtime with data and state in `folder`. */
export async function start(host: Host, folder: string, profile: Record<string, unknown> = {}): Promise<Runtime> {
  await Deno.mkdir(`${folder}/data`, { recursive: true });
  return await startRuntime({ host, settings: await settings(host, folder, profile), version: "0", builtins });
}

/** A payload that is seeded. */
export interface SeededPayload {
  readonly torrent: Uint8Array;
  /** Where its seeds listen. */
  readonly peers: readonly string[];
  stop(): Promise<void>;
}

/** Makes a payload of `size` bytes, and seeds it from `count` runtimes in a process of their own. */
export async function seedPayload(folder: string, size: number, count: number): Promise<SeededPayload> {
  await writePayload(`${folder}/payload`, [{ path: "payload.bin", size }]);
  const pieces = new Uint8Array(Math.ceil(size / PIECE_LENGTH) * 20);
  const host = denoHost();
  for (let i = 0; i * PIECE_LENGTH < size; i++) {
    const range = { path: `${folder}/payload/payload.bin`, position: i * PIECE_LENGTH };
    const hash = await host.disk.digest("sha1", [{ ...range, length: Math.min(PIECE_LENGTH, size - range.position) }]);
    pieces.set(hash!, i * 20);
  }
  await host.close();
  const info = buildInfo({ name: "payload.bin", pieceLength: PIECE_LENGTH, pieces, length: size });
  const torrent = encodeMetainfo({ info, announce: [] });
  await Deno.writeFile(`${folder}/payload.torrent`, torrent);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.filename!, folder, `${count}`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const stop = async (): Promise<void> => {
    await child.stdin.close();
    await child.status;
  };
  const { value } = await child.stdout.getReader().read();
  return { torrent, peers: JSON.parse(new TextDecoder().decode(value)) as string[], stop };
}

/** In a process of its own: seeds the payload from `count` runtimes until its input ends. */
async function seed(folder: string, count: number): Promise<void> {
  const host = denoHost();
  const source = await Deno.readFile(`${folder}/payload.torrent`);
  const runtimes: Runtime[] = [];
  for (let i = 0; i < count; i++) {
    const runtime = await startRuntime({
      host,
      settings: {
        ...await settings(host, folder, {}),
        store: { path: `${folder}/payload`, state: `${folder}/seed-${i}.db` },
      },
      version: "0",
    });
    await runtime.add({ source, existing: "trust" });
    runtimes.push(runtime);
  }
  console.log(JSON.stringify(runtimes.flatMap((runtime) => runtime.snapshot().listening)));
  await Deno.stdin.read(new Uint8Array(1));
  for (const runtime of runtimes) await runtime.stop();
  await host.close();
}

/** Waits, in milliseconds. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

if (import.meta.main) {
  const [folder, count] = Deno.args;
  await seed(folder, Number(count));
  Deno.exit(0);
}
