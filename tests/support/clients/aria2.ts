import {
  type Client,
  type ClientRequest,
  commandMissing,
  launch,
  type LeechRequest,
  type RunningClient,
  type SeedRequest,
} from "./client.ts";

/** aria2 (`aria2c`). It takes peers from trackers only, and knows no pad files. */
export const aria2: Client = aria2With({});
/** aria2 with its DHT, which knows nobody: without it, aria2 has no UDP trackers. */
export const aria2WithUdp: Client = aria2With({ udp: true });

/** aria2 with options of its own besides those that tests use. */
export function aria2With(
  { udp = false, options = [] }: { readonly udp?: boolean; readonly options?: readonly string[] },
): Client {
  return {
    name: "aria2",
    knowsPadFiles: false,
    writesEmptyFiles: true,
    takesPeers: false,
    available: (): Promise<string | undefined> => commandMissing("aria2c", "--version"),
    seed: (request: SeedRequest): Promise<RunningClient> =>
      start("seed", request, request.data, [
        ...dhtOptions(request, udp),
        "--seed-ratio=0.0", // never stop
        "--allow-overwrite=true",
        ...(request.trusted ? ["--check-integrity=false", "--bt-seed-unverified=true"] : ["--check-integrity=true"]),
        ...(request.uploadLimit ? [`--max-overall-upload-limit=${request.uploadLimit}`] : []),
        ...options,
      ]),
    leech: (request: LeechRequest): Promise<RunningClient> =>
      start("leech", request, request.out, [...dhtOptions(request, udp), "--seed-time=0", ...options]),
  };
}

function dhtOptions({ scratch, port }: ClientRequest, udp: boolean): string[] {
  return udp
    ? ["--enable-dht=true", `--dht-listen-port=${port}`, `--dht-file-path=${scratch}/dht.dat`]
    : ["--enable-dht=false"];
}

// deno-lint-ignore require-await -- the interface is asynchronous for the clients that write settings first
async function start(
  role: "seed" | "leech",
  { torrent, site, port }: SeedRequest | LeechRequest,
  folder: string,
  more: string[],
): Promise<RunningClient> {
  const argv = [
    "aria2c",
    "--no-conf",
    "--bt-enable-lpd=false",
    "--enable-peer-exchange=false",
    "--console-log-level=notice",
    "--disk-cache=64M",
    "--file-allocation=none",
    "--summary-interval=0",
    `--dir=${folder}`,
    `--listen-port=${port}`,
    ...more,
    torrent,
  ];
  return launch({ site, port, role, argv });
}
