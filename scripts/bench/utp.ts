/**
 * Measures two uTP endpoints, each in a process of its own, between two network namespaces: bytes per second, and what
 * both sides spend.
 *
 * `deno task bench utp [--size "1 GiB"] [--runs 3]` (as root)
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { denoHost } from "../../core/host/deno/mod.ts";
import { SharedUdp } from "../../core/net/mod.ts";
import { parseSize, peerAddress } from "../../core/api/mod.ts";
import { Endpoint } from "../../plugins/utp/endpoint.ts";
import { FIRST_BYTES } from "../../plugins/utp/packet.ts";
import { openNetworkPair, type Site } from "../../tests/support/netns.ts";

const PORT = 6881;
// As much as a peer session reads and writes at once.
const CHUNK = 64 * 1024;

async function endpoint(ip: string): Promise<Endpoint> {
  const { clock, random, net } = denoHost();
  const shared = new SharedUdp({
    net,
    turn: () => clock.turn(),
    failed: console.error,
    lost: console.error,
  });
  const udp = shared.for({ name: "utp", live: true, seesPrivate: true, failed: console.error }, {
    with: () => ({ check: () => undefined }),
  });
  const made = new Endpoint({
    clock,
    random,
    udp,
    local: () => peerAddress(ip, PORT),
    hold: () => ({ [Symbol.dispose]() {} }),
  });
  udp.claim(FIRST_BYTES, (bytes, from) => made.take(bytes, from));
  (await shared.stage([{ ip, port: PORT }])).commit();
  return made;
}

async function receive(ip: string): Promise<void> {
  const own = await endpoint(ip);
  const stream = await new Promise<Parameters<Parameters<Endpoint["listen"]>[0]>[0]>((resolve) => {
    own.listen(resolve);
    console.log("listening");
  });
  const into = new Uint8Array(CHUNK);
  let [total, reads] = [0, 0];
  const before = process.cpuUsage();
  const began = performance.now();
  for (let got = await stream.read(into); got > 0; got = await stream.read(into)) {
    total += got;
    reads++;
  }
  report("receives", total, performance.now() - began, before, { reads });
  await stream.closeWrite();
  await new Promise((resolve) => setTimeout(resolve, 200));
  Deno.exit();
}

async function send(ip: string, to: string, size: number): Promise<void> {
  const own = await endpoint(ip);
  const stream = await own.dial(peerAddress(to, PORT), new AbortController().signal);
  const chunk = new Uint8Array(CHUNK).map((_, i) => i);
  const before = process.cpuUsage();
  const began = performance.now();
  for (let sent = 0; sent < size; sent += CHUNK) await stream.write(chunk);
  await stream.closeWrite();
  await stream.read(new Uint8Array(1));
  report("sends", size, performance.now() - began, before, {});
  Deno.exit();
}

function report(
  what: string,
  total: number,
  ms: number,
  before: ReturnType<typeof process.cpuUsage>,
  more: Record<string, number>,
): void {
  const after = process.cpuUsage();
  const cpu = (after.user + after.system - before.user - before.system) / 1e6;
  const gib = total / 2 ** 30;
  const extra = Object.entries(more).map(([name, value]) => `, ${name} ${value}`).join("");
  console.log(`${what} ${(total / 1e3 / ms).toFixed(1)} MB/s, ${(cpu / gib).toFixed(2)} CPU s/GiB${extra}`);
}

function start(site: Site, ...args: string[]): Deno.ChildProcess {
  const [command, ...rest] = site.command([Deno.execPath(), "run", "-A", "--no-check", import.meta.filename!, ...args]);
  return new Deno.Command(command, { args: rest, stdout: "piped", stderr: "inherit" }).spawn();
}

async function bench(size: number, runs: number): Promise<void> {
  await using pair = await openNetworkPair();
  for (let run = 0; run < runs; run++) {
    const receiver = start(pair.right, "receive", pair.right.ip);
    const lines = receiver.stdout.pipeThrough(new TextDecoderStream());
    const reader = lines.getReader();
    await reader.read(); // it listens
    const sender = start(pair.left, "send", pair.left.ip, pair.right.ip, `${size}`);
    const said = await new Response(sender.stdout).text();
    const { value } = await reader.read();
    console.log(`${said}${value ?? ""}`);
    await reader.cancel();
    await Promise.all([sender.status, receiver.status]);
  }
}

const { values, positionals: [role, ip, to, size] } = parseArgs({
  allowPositionals: true,
  options: { size: { type: "string", default: "1 GiB" }, runs: { type: "string", default: "3" } },
});
if (role === "receive") await receive(ip);
else if (role === "send") await send(ip, to, Number(size));
else await bench(parseSize(values.size), Number(values.runs));
