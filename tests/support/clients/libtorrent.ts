import {
  besideAdapters,
  type Client,
  launch,
  type LeechRequest,
  type RunningClient,
  type SeedRequest,
} from "./client.ts";
import { run, type Site } from "../netns.ts";
import { Steered } from "./steered.ts";

/** The distribution's own Python: the one that its libtorrent package is for. */
export const python = "/usr/bin/python3";

/** What libtorrent counted. Times are in seconds since 1970, `null` before the first byte. */
export interface LibtorrentStats {
  /** Payload bytes: uploaded by a seeder, downloaded by a leecher. */
  readonly bytes: number;
  readonly first: number | null;
  readonly last: number | null;
  /** The kinds of connections that it saw carry payload; the words are those of Weft's snapshot. */
  readonly connections: readonly { readonly transport: string; readonly encryption: string }[];
}

/** libtorrent-rasterbar through its Python bindings: the reference that others are compared with. TCP only. */
export const libtorrent: Client = libtorrentWith({});

/** libtorrent with settings of its own `settings_pack` over those that tests use: no discovery, no encryption. */
export function libtorrentWith(settings: Readonly<Record<string, unknown>>): Client {
  return {
    name: "libtorrent",
    knowsPadFiles: true,
    writesEmptyFiles: true,
    takesPeers: true,
    async available(): Promise<string | undefined> {
      const works = await run(python, "-c", "import libtorrent").then(({ code }) => code === 0, () => false);
      return works ? undefined : "python3-libtorrent is not installed";
    },
    seed: (request: SeedRequest): Promise<RunningClient> =>
      start("seed", request, { folder: request.data, uploadLimit: request.uploadLimit, settings }),
    leech: (request: LeechRequest): Promise<RunningClient> =>
      start("leech", request, { folder: request.out, peer: request.peer, settings }),
  };
}

/** Reads the counters of the libtorrent that runs (or ran) with this scratch folder. */
export async function libtorrentStats(scratch: string): Promise<LibtorrentStats> {
  return JSON.parse(await Deno.readTextFile(`${scratch}/stats.json`));
}

// deno-lint-ignore require-await -- the interface is asynchronous for the clients that write settings first
async function start(
  role: "seed" | "leech",
  { torrent, site, port, scratch }: SeedRequest | LeechRequest,
  more: { folder: string; peer?: string; uploadLimit?: number; settings: Readonly<Record<string, unknown>> },
): Promise<RunningClient> {
  const options = { role, torrent, ip: site.ip, port, stats: `${scratch}/stats.json`, ...more };
  return launch({ site, port, role, argv: [python, besideAdapters("libtorrent_peer.py"), JSON.stringify(options)] });
}

/** What `libtorrentNodes` needs. */
export interface NodesRequest {
  /** One `listen_interfaces` for each session. */
  readonly listen: readonly string[];
  /** Settings of every session, over those that suit a small network without discovery. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Without PEX and the other extensions that are plugins of libtorrent. */
  readonly plain?: boolean;
}

/** What a session that is asked for its `status` says of its torrent. */
export interface TorrentStatus {
  readonly seeding: boolean;
  /** From 0 to 1. */
  readonly progress: number;
  /** Whom local discovery found, `IP:PORT`. */
  readonly neighbours: readonly string[];
  /** Those it is connected to, `IP:PORT` without brackets, and who named them: `tracker`, `dht`, `pex`, `lsd`. */
  readonly peers: readonly { readonly address: string; readonly client: string; readonly sources: readonly string[] }[];
}

/** Several libtorrent sessions in one process, steered; `libtorrent_nodes.py` says what they can be asked. */
export async function libtorrentNodes(site: Site, request: NodesRequest): Promise<Steered> {
  const nodes = new Steered(site, [python, besideAdapters("libtorrent_nodes.py"), JSON.stringify(request)]);
  await nodes.ready;
  return nodes;
}
