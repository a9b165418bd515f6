import assert from "node:assert/strict";
import type { Client, LeechRequest, RunningClient, SeedRequest } from "./clients/client.ts";
import { libtorrent, python } from "./clients/libtorrent.ts";
import { opentracker, type Tracker } from "./clients/opentracker.ts";
import { namespacesMissing, type NetworkPair, openNetworkPair, run, type Site } from "./netns.ts";
import { payloadFaults, type PayloadFile, writePayload } from "./payload.ts";

const trackerPort = 6969;
const seederPort = 6881;
const leecherPort = 6991;
/** How much of a client's log a failed test shows, in characters. */
const logTail = 2000;

/** What a torrent is made of. */
export interface Payload {
  /** The torrent's name: that of its folder, or of its only file. */
  readonly name: string;
  /** Paths are relative to the torrent's folder; a torrent of one file has one with the path `""`. */
  readonly files: readonly PayloadFile[];
  /** Bytes. */
  readonly pieceLength: number;
  readonly private?: boolean;
  /** Align files with pad files (BEP 47). */
  readonly pads?: boolean;
}

/** A payload on disk, its torrent, and the tracker that serves it. */
export interface Published {
  readonly payload: Payload;
  readonly torrent: string;
  readonly infoHash: string;
  /** The folder that holds what the torrent names. */
  readonly data: string;
  readonly pads: readonly PayloadFile[];
  readonly tracker: Tracker;
}

/** Writes a payload into the folder `data`, and makes the file `torrent` for it. */
export async function makeTorrent(
  payload: Payload,
  { data, torrent, trackers }: { data: string; torrent: string; trackers: readonly string[] },
): Promise<{ infoHash: string; pads: PayloadFile[] }> {
  await writePayload(data, below(payload));
  const { name, pieceLength, pads, private: isPrivate } = payload;
  const options = { path: `${data}/${name}`, out: torrent, pieceLength, pads, private: isPrivate, trackers };
  const maker = new URL("make_torrent.py", import.meta.url).pathname;
  const { code, stdout, stderr } = await run(python, maker, JSON.stringify(options));
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** A network of two ends and a folder, for one transfer: seeders stand at the left end, with the tracker, leechers at the right. */
export class Lab implements AsyncDisposable {
  readonly #network: NetworkPair;
  readonly #running: RunningClient[] = [];
  #folders = 0;

  private constructor(network: NetworkPair, readonly root: string) {
    this.#network = network;
  }

  /** Opens a lab below `parent` (the system's temporary folder if it isn't given). */
  static async open(parent?: string): Promise<Lab> {
    const root = await Deno.makeTempDir({ dir: parent, prefix: "weft-lab-" });
    await Deno.chmod(root, 0o755); // opentracker becomes "nobody", and reads its list then
    return new Lab(await openNetworkPair(), root);
  }

  /** A new, empty folder. */
  async folder(name: string): Promise<string> {
    const folder = `${this.root}/${this.#folders++}-${name}`;
    await Deno.mkdir(folder);
    return folder;
  }

  /** Writes a payload, makes its torrent and starts a tracker for it. */
  async publish(payload: Payload): Promise<Published> {
    const data = await this.folder("data");
    const torrent = `${this.root}/${payload.name}.torrent`;
    const trackers = [`http://${this.#network.left.ip}:${trackerPort}/announce`];
    const made = await makeTorrent(payload, { data, torrent, trackers });
    return { payload, torrent, data, tracker: await this.#track(made.infoHash), ...made };
  }

  /** Puts a new tracker in the place of the old one, which may still know peers that are gone. */
  async republish(published: Published): Promise<Published> {
    await published.tracker.stop();
    return { ...published, tracker: await this.#track(published.infoHash) };
  }

  async #track(infoHash: string): Promise<Tracker> {
    const scratch = await this.folder("tracker");
    const request = { site: this.#network.left, port: trackerPort, scratch, infoHashes: [infoHash] };
    const tracker = await opentracker.start(request);
    this.#running.push(tracker);
    return tracker;
  }

  /** Starts a seeder and waits until the tracker knows it. */
  async seed(client: Client, published: Published, more: Partial<SeedRequest> = {}): Promise<RunningClient> {
    const { torrent, data, tracker, infoHash, pads } = published;
    if (!client.knowsPadFiles) await writeZeros(data, pads);
    const scratch = more.scratch ?? await this.folder(client.name);
    const seeder = await client.seed({ torrent, data, site: this.#network.left, port: seederPort, scratch, ...more });
    this.#running.push(seeder);
    await seeder.ready;
    await Promise.race([
      tracker.untilPeers(infoHash, 1),
      seeder.done.then(() => Promise.reject(new Error(`${client.name} ended while it should seed:\n${seeder.log()}`))),
    ]);
    return seeder;
  }

  /** Starts a leecher. It finds the seeder through the tracker, or is told with `peer: lab.seeder`. */
  async leech(
    client: Client,
    published: Published,
    more: Partial<LeechRequest> & { out: string },
  ): Promise<RunningClient> {
    const scratch = more.scratch ?? await this.folder(client.name);
    const site = this.#network.right;
    const leecher = await client.leech({ torrent: published.torrent, site, port: leecherPort, scratch, ...more });
    this.#running.push(leecher);
    return leecher;
  }

  /** A magnet link to what is published, that says nothing but its name and the tracker. */
  magnet({ infoHash, payload }: Published): string {
    const tracker = `http://${this.#network.left.ip}:${trackerPort}/announce`;
    return `magnet:?xt=urn:btih:${infoHash}&dn=${encodeURIComponent(payload.name)}&tr=${encodeURIComponent(tracker)}`;
  }

  /** Where seeders stand. */
  get left(): Site {
    return this.#network.left;
  }

  /** Where leechers stand. */
  get right(): Site {
    return this.#network.right;
  }

  /** `IP:PORT` of the seeder. */
  get seeder(): string {
    return `${this.#network.left.ip}:${seederPort}`;
  }

  /** Has `client` download all that is published, and compares every file with the payload. */
  async download(client: Client, published: Published, more: Partial<LeechRequest> = {}): Promise<void> {
    const out = more.out ?? await this.folder("out");
    await this.completes(await this.leech(client, published, { ...more, out }));
    await this.verify(client, published, out);
  }

  /** Compares every file in `out` with the payload. */
  async verify(client: Client, published: Published, out: string): Promise<void> {
    const files = below(published.payload).filter(({ size }) => size > 0 || client.writesEmptyFiles);
    assert.deepEqual(await payloadFaults(out, files), []);
  }

  /** Waits until a leecher says that it has everything, `limit` milliseconds at most. */
  async completes(leecher: RunningClient, limit = 90_000): Promise<void> {
    const timer = setTimeout(() => leecher.stop(), limit);
    try {
      await leecher.done;
    } catch (cause) {
      const others = this.#running.filter((client) => client !== leecher).map((client) => client.log().slice(-logTail));
      throw new Error(`The download did not complete; the others said:\n${others.join("\n---\n")}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops every client, latest first, and removes network and folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#running.reverse()) await client.stop();
    await this.#network[Symbol.asyncDispose]();
    await Deno.remove(this.root, { recursive: true });
  }
}

/** What a lab test needs beyond the network. */
export interface Need {
  readonly name: string;
  available(): Promise<string | undefined>;
}

/** Declares a test of one or more cases, each with a lab of its own, as `clientTest` does. */
export async function labTest(
  name: string,
  needs: readonly Need[],
  cases: Readonly<Record<string, (lab: Lab) => Promise<void>>>,
): Promise<void> {
  await clientTest(name, [...needs, opentracker, libtorrent], Lab.open, cases);
}

/**
 * Declares a test of one or more cases, each in a place of its own that `open` makes, and all at the same time (clients
 * spend most of a small transfer waiting for their own timers). Where something it needs is missing, it is ignored and
 * its name says why, or it fails when `CI=true` or `WEFT_REQUIRE_CLIENTS=1`.
 */
export async function clientTest<Place extends AsyncDisposable>(
  name: string,
  needs: readonly Need[],
  open: () => Promise<Place>,
  cases: Readonly<Record<string, (place: Place) => Promise<void>>>,
): Promise<void> {
  const reasons = await Promise.all([namespacesMissing(), ...needs.map(missing)]);
  const reason = reasons.find((reason) => reason !== undefined);
  const required = Deno.env.get("CI") === "true" || Deno.env.get("WEFT_REQUIRE_CLIENTS") === "1";
  Deno.test({
    name: reason ? `${name} (cannot run here: ${reason})` : name,
    ignore: reason !== undefined && !required,
    async fn(test): Promise<void> {
      if (reason) throw new Error(`Cannot run here: ${reason}`);
      // Steps that overlap can't be told apart by the sanitizers; places end what they started.
      const steps = { sanitizeExit: false, sanitizeOps: false, sanitizeResources: false };
      await Promise.all(
        Object.entries(cases).map(([name, body]) =>
          test.step({
            ...steps,
            name,
            async fn(): Promise<void> {
              await using place = await open();
              await body(place);
            },
          })
        ),
      );
    },
  });
}

const asked = new Map<Need, Promise<string | undefined>>();

function missing(need: Need): Promise<string | undefined> {
  const answer = asked.get(need) ?? need.available();
  asked.set(need, answer);
  return answer;
}

/** The payload's files as paths below the folder that holds the torrent's own. */
export function below({ name, files }: Payload): PayloadFile[] {
  return files.map(({ path, size }) => ({ path: path ? `${name}/${path}` : name, size }));
}

async function writeZeros(data: string, pads: readonly PayloadFile[]): Promise<void> {
  for (const { path, size } of pads) {
    const target = `${data}/${path}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(target, new Uint8Array(size));
  }
}
