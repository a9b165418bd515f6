/**
 * A DHT of 1,000 nodes in one process and in simulated time, with loss, churn and hostile nodes; prints how lookups fare
 * and what they cost:
 * `deno task bench dht [nodes, default 1000] [seed]`.
 *
 * @module
 */
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { peerAddress } from "../../core/wire/mod.ts";
import { randomId } from "../../plugins/dht/node_id.ts";
import { RoutingTable } from "../../plugins/dht/routing_table.ts";
import { announced, DhtNetwork, growNetwork } from "../../plugins/dht/test_network.ts";

const PORT = 6881;

/** Figures of one run. */
export interface Outcome {
  /** Lookups that found the announced peer, and all. */
  readonly found: number;
  readonly lookups: number;
  readonly medianHops: number;
  readonly medianAsked: number;
  /** Milliseconds of simulated time. */
  readonly medianTime: number;
  /** Lookups per second of real time, the work of all nodes included. */
  readonly perSecond: number;
}

/** How to run. Shares are 0 to 1. */
export interface Run {
  readonly nodes: number;
  readonly hostile: number;
  readonly loss: number;
  /** The share of nodes that leave, and as many come, between announces and lookups. */
  readonly churn: number;
  readonly swarms: number;
  readonly lookups: number;
  readonly seed: number;
}

/** Grows a network, announces peers in it, lets nodes come and go, and looks the peers up. */
export function simulate(run: Run): Outcome & { network: DhtNetwork } {
  const random = new SeededRandom(run.seed);
  const network = growNetwork({ random, loss: run.loss }, run.nodes, Math.round(run.nodes * run.hostile));
  const announces = Array.from(
    { length: run.swarms },
    () => [network.pick(network.honest), randomId(random)] as const,
  );
  network.announce(announces, PORT);
  const swarms = announces.map(([node, infoHash]) => ({ infoHash, peer: announced(node, PORT) }));
  const goes = Math.round(run.nodes * run.churn);
  for (let i = 0; i < goes; i++) {
    network.remove(network.pick());
    network.add();
    network.run(300_000 / goes);
  }
  const wanted = Array.from({ length: run.lookups }, (_, i) => swarms[i % swarms.length]);
  const results = [];
  const began = performance.now();
  for (let i = 0; i < wanted.length; i += 50) {
    const batch = wanted.slice(i, i + 50);
    results.push(...network.lookups(batch.map(({ infoHash }) => [network.pick(network.honest), infoHash])));
  }
  const seconds = (performance.now() - began) / 1_000;
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
  return {
    found: results.filter(({ found }, i) => found.has(wanted[i].peer)).length,
    lookups: results.length,
    medianHops: median(results.map(({ hops }) => hops)),
    medianAsked: median(results.map(({ asked }) => asked)),
    medianTime: median(results.map(({ took }) => took)),
    perSecond: results.length / seconds,
    network,
  };
}

/** Bytes of heap for each 1,000 nodes known: what many tables have, by their number of nodes. */
export function memoryPerThousand(): number {
  const { gc } = globalThis as { gc?: () => void };
  const random = new SeededRandom(1);
  const measure = (): number => {
    gc?.();
    return Deno.memoryUsage().heapUsed;
  };
  const before = measure();
  const tables = Array.from({ length: 200 }, () => {
    const table = new RoutingTable(randomId(random), "off");
    for (let n = 0; n < 1_000; n++) {
      table.answered(0, { id: randomId(random), address: peerAddress(`20.${n >> 8}.${n & 255}.1`, 6881) });
    }
    return table;
  });
  const bytes = measure() - before;
  return 1_000 * bytes / tables.reduce((sum, { size }) => sum + size, 0);
}

if (import.meta.main) {
  const nodes = Number(Deno.args[0] ?? 1_000);
  const seed = Number(Deno.args[1] ?? 1);
  console.log("hostile  loss  churn    found   median hops  queries  time ms  lookups/s   seconds");
  let failed = false;
  for (const [hostile, least] of [[0, 99], [0.05, 99], [0.1, 95], [0.2, 80]]) {
    const began = performance.now();
    const run = { nodes, hostile, loss: 0.05, churn: 0.1, swarms: 40, lookups: 500, seed };
    const outcome = simulate(run);
    const share = 100 * outcome.found / outcome.lookups;
    failed ||= share < least;
    const figures = [`${hostile * 100} %`.padStart(7), "5 %".padStart(5), "10 %".padStart(6)];
    figures.push(`${share.toFixed(1)} %`.padStart(8), `${outcome.medianHops}`.padStart(13));
    figures.push(`${outcome.medianAsked}`.padStart(8), outcome.medianTime.toFixed(0).padStart(8));
    figures.push(outcome.perSecond.toFixed(0).padStart(10));
    console.log(figures.join(" "), ((performance.now() - began) / 1000).toFixed(1).padStart(9));
  }
  console.log(`${(memoryPerThousand() / 1024).toFixed(0)} KiB of memory for each 1,000 nodes known`);
  Deno.exit(failed ? 1 : 0);
}
