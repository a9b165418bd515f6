import {
  type Client,
  commandMissing,
  launch,
  type LeechRequest,
  type RunningClient,
  type SeedRequest,
} from "./client.ts";

/** Transmission (`transmission-cli`). It takes peers from trackers only, refuses loopback ones, and checks what it seeds.
 * (Not with `-v`: a second check cuts the first short, and when it sees itself at rest between the two, it ends.) */
export const transmission: Client = transmissionWith({});

/** Transmission with settings of its own `settings.json` over those that tests use: no discovery, no encryption. */
export function transmissionWith(settings: Readonly<Record<string, unknown>>): Client {
  return {
    name: "transmission",
    knowsPadFiles: false,
    writesEmptyFiles: false,
    takesPeers: false,
    available: (): Promise<string | undefined> => commandMissing("transmission-cli", "--version"),
    seed: async (request: SeedRequest): Promise<RunningClient> =>
      launch({ ...await prepare(request, request.data, settings, []), role: "seed" }),
    async leech(request: LeechRequest): Promise<RunningClient> {
      // It goes on seeding when it is done, but runs a script then.
      const script = `${request.scratch}/finished.sh`;
      const mark = `${request.scratch}/finished`;
      await Deno.writeTextFile(script, `#!/bin/sh\n: > '${mark}'\n`, { mode: 0o755 });
      return launch({
        ...await prepare(request, request.out, settings, ["-f", script]),
        role: "leech",
        complete: () => Deno.stat(mark).then(() => true, () => false),
      });
    },
  };
}

async function prepare(
  { torrent, site, port, scratch }: SeedRequest | LeechRequest,
  folder: string,
  own: Readonly<Record<string, unknown>>,
  more: string[],
): Promise<{ site: SeedRequest["site"]; port: number; argv: string[] }> {
  const settings = {
    "bind-address-ipv4": site.ip,
    "cache-size-mb": 64,
    "dht-enabled": false,
    "encryption": 0,
    "lpd-enabled": false,
    "peer-port": port,
    "pex-enabled": false,
    "port-forwarding-enabled": false,
    "rpc-enabled": false,
    "utp-enabled": false,
    ...own,
  };
  await Deno.writeTextFile(`${scratch}/settings.json`, JSON.stringify(settings));
  const argv = [
    "transmission-cli",
    "-g",
    scratch,
    "-w",
    folder,
    "-p",
    `${port}`,
    "-M",
    "-D",
    "-U",
    ...more,
    torrent,
  ];
  return { site, port, argv };
}
