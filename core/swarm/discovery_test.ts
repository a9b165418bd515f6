import assert from "node:assert/strict";
import { admitPeers, discoverPeers, type PeerCandidate } from "../api/mod.ts";
import { HookTable, registerHandler } from "../bus/mod.ts";
import { testOwner } from "../bus/test_owner.ts";
import { createSimulation, type Simulation } from "../host/memory/mod.ts";
import { InfoHash, peerAddress, torrentId } from "../wire/mod.ts";
import { Discovery } from "./discovery.ts";
import { testKernel } from "./test_kernel.ts";

const id = torrentId({ v1: InfoHash.parse("ab".repeat(20)) });
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

type Source = (signal: AbortSignal, round: number) => AsyncGenerator<PeerCandidate, { again?: number } | void>;

/** A discovery with sources by name; `rounds` has the time of each round, `admitted` each batch. */
function bench(sources: Record<string, Source>, wanted: () => number = () => 10): {
  readonly simulation: Simulation;
  readonly discovery: Discovery;
  readonly rounds: number[];
  readonly admitted: [source: string, count: number, at: number][];
  renew(name: string, source: Source): void;
  /** Has a filter, anew, or none. */
  filter(answer: boolean | undefined): void;
} {
  const simulation = createSimulation({ seed: 1 });
  const rounds: number[] = [];
  const admitted: [string, number, number][] = [];
  const first = Object.keys(sources)[0];
  const registrations = Object.entries(sources).map(([name, source]) =>
    registerHandler(testOwner(name), discoverPeers, (request, signal) => {
      if (name === first) rounds.push(simulation.now);
      assert.ok(request.wanted > 0);
      return source(signal, rounds.length);
    })
  );
  const kernel = testKernel(simulation.host("me"), { registrations });
  const discovery = new Discovery(kernel, {
    id,
    wanted,
    admit: (source, candidates) => {
      admitted.push([source, candidates.length, simulation.now]);
      return Promise.resolve(candidates.length);
    },
  });
  /** Has another source beside those that there are, or in the place of its namesake. */
  const renew = (name: string, source: Source): void => {
    const fresh = registerHandler(testOwner(name), discoverPeers, (_, signal) => source(signal, 0));
    const others = kernel.bus.table.entries.filter(({ plugin }) => plugin !== name);
    kernel.bus.swap(HookTable.build([...others, fresh], kernel.bus.table.generation + 1));
    discovery.renew();
  };
  const filter = (answer: boolean | undefined): void => {
    const others = kernel.bus.table.entries.filter(({ plugin }) => plugin !== "filter");
    const filters = answer === undefined
      ? []
      : [registerHandler(testOwner("filter"), admitPeers, ({ addresses }) => addresses.map(() => answer))];
    kernel.bus.swap(HookTable.build([...others, ...filters], kernel.bus.table.generation + 1));
    discovery.renew();
  };
  return { simulation, discovery, rounds, admitted, renew, filter };
}

/** Yields `count` peers at once. */
const yields = (count: number, again?: number): Source =>
  async function* () {
    await Promise.resolve();
    for (let i = 0; i < count; i++) yield { address: peerAddress("30.0.0.1", 1 + i) };
    return { again };
  };

Deno.test("a round that brings peers is repeated after half a minute, one that doesn't later and later", async () => {
  const some = bench({ some: yields(3) });
  some.discovery.start();
  await some.simulation.run(95 * SECOND);
  assert.deepEqual(some.rounds, [0, 30, 60, 90].map((at) => at * SECOND));
  const none = bench({ none: yields(0) });
  none.discovery.start();
  await none.simulation.run(120 * MINUTE);
  const gaps = none.rounds.slice(1).map((at, i) => (at - none.rounds[i]) / MINUTE);
  assert.deepEqual(gaps.slice(0, 6), [1, 2, 4, 8, 15, 15]);
});

Deno.test("a source says when it wants to be asked again, within reason", async () => {
  for (const [again, every] of [[0, 5 * SECOND], [10 * MINUTE, 10 * MINUTE], [Infinity, 24 * 60 * MINUTE]]) {
    const { simulation, discovery, rounds } = bench({ source: yields(1, again) });
    discovery.start();
    await simulation.run(every + SECOND);
    assert.deepEqual(rounds, [0, every]);
    discovery.stop();
  }
});

Deno.test("a source whose answer is long is asked again when it wants, counted from when it was asked", async () => {
  const { simulation, discovery, rounds } = bench({
    long: async function* (signal) {
      yield { address: peerAddress("30.0.0.1", 1) };
      await new Promise<void>((resolve) => {
        const timer = simulation.clock.after(20 * SECOND, resolve);
        signal.addEventListener("abort", () => (timer.cancel(), resolve()), { once: true });
      });
      return { again: 5 * SECOND };
    },
    short: yields(1, 30 * SECOND),
  });
  discovery.start();
  await simulation.run(61 * SECOND);
  discovery.stop();
  assert.deepEqual(rounds, [0, 20, 40, 60].map((at) => at * SECOND));
});

Deno.test("each source is asked when it wants, however eager another is", async () => {
  const asked: string[] = [];
  const source = (name: string, again: number): Source =>
    async function* (signal, round) {
      asked.push(name);
      return yield* yields(1, again)(signal, round);
    };
  const { simulation, discovery } = bench({ eager: source("eager", 10 * SECOND), calm: source("calm", 40 * SECOND) });
  discovery.start();
  await simulation.run(41 * SECOND);
  assert.deepEqual(asked, ["eager", "calm", "eager", "eager", "eager", "eager", "calm"]);
});

Deno.test("nobody is asked while no peers are wanted", async () => {
  let wanted = 0;
  const { simulation, discovery, rounds } = bench({ source: yields(1) }, () => wanted);
  discovery.start();
  await simulation.run(5 * MINUTE);
  assert.deepEqual(rounds, []);
  wanted = 5;
  await simulation.run(MINUTE);
  assert.ok(rounds.length > 0);
});

Deno.test("candidates are admitted in batches, by source, and soon", async () => {
  const slow: Source = async function* () {
    yield { address: peerAddress("30.0.0.2", 1) };
    await new Promise(() => {});
  };
  const { simulation, discovery, admitted } = bench({ many: yields(120), slow });
  discovery.start();
  await simulation.run(SECOND);
  assert.deepEqual(admitted.map(([source, count]) => `${source} ${count}`).sort(), [
    "many 20",
    "many 50",
    "many 50",
    "slow 1",
  ]);
  assert.ok(admitted.every(([, , at]) => at <= 100), "a slow source held up what another brought");
});

Deno.test("stop() ends the round, and starting again begins one; starting twice does not", async () => {
  let aborted = 0;
  const waits: Source = async function* (signal) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    aborted++;
    yield { address: peerAddress("30.0.0.2", 1) };
  };
  const { simulation, discovery, rounds, admitted } = bench({ waits });
  discovery.start();
  discovery.start();
  await simulation.run(SECOND);
  discovery.stop();
  await simulation.run(SECOND);
  assert.deepEqual([rounds.length, aborted, admitted.length], [1, 1, 0]);
  assert.equal(simulation.pendingTimers, 0);
  discovery.start();
  await simulation.run(SECOND);
  assert.equal(rounds.length, 2);
  discovery.stop();
});

Deno.test("a source that came with a reload is asked soon, and the others when they want", async () => {
  const { simulation, discovery, rounds, renew } = bench({ calm: yields(1, 60 * MINUTE) });
  discovery.start();
  await simulation.run(10 * SECOND);
  const asked: number[] = [];
  const source: Source = async function* (signal, round) {
    asked.push(simulation.now);
    return yield* yields(0, 60 * MINUTE)(signal, round);
  };
  renew("new", source);
  await simulation.run(10 * SECOND);
  // Its code changed: it is another source.
  renew("new", source);
  await simulation.run(10 * MINUTE);
  discovery.stop();
  assert.deepEqual(asked, [10 * SECOND, 20 * SECOND]);
  assert.deepEqual(rounds, [0]);
});

Deno.test("a source that comes in the middle of a round is asked after it, and one that comes again and again now and then", async () => {
  const { simulation, discovery, renew } = bench({
    long: async function* () {
      await new Promise<void>((resolve) => simulation.clock.after(20 * SECOND, resolve));
      yield { address: peerAddress("30.0.0.1", 1) };
      return { again: 60 * MINUTE };
    },
  });
  const asked: number[] = [];
  const restless: Source = async function* (signal, round) {
    asked.push(simulation.now);
    renew("restless", restless);
    return yield* yields(0, 60 * MINUTE)(signal, round);
  };
  discovery.start();
  await simulation.run(SECOND);
  renew("restless", restless);
  await simulation.run(30 * SECOND);
  discovery.stop();
  assert.deepEqual(asked, [20, 25, 30].map((at) => at * SECOND));
});

Deno.test("when the filters are others all sources are asked soon, since what was refused may pass", async () => {
  const { simulation, discovery, rounds, renew, filter } = bench({ calm: yields(1, 60 * MINUTE) });
  discovery.start();
  await simulation.run(10 * SECOND);
  filter(false);
  await simulation.run(10 * SECOND);
  filter(true);
  filter(false);
  await simulation.run(10 * SECOND);
  renew("other", yields(0, 60 * MINUTE));
  await simulation.run(10 * SECOND);
  filter(undefined);
  await simulation.run(10 * MINUTE);
  discovery.stop();
  assert.deepEqual(rounds, [0, 10, 20, 40].map((at) => at * SECOND));
});
