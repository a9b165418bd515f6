/** Machines on one switch, and the clients that a test starts there. */
import assert from "node:assert/strict";
import { below, makeTorrent, type Payload } from "./lab.ts";
import { type BridgedSite, type NetworkBridge, openNetworkBridge } from "./netns.ts";
import { payloadFaults } from "./payload.ts";

/** How long something may take to happen, in milliseconds; clients act on timers of up to some seconds. */
const patience = 60_000;
/** How far apart two looks at it are, in milliseconds. */
const pollInterval = 100;

/** A payload on disk and its torrent. */
export interface Shared {
  readonly payload: Payload;
  readonly torrent: string;
  readonly infoHash: string;
  /** The folder that holds what the torrent names. */
  readonly data: string;
}

/** A few machines on one switch, and a folder. Disposing ends what was started there, latest first. */
export class Neighbourhood implements AsyncDisposable {
  readonly #network: NetworkBridge;
  readonly #running = new AsyncDisposableStack();
  #folders = 0;

  private constructor(network: NetworkBridge, readonly root: string) {
    this.#network = network;
  }

  /** Opens one of `count` machines. */
  static async open(count: number): Promise<Neighbourhood> {
    const network = await openNetworkBridge(count);
    const root = await Deno.makeTempDir({ prefix: "weft-lab-" });
    await Deno.chmod(root, 0o755); // opentracker becomes "nobody", and reads its list then
    return new Neighbourhood(network, root);
  }

  /** The machines. */
  get sites(): readonly BridgedSite[] {
    return this.#network.sites;
  }

  /** Ends a client when the test ends. */
  async use<Client extends AsyncDisposable>(client: Client | Promise<Client>): Promise<Client> {
    return this.#running.use(await client);
  }

  /** A new, empty folder. */
  async folder(name: string): Promise<string> {
    const folder = `${this.root}/${this.#folders++}-${name}`;
    await Deno.mkdir(folder);
    return folder;
  }

  /** Writes a payload and makes its torrent. */
  async share(payload: Payload, trackers: readonly string[] = []): Promise<Shared> {
    const data = await this.folder("data");
    const torrent = `${data}.torrent`;
    const { infoHash } = await makeTorrent(payload, { data, torrent, trackers });
    return { payload, torrent, infoHash, data };
  }

  /** Whether all of a payload is in a folder, as far as `client` writes it. */
  async holds(folder: string, { payload }: Shared, client = { writesEmptyFiles: true }): Promise<boolean> {
    const files = below(payload).filter(({ size }) => size > 0 || client.writesEmptyFiles);
    return (await payloadFaults(folder, files)).length === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync();
    await this.#network[Symbol.asyncDispose]();
    await Deno.remove(this.root, { recursive: true });
  }
}

/** Looks until `fits` holds for what `look` gives, and gives that; what was seen last stands in the error. */
export async function eventually<Value>(
  what: string,
  look: () => Promise<Value>,
  fits: (value: Value) => boolean = Boolean,
  limit = patience,
): Promise<Value> {
  const end = performance.now() + limit;
  for (;;) {
    const value = await look();
    if (fits(value)) return value;
    if (performance.now() > end) {
      assert.fail(`${what} did not happen within ${limit} ms; now: ${JSON.stringify(value)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
  }
}
