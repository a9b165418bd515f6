/**
 * Strangers who take places and do nothing with them: 20 and 200 addresses with ten silent sockets each, and five
 * addresses with fifteen sessions each that only keep alive. Honest peers must come in all the same, and a leech must
 * reach at once whom its user named.
 *
 * `deno task hostile places`
 *
 * @module
 */
import net from "node:net";
import { sleep } from "../bench/swarm.ts";
import { handshake, makeZeros, type Running, seedZeros, wantZeros, type Zeros } from "./victim.ts";

const HONEST = 30;
// How long an honest peer may wait for the answer to its handshake (ms).
const PATIENCE = 5_000;
const LEAST_SHARE = 0.8;

let numbers = 0;

/** A connection from `from` (an address of the loopback network) to `to`. */
function connect(from: string, to: string): net.Socket {
  const [host, port] = to.split(":");
  const socket = net.connect({ host, port: Number(port), localAddress: from });
  socket.on("error", () => {});
  return socket;
}

/** Connects over and over: silent, or with a handshake and keep-alives. Returns what ends it. */
function besiege(to: string, addresses: number, sockets: number, idle?: Zeros): () => void {
  const open = new Set<net.Socket>();
  let over = false;
  const hold = (from: string): void => {
    if (over) return;
    const socket = connect(from, to);
    open.add(socket);
    if (idle) socket.write(handshake(idle.infoHash, numbers++));
    const keepAlive = setInterval(() => idle && socket.write(new Uint8Array(4)), 5_000);
    socket.on("data", () => {});
    socket.on("close", () => {
      clearInterval(keepAlive);
      open.delete(socket);
      setTimeout(() => hold(from), 500 + 1_000 * (numbers++ % 7) / 7);
    });
  };
  for (let i = 0; i < addresses; i++) {
    for (let n = 0; n < sockets; n++) setTimeout(() => hold(`127.1.${i >> 6}.${1 + i % 64}`), 200 * n);
  }
  return () => {
    over = true;
    for (const socket of open) socket.destroy();
  };
}

/** How long an honest peer waits for a handshake's answer (ms); undefined where none comes in time. */
async function comesIn(i: number, to: string, { infoHash }: Zeros): Promise<number | undefined> {
  const socket = connect(`127.2.${i}.1`, to);
  const began = performance.now();
  socket.write(handshake(infoHash, numbers++));
  const came = await Promise.race([
    new Promise<boolean>((resolve) => {
      socket.once("data", () => resolve(true));
      socket.once("close", () => resolve(false));
    }),
    sleep(PATIENCE).then(() => false),
  ]);
  socket.destroy();
  return came ? performance.now() - began : undefined;
}

function check(what: string, fine: boolean): void {
  console.log(`${what}${fine ? "" : "  <- past its bound"}`);
  if (!fine) failed.push(what);
}

/** The seed's data stays, its state is another each time. */
function seedAnew(zeros: Zeros, run: string): Promise<Running> {
  return seedZeros(zeros, { store: { path: `${folder}/data`, state: `${folder}/${run}.db` } });
}

const failed: string[] = [];
const folder = await Deno.makeTempDir({ prefix: "weft-hostile-" });
try {
  const zeros = await makeZeros(folder, 2 ** 28);
  for (const addresses of [20, 200]) {
    await using seed = await seedAnew(zeros, `silent-${addresses}`);
    const end = besiege(seed.address, addresses, 10);
    await sleep(4_000);
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < HONEST; i++) waits.push(await comesIn(i, seed.address, zeros));
    end();
    const came = waits.filter((wait) => wait !== undefined);
    const longest = Math.max(0, ...came).toFixed(0);
    const text = `${addresses} addresses, silent: ${came.length} of ${HONEST} came in, the longest after ${longest} ms`;
    check(text, came.length >= HONEST * LEAST_SHARE);
  }
  {
    await using seed = await seedAnew(zeros, "idle");
    const end = besiege(seed.address, 5, 15, zeros);
    await sleep(8_000);
    const taken = seed.told.at(-1)!.connected;
    const wait = await comesIn(0, seed.address, zeros);
    end();
    check(
      `${taken} places taken by idle sessions: an honest one came in after ${wait?.toFixed(0)} ms`,
      wait !== undefined,
    );
  }
  {
    await using seed = await seedAnew(zeros, "named");
    await using leech = await wantZeros(zeros, { store: { path: `${folder}/want/data`, state: `${folder}/want.db` } });
    const end = besiege(leech.address, 5, 15, zeros);
    await sleep(8_000);
    const began = performance.now();
    await leech.name(seed.address);
    while (leech.told.at(-1)!.downloaded === 0 && performance.now() - began < 20_000) await sleep(50);
    const wait = performance.now() - began;
    end();
    check(
      `a leech full of them had the first blocks of the seed it was told after ${wait.toFixed(0)} ms`,
      wait < PATIENCE,
    );
  }
  if (failed.length > 0) throw new Error(`Past their bounds: ${failed.join("; ")}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(0);
