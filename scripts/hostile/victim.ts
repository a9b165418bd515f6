/**
 * What attacks share: a Weft in a process of its own, which tells how it fares, and an honest peer in another one.
 *
 * @module
 */
import { StallProbe } from "../../core/cli/stall_probe.ts";
import { denoHost } from "../../core/host/deno/mod.ts";
import { BLOCK_SIZE } from "../../core/swarm/pieces/blocks.ts";
import {
  buildInfo,
  encodeHandshake,
  encodeMetainfo,
  HANDSHAKE_LENGTH,
  InfoHash,
  MessageDecoder,
  type MessageSink,
  MessageWriter,
  parseMetainfo,
  sha1,
} from "../../core/wire/mod.ts";
import { start } from "../bench/swarm.ts";

const PIECE_LENGTH = 1 << 20;
// How often a process tells how it fares (ms).
const TOLD_EVERY = 250;

/** One line of a process. Bytes and milliseconds since it began. */
export interface Told {
  readonly at: number;
  readonly downloaded: number;
  readonly uploaded: number;
  readonly connected: number;
  /** The longest stall of its main thread since the line before. */
  readonly stall: number;
}

/** A process that runs until it is stopped. */
export interface Running extends AsyncDisposable {
  /** What it said first. */
  readonly address: string;
  readonly told: readonly Told[];
  /** Names a peer to it, as its user would. */
  name(address: string): Promise<void>;
}

/** A torrent of zeros, and where they are: a sparse file, so that its size costs nothing. */
export interface Zeros {
  readonly torrent: Uint8Array;
  readonly infoHash: Uint8Array;
  readonly pieceCount: number;
  readonly folder: string;
}

/** Makes a torrent of `size` bytes, a multiple of 1 MiB. */
export async function makeZeros(folder: string, size: number): Promise<Zeros> {
  await Deno.mkdir(`${folder}/data`, { recursive: true });
  using file = await Deno.create(`${folder}/data/zeros`);
  await file.truncate(size);
  const hash = sha1(new Uint8Array(PIECE_LENGTH));
  const pieceCount = size / PIECE_LENGTH;
  const pieces = new Uint8Array(pieceCount * hash.length);
  for (let i = 0; i < pieceCount; i++) pieces.set(hash, i * hash.length);
  const torrent = encodeMetainfo({
    info: buildInfo({ name: "zeros", pieceLength: PIECE_LENGTH, pieces, length: size }),
    announce: [],
  });
  await Deno.writeFile(`${folder}/zeros.torrent`, torrent);
  return { torrent, infoHash: parseMetainfo(torrent).info.id.wireIds[0].bytes, pieceCount, folder };
}

/** Starts a Weft that seeds the zeros, with this profile over the defaults of benchmarks. */
export function seedZeros({ folder }: Zeros, profile: Record<string, unknown>): Promise<Running> {
  return spawn(["seed", folder, JSON.stringify(profile)]);
}

/** Starts a Weft that has nothing of the zeros; `name` a peer to it by a line. */
export function wantZeros({ folder }: Zeros, profile: Record<string, unknown>): Promise<Running> {
  return spawn(["want", folder, JSON.stringify(profile)]);
}

/** Starts an honest peer that takes up to `rate` bytes a second. */
export function takeZeros({ infoHash, pieceCount }: Zeros, address: string, rate: number): Promise<Running> {
  return spawn(["take", infoHash.toHex(), `${pieceCount}`, address, `${rate}`]);
}

/** A raw connection that has shaken hands and reads what comes; `heard` counts its bytes. */
export class RawPeer {
  readonly writer: MessageWriter = new MessageWriter();
  heard = 0;
  closed = false;
  readonly #conn: Deno.Conn;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  static async join(address: string, infoHash: Uint8Array, number: number): Promise<RawPeer> {
    const [hostname, port] = address.split(":");
    const peer = new RawPeer(await Deno.connect({ hostname, port: Number(port) }));
    await peer.#conn.write(handshake(infoHash, number));
    void peer.#read();
    return peer;
  }

  /** Sends what the writer holds. */
  async flush(): Promise<void> {
    const bytes = this.writer.take().slice();
    this.writer.reset();
    await this.send(bytes);
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.closed;) {
      at += await this.#conn.write(bytes.subarray(at)).catch(() => {
        this.closed = true;
        return 0;
      });
    }
  }

  close(): void {
    this.closed = true;
    try {
      this.#conn.close();
    } catch { /* it was closed by the other side */ }
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (let got: number | null = 1; got;) {
      got = await this.#conn.read(buffer).catch(() => null);
      this.heard += got ?? 0;
    }
    this.closed = true;
  }
}

/** The rate of `field` over what was told since `from` (index), in bytes a second. */
export function rateSince(told: readonly Told[], from: number, field: "downloaded" | "uploaded"): number {
  const [first, last] = [told[from], told.at(-1)!];
  return (last[field] - first[field]) / (last.at - first.at) * 1_000;
}

export function worstStall(told: readonly Told[], from: number): number {
  return Math.max(...told.slice(from + 1).map(({ stall }) => stall));
}

/** A handshake whose peer id has this number in it. */
export function handshake(infoHash: Uint8Array, number: number): Uint8Array {
  return encodeHandshake({
    infoHash: InfoHash.from(infoHash),
    peerId: new TextEncoder().encode(`-XX0001-${number}`.padEnd(20, "-")),
    reserved: { extended: true, fast: true, dht: true },
  });
}

async function spawn(args: readonly string[]): Promise<Running> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.filename!, ...args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const told: Told[] = [];
  const began = Promise.withResolvers<string>();
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith("{")) told.push(JSON.parse(line));
        else began.resolve(line);
      }
    }
    began.reject(new Error(`${args[0]} ended before it began`));
  })();
  const address = await began.promise;
  return {
    address,
    told,
    async name(address) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(`${address}\n`));
      writer.releaseLock();
    },
    async [Symbol.asyncDispose]() {
      await child.stdin.close().catch(() => {});
      await child.status;
      await reading.catch(() => {});
    },
  };
}

/** Tells what `sums` says until the input ends. */
async function tell(
  sums: () => Omit<Told, "at" | "stall">,
  named: (address: string) => void = () => {},
): Promise<void> {
  const host = denoHost();
  let probe = new StallProbe(host.clock);
  probe.begin();
  const timer = setInterval(() => {
    const stall = probe.stop();
    probe = new StallProbe(host.clock);
    probe.begin();
    console.log(JSON.stringify({ at: performance.now(), ...sums(), stall }));
  }, TOLD_EVERY);
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) named(text.trim());
  clearInterval(timer);
}

/** In a process of its own: a Weft that seeds, or has nothing yet. */
async function weft(role: "seed" | "want", folder: string, profile: string): Promise<void> {
  const host = denoHost();
  const runtime = await start(host, role === "seed" ? folder : `${folder}/want`, JSON.parse(profile));
  const existing = role === "seed" ? "trust" : "resume";
  const { id } = await runtime.add({ source: await Deno.readFile(`${folder}/zeros.torrent`), existing });
  const begun = role === "seed" ? "seeding" : "downloading";
  while (runtime.swarm(id).state !== begun) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(runtime.snapshot().listening[0]);
  await tell(() => {
    const { downloaded, uploaded, connected } = runtime.swarm(id);
    return { downloaded, uploaded, connected };
  }, (address) => void runtime.addPeers(id, [address]));
  await runtime.stop();
  await host.close();
}

/** In a process of its own: an honest peer that asks for one block after another. */
async function take(infoHash: string, pieceCount: string, address: string, rate: string): Promise<void> {
  const [hostname, port] = address.split(":");
  const conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(handshake(Uint8Array.fromHex(infoHash), 999));
  for (let left = HANDSHAKE_LENGTH; left > 0;) left -= await conn.read(new Uint8Array(left)) ?? left;
  const DEPTH = 256;
  let [asked, downloaded, choking] = [0, 0, true];
  const began = performance.now();
  const nothing = (): void => {};
  const sink: MessageSink = {
    ...{ keepAlive: nothing, interested: nothing, notInterested: nothing, have: nothing, bitfield: nothing },
    ...{ request: nothing, block: nothing, blockEnd: nothing, cancel: nothing, port: nothing, suggest: nothing },
    ...{ haveAll: nothing, haveNone: nothing, reject: nothing, allowedFast: nothing, extended: nothing },
    choke: () => void (choking = true),
    unchoke: () => void (choking = false),
    payload: (view) => void (downloaded += view.length),
  };
  const decoder = new MessageDecoder(sink, { maxFrame: 1 << 20, maxBitfield: 1 << 20, maxExtended: 1 << 20 });
  const writer = new MessageWriter();
  const ask = async (): Promise<void> => {
    const allowed = Number(rate) * (performance.now() - began) / 1_000;
    while (!choking && asked * BLOCK_SIZE - downloaded < DEPTH * BLOCK_SIZE && asked * BLOCK_SIZE < allowed) {
      const blocks = PIECE_LENGTH / BLOCK_SIZE;
      writer.request(Math.floor(asked / blocks) % Number(pieceCount), asked++ % blocks * BLOCK_SIZE, BLOCK_SIZE);
    }
    const bytes = writer.take().slice();
    writer.reset();
    if (bytes.length > 0) await conn.write(bytes);
  };
  writer.interested();
  await ask();
  const pacing = setInterval(() => void ask().catch(nothing), 10);
  const reading = (async () => {
    const buffer = new Uint8Array(256 * 1024);
    for (let got: number | null; (got = await conn.read(buffer));) decoder.push(buffer.subarray(0, got));
  })().catch(nothing);
  console.log("asks");
  await tell(() => ({ downloaded, uploaded: 0, connected: 1 }));
  clearInterval(pacing);
  conn.close();
  await reading;
}

if (import.meta.main) {
  const [role, ...args] = Deno.args as [string, string, string, string, string];
  await (role === "take" ? take(...args as [string, string, string, string]) : weft(role as "seed", args[0], args[1]));
  Deno.exit(0);
}
