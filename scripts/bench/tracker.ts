/**
 * Measures tracker_server beside opentracker in the same run, on loopback: CPU for 1,000 announces and scrapes over
 * HTTP and UDP; then what a million peers take of its memory.
 *
 * `deno task bench tracker [--requests 10000] [--rounds 3] [--swarms 20] [--peers 1000000]`
 *
 * Each peer is a port of 127.0.0.1, and each HTTP request a connection of its own, as clients do it. Swarms are as full
 * as `--requests` and `--swarms` make them; an answer names 50 peers.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { percentEncode, toHex } from "../../core/wire/mod.ts";
import { Tracker } from "../../plugins/tracker_server/tracker.ts";
import { launch, type RunningClient } from "../../tests/support/clients/client.ts";
import { opentracker } from "../../tests/support/clients/opentracker.ts";
import type { Site } from "../../tests/support/netns.ts";
import { median } from "./report.ts";

const ip = "127.0.0.1";
const site: Site = { name: "loopback", ip, command: (argv) => [...argv] };
const project = new URL("../..", import.meta.url).pathname;
// Requests under way at once.
const LANES = 8;
// A lost datagram, or a server that hangs, ends the run instead of stopping it for good (ms).
const REPLY_TIMEOUT = 10_000;
// Linux counts the CPU time of a process in these (ms).
const TICK = 10;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    rounds: { type: "string", default: "3" },
    swarms: { type: "string", default: "20" },
    peers: { type: "string", default: "1000000" },
    // What a process of this script is to fill, so that nothing else is weighed with it.
    fill: { type: "string" },
  },
});
const requests = Number(values.requests);
const hashes = Array.from({ length: Number(values.swarms) }, (_, n) => numbered(n));

/** Sends request `n` and waits for its reply. */
type Ask = (n: number) => Promise<void>;

interface Load {
  readonly name: string;
  /** Makes one of the lanes. */
  open(port: number): Promise<Ask & Partial<Disposable>>;
}

const loads: readonly Load[] = [
  { name: "UDP announce", open: (port) => udpLane(port, announceDatagram) },
  { name: "UDP scrape", open: (port) => udpLane(port, (id, n) => request(id, 2, n, hashes[n % hashes.length])) },
  { name: "HTTP announce", open: (port) => Promise.resolve(httpLane(port, announcePath)) },
  {
    name: "HTTP scrape",
    open: (port) => Promise.resolve(httpLane(port, (n) => `/scrape?info_hash=${hashText(n)}`)),
  },
];

/** CPU milliseconds that a process used for 1,000 of these requests. */
async function measure(load: Load, pid: number, port: number): Promise<number> {
  const lanes = await Promise.all(Array.from({ length: LANES }, () => load.open(port)));
  const before = await cpuTime(pid);
  let next = 0;
  await Promise.all(lanes.map(async (ask) => {
    while (next < requests) await ask(next++);
  }));
  const used = await cpuTime(pid) - before;
  for (const lane of lanes) lane[Symbol.dispose]?.();
  return used / requests * 1_000;
}

async function cpuTime(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

function httpLane(port: number, path: (n: number) => string): Ask {
  const buffer = new Uint8Array(64 * 1024);
  return async (n) => {
    const connection = await Deno.connect({ hostname: ip, port });
    try {
      const text = `GET ${path(n)} HTTP/1.1\r\nHost: ${ip}:${port}\r\nConnection: close\r\n\r\n`;
      await connection.write(new TextEncoder().encode(text));
      let length = 0;
      let first = 0;
      for (let read; (read = await connection.read(buffer)) !== null; length += read) first ||= buffer[0];
      if (length < 50 || first !== 0x48) throw new Error(`Request ${n} got no answer`);
    } finally {
      connection.close();
    }
  };
}

async function udpLane(port: number, datagram: (id: Uint8Array, n: number) => Uint8Array): Promise<Ask & Disposable> {
  const socket = Deno.listenDatagram({ hostname: ip, port: 0, transport: "udp" });
  const to: Deno.NetAddr = { transport: "udp", hostname: ip, port };
  const exchange = async (bytes: Uint8Array): Promise<Uint8Array> => {
    await socket.send(bytes, to);
    const lost = setTimeout(() => socket.close(), REPLY_TIMEOUT);
    const [reply] = await socket.receive();
    clearTimeout(lost);
    if (reply[3] !== bytes[11]) throw new Error(`The tracker said ${new TextDecoder().decode(reply.subarray(8))}`);
    return reply;
  };
  const connect = request(Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80), 0, 1);
  const id = (await exchange(connect)).slice(8, 16);
  const ask = async (n: number): Promise<void> => void await exchange(datagram(id, n));
  return Object.assign(ask, { [Symbol.dispose]: () => socket.close() });
}

function request(id: Uint8Array, action: number, n: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(16 + rest.length);
  const view = new DataView(bytes.buffer);
  bytes.set(id);
  view.setUint32(8, action);
  view.setUint32(12, n);
  bytes.set(rest, 16);
  return bytes;
}

function announceDatagram(id: Uint8Array, n: number): Uint8Array {
  const rest = new Uint8Array(82);
  const view = new DataView(rest.buffer);
  rest.set(hashes[n % hashes.length]);
  rest.set(numbered(n), 20);
  view.setUint32(52, n % 3); // every third is a seed
  view.setInt32(76, 50);
  view.setUint16(80, portOf(n));
  return request(id, 1, n, rest);
}

function announcePath(n: number): string {
  const fields = `port=${portOf(n)}&uploaded=0&downloaded=0&left=${n % 3}&compact=1&numwant=50&key=1`;
  return `/announce?info_hash=${hashText(n)}&peer_id=${percentEncode(numbered(n))}&${fields}`;
}

function portOf(n: number): number {
  return 1 + n % 65_535;
}

function hashText(n: number): string {
  return percentEncode(hashes[n % hashes.length]);
}

/** 20 bytes that look like a hash. */
function numbered(n: number): Uint8Array {
  const bytes = new Uint8Array(20).fill(0xa5);
  new DataView(bytes.buffer).setUint32(0, Math.imul(n + 1, 0x9e3779b1));
  new DataView(bytes.buffer).setUint32(4, n);
  return bytes;
}

async function startWeft(port: number, scratch: string): Promise<RunningClient> {
  const settings = `{ listen: "${ip}:${port}", peers_per_address: 100000000, requests_per_second: 1000000 }`;
  await Deno.writeTextFile(
    `${scratch}/tracker.yaml`,
    `store: { path: ., state: ./weft.db }\nplugins: [{ use: tracker_server, with: ${settings} }]\n`,
  );
  const command = [Deno.execPath(), "run", "--allow-all", "--no-check", `${project}mod.ts`, "run"];
  return launch({ site, port, role: "seed", argv: [...command, `${scratch}/tracker.yaml`] });
}

async function compare(): Promise<void> {
  const missing = await opentracker.available();
  if (missing) console.error(`Without opentracker: ${missing}`);
  const scratch = await Deno.makeTempDir({ prefix: "weft-bench-" });
  await Deno.chmod(scratch, 0o755); // opentracker reads it as another user
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(scratch, { recursive: true }));
  const infoHashes = hashes.map((hash) => toHex(hash));
  const [weftPort, otherPort] = [freePort(), freePort()];
  const trackers = [{ name: "Weft", port: weftPort, running: stack.use(await startWeft(weftPort, scratch)) }];
  if (!missing) {
    const running = stack.use(await opentracker.start({ site, port: otherPort, scratch, infoHashes }));
    trackers.push({ name: "opentracker", port: otherPort, running });
  }
  for (const { running } of trackers) await running.ready;
  const costs = new Map(loads.map(({ name }) => [name, trackers.map((): number[] => [])]));
  // The first round fills swarms and warms up what compiles as it runs.
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const load of loads) {
      for (const [i, { port, running }] of trackers.entries()) {
        const cost = await measure(load, running.pid, port);
        if (round > 0) costs.get(load.name)![i].push(cost);
      }
    }
  }
  console.log(
    `CPU ms for 1,000 requests, medians of ${values.rounds} rounds of ${requests}, ${hashes.length} swarms\n`,
  );
  console.log(["", ...trackers.map(({ name }) => name)].map((name) => name.padEnd(14)).join(""));
  for (const [name, figures] of costs) {
    const row = figures.map((each) => median(each).toFixed(0));
    console.log([name, ...row].map((cell) => cell.padEnd(14)).join(""));
  }
}

/** Fills a tracker with peers, each in a process of its own, and says what that took of memory. */
async function weigh(peers: number): Promise<void> {
  console.log(`\nMemory of ${peers} peers\n`);
  for (const swarms of [1, peers / 1_000, peers / 10, peers].map(Math.ceil)) {
    const args = ["run", "--allow-all", "--no-check", "--config", `${project}deno.json`, import.meta.filename!];
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--peers", `${peers}`, "--fill", `${swarms}`],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    console.log(new TextDecoder().decode(stdout).trimEnd());
  }
}

function fill(peers: number, swarms: number): void {
  const random = {
    bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
    below: (bound: number) => Math.floor(Math.random() * bound),
  };
  const before = Deno.memoryUsage().rss;
  const tracker = new Tracker({
    interval: 1_800_000,
    minInterval: 60_000,
    maxPeers: peers,
    maxWanted: 200,
    peersPerAddress: peers,
    requestsPerSecond: 1_000_000,
  }, random);
  const announce = (n: number): void =>
    void tracker.announce(n / 1_000, {
      infoHash: numbered(n % swarms),
      peerId: numbered(n),
      ip: numbered(n).subarray(0, n % 4 === 0 ? 16 : 4),
      port: portOf(n),
      complete: n % 3 === 0,
      bothFamilies: true,
      ids: false,
      wanted: 50,
    });
  let began = performance.now();
  for (let n = 0; n < peers; n++) announce(n);
  const filled = (performance.now() - began) * 1_000 / peers;
  const bytes = Deno.memoryUsage().rss - before;
  began = performance.now();
  // As many newcomers again, each of whom takes the place of another peer.
  for (let n = peers; n < 2 * peers; n++) announce(n);
  const replaced = (performance.now() - began) * 1_000 / peers;
  const more = Deno.memoryUsage().rss - before - bytes;
  const { peers: kept, displaced } = tracker.statistics();
  if (kept > peers || displaced === 0) throw new Error(`${kept} peers, ${displaced} displaced`);
  console.log(
    `${String(swarms).padStart(8)} swarms: ${(bytes / 2 ** 20).toFixed(0)} MiB, ${
      (bytes / peers).toFixed(0)
    } bytes a ` +
      `peer, ${filled.toFixed(1)} us an announce; after as many newcomers ${(more / 2 ** 20).toFixed(0)} MiB more, ` +
      `${replaced.toFixed(1)} us`,
  );
}

function freePort(): number {
  const listener = Deno.listen({ hostname: ip, port: 0 });
  listener.close();
  return listener.addr.port;
}

if (import.meta.main) {
  if (values.fill !== undefined) {
    fill(Number(values.peers), Number(values.fill));
  } else {
    await compare();
    await weigh(Number(values.peers));
  }
}
