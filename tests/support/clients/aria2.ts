import {
  type Client,
  commandMissing,
  launch,
  type LeechRequest,
  type RunningClient,
  type SeedRequest,
} from "./client.ts";

/** aria2 (`aria2c`). It takes peers from trackers only, and knows no pad files. */
export const aria2: Client = {
  name: "aria2",
  knowsPadFiles: false,
  writesEmptyFiles: true,
  takesPeers: false,
  available: (): Promise<string | undefined> => commandMissing("aria2c", "--version"),
  seed: (request: SeedRequest): Promise<RunningClient> =>
    start("seed", request, request.data, [
      "--seed-ratio=0.0", // never stop
      "--allow-overwrite=true",
      ...(request.trusted ? ["--check-integrity=false", "--bt-seed-unverified=true"] : ["--check-integrity=true"]),
      ...(request.uploadLimit ? [`--max-overall-upload-limit=${request.uploadLimit}`] : []),
    ]),
  leech: (request: LeechRequest): Promise<RunningClient> => start("leech", request, request.out, ["--seed-time=0"]),
};

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
    "--enable-dht=false",
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
