/**
 * A DHT of 1,000 nodes in one process and in simulated time, with loss, churn and hostile nodes; prints how lookups fare
 * and what they cost: `deno run --allow-read=. scripts/dht_sim.ts [nodes, default 1000] [seed]`.
 *
 * @module
 */
import { SeededRandom } from "../core/host/memory/mod.ts";
import { randomId } from "../plugins/dht/node_id.ts";
import { announced, DhtNetwork, growNetwork } from "../plugins/dht/test_network.ts";

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
  for (let i = 0; i < wanted.length; i += 50) {
    const batch = wanted.slice(i, i + 50);
    results.push(...network.lookups(batch.map(({ infoHash }) => [network.pick(network.honest), infoHash])));
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
  return {
    found: results.filter(({ found }, i) => found.has(wanted[i].peer)).length,
    lookups: results.length,
    medianHops: median(results.map(({ hops }) => hops)),
    medianAsked: median(results.map(({ asked }) => asked)),
    medianTime: median(results.map(({ took }) => took)),
    network,
  };
}

if (import.meta.main) {
  const nodes = Number(Deno.args[0] ?? 1_000);
  const seed = Number(Deno.args[1] ?? 1);
  console.log("hostile  loss  churn    found   median hops  queries  time ms   seconds");
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
    console.log(figures.join(" "), ((performance.now() - began) / 1000).toFixed(1).padStart(9));
  }
  Deno.exit(failed ? 1 : 0);
}
