/** One fetch of metadata under a seed, among whoever it brings together. For tests and `scripts/seeds.ts`. @module */
import { bytesEqual, InfoHash, sha1, sha256, type TorrentId, torrentId } from "weft";
import { createSimulation, type LinkOptions, SeededRandom, type Simulation } from "weft/testing";
import { MAX_METADATA, METADATA_PIECE } from "./codec.ts";
import { liar, someHabits } from "./test_liar.ts";
import { TestNode } from "./test_node.ts";

// Simulated ms. With somebody who has it and stays, metadata must come within the first ...
const LIMIT = 3_600_000;
// ... others are waited for so long at most.
const PATIENCE = 30_000;
// Peers vanish, and magnets are taken back, while it goes on.
const WITHIN = 3_000;
// The longest that anything is under way when all have left: the last answers of liars, and TCP's timeouts.
const DRAIN = 600_000;
const MOST_PEERS = 5;

// What all metadata and lies are made of: random bytes, made once.
const noise = new SeededRandom("metadata").bytes(512 * 1024);
const zeros = new Uint8Array(MAX_METADATA + 1);

/** How a seed ended. */
export interface SeedOutcome {
  /** Who brought it: somebody who has it and stays, or nobody who surely does. */
  readonly peers: "steadfast" | "doubtful";
  /** Every magnet got its metadata; else somebody took one back. */
  readonly whole: boolean;
  /** Simulated milliseconds until then. */
  readonly took: number;
}

/**
 * Has magnets fetch their metadata from peers who have it, fetch it themselves, lie, vanish or fall silent.
 *
 * @throws {Error} what is wrong: other metadata than the torrent's, an honest peer that is blamed, a fetch that waits for
 * ever though somebody has it, a failure of our own, or a timer, a stream or a request left
 */
export async function trySeed(seed: number): Promise<SeedOutcome> {
  using simulation = createSimulation({ seed });
  const random = new SeededRandom(`metadata ${seed}`);
  const info = noise.subarray(...someSpan(random));
  const id = someId(random, info);
  const weather = someWeather(random);
  if (weather) simulation.network.everywhere(weather);

  const magnets = [new TestNode(simulation, random, { name: "magnet", id })];
  const seeds: TestNode[] = [];
  const others: TestNode[] = [];
  for (let k = 1 + random.below(MOST_PEERS); k > 0; k--) {
    const kind = random.below(6);
    const name = `peer ${k}`;
    if (kind < 2) seeds.push(new TestNode(simulation, random, { name, id, metadata: info }));
    else if (kind === 2) magnets.push(new TestNode(simulation, random, { name, id }));
    else if (kind === 3) others.push(new TestNode(simulation, random, { name, id, metadata: forged(random, info) }));
    else others.push(someLiar(simulation, random, { name, id, info }));
  }
  const nodes = [...magnets, ...seeds, ...others];
  for (const node of nodes) void node.listen();
  const meet = (magnet: TestNode): void => {
    for (const node of nodes) if (node !== magnet) void magnet.dial(node);
  };
  await simulation.settle();
  for (const magnet of magnets) meet(magnet);
  // Whom a fault befalls doesn't have to end well, whom it spares does.
  const spared = new Set(nodes.filter((node) => random.below(4) > 0 || !befall(node)));
  const steadfast = seeds.some((node) => spared.has(node));
  const fetches = magnets.map((magnet) => fetchBy(magnet, steadfast && spared.has(magnet)));
  await simulation.complete(Promise.all(fetches), { limitMs: LIMIT }).catch((cause) => {
    throw new Error(`the metadata does not come: ${cause.message}`, { cause });
  });
  const took = simulation.now;

  // Whatever is under way is answered or given up, and nothing more is asked.
  await simulation.run(1_000);
  for (const node of [...magnets, ...seeds]) {
    const left = node.watched.open().filter((what) => /timer|turn/.test(what));
    if (left.length > 0) throw new Error(`${node.name} goes on when all is over: ${left.join(", ")}`);
  }
  for (const node of nodes) node.close();
  await simulation.runUntil(() => simulation.pendingTimers === 0, { limitMs: DRAIN });
  for (const node of nodes) check(node);
  return { peers: steadfast ? "steadfast" : "doubtful", whole: magnets.every(({ metadata }) => metadata), took };

  /** Asks until it comes, or until nobody wants it any more. Whoever learned it has it for others. */
  async function fetchBy(magnet: TestNode, must: boolean): Promise<void> {
    for (let asked = 0;; asked++) {
      const asking = new AbortController();
      const again = asked < 2 && random.below(4) === 0;
      const waits = again ? random.below(WITHIN) : must ? Infinity : random.below(PATIENCE);
      const timer = waits < Infinity ? simulation.clock.after(waits, () => asking.abort(new Aborted())) : undefined;
      try {
        const raw = await magnet.exchange.resolve(id, asking.signal);
        if (!bytesEqual(raw, info)) magnet.faults.push(`${magnet.name} got other bytes than were sent`);
        return magnet.learn(raw);
      } catch (error) {
        if (!(error instanceof Aborted)) throw error;
        if (!again) return;
        // At once when a plugin was reloaded, later when somebody thinks better of it.
        if (random.below(2) === 0) await sleep(random.below(WITHIN));
      } finally {
        timer?.cancel();
      }
    }
  }

  function sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void simulation.clock.after(milliseconds, resolve));
  }

  /** Something happens to a node. Answers whether it matters. */
  function befall(node: TestNode): boolean {
    const at = random.below(WITHIN);
    const fate = random.below(3);
    simulation.clock.after(at, () => {
      if (fate === 0) node.deaf = true;
      else node.leave();
    });
    if (fate !== 2) return true;
    // It comes back; those who had it before must find all of it there.
    simulation.clock.after(at + 1 + random.below(WITHIN), () => {
      if (magnets.includes(node)) meet(node);
      else for (const magnet of magnets) void magnet.dial(node);
    });
    return false;
  }

  function check(node: TestNode): void {
    const { faults, blamed, watched, exchange, sessions } = node;
    const honest = [...magnets, ...seeds];
    const wronged = honest.find(({ ip }) => blamed.has(ip));
    if (wronged && honest.includes(node)) {
      faults.push(`${node.name} blames ${wronged.name}, who is honest: ${blamed.get(wronged.ip)!.message}`);
    }
    const open = watched.open();
    if (open.length > 0) faults.push(`left open at ${node.name}: ${open.join(", ")}`);
    if (sessions.size > 0) faults.push(`${sessions.size} sessions left at ${node.name}`);
    if (exchange.pending > 0) faults.push(`${exchange.pending} fetches left at ${node.name}`);
    if (faults.length > 0) throw new Error(faults.join("; "));
  }
}

/** Nobody wants the metadata any more. */
class Aborted extends Error {}

function someSpan(random: SeededRandom): [start: number, end: number] {
  const pieces = random.below(40) === 0 ? 24 : 1 + random.below(4);
  const odd = random.below(3) === 0 ? random.below(2) : random.below(METADATA_PIECE);
  const size = Math.max(1, pieces * METADATA_PIECE - odd);
  const start = random.below(noise.length - size);
  return [start, start + size];
}

function someId(random: SeededRandom, info: Uint8Array): TorrentId {
  const kind = random.below(3);
  return torrentId({
    v1: kind === 0 ? undefined : InfoHash.from(sha1(info)),
    v2: kind === 1 ? undefined : sha256(info),
  });
}

/** A third of all seeds have a good network. */
function someWeather(random: SeededRandom): LinkOptions | undefined {
  if (random.below(3) === 0) return undefined;
  const share = (most: number): number => random.below(2) * random.below(100) / 100 * most;
  return {
    latency: random.below(150),
    jitter: random.below(2) * random.below(50),
    loss: share(0.08),
    reorder: share(0.3),
    duplicate: share(0.3),
    bandwidth: random.below(2) === 0 ? undefined : 1_500 * 2 ** random.below(8),
  };
}

function forged(random: SeededRandom, info: Uint8Array): Uint8Array {
  if (random.below(2) === 0) return info.slice(0, 1 + random.below(info.length));
  const lie = info.slice();
  lie[random.below(lie.length)] ^= 1;
  return lie;
}

function someLiar(
  simulation: Simulation,
  random: SeededRandom,
  { name, id, info }: { name: string; id: TorrentId; info: Uint8Array },
): TestNode {
  const sizes = [info.length, info.length, info.length + 1, 1 + random.below(1 << 20), zeros.length - random.below(3)];
  const says = (): Uint8Array => zeros.subarray(0, sizes[random.below(sizes.length)]);
  const extension = liar(someHabits(random), info, random);
  const node = new TestNode(simulation, random, { name, id, metadata: says(), extension });
  // Some change their minds.
  if (random.below(4) === 0) simulation.clock.after(random.below(WITHIN), () => node.learn(says()));
  return node;
}
