import assert from "node:assert/strict";
import { InfoHash, peerAddress, type PublicSwarm, type SwarmsView, torrentId } from "weft";
import { createSimulation } from "../../core/host/memory/mod.ts";
import { encodeAnnounce } from "./codec.ts";
import { Neighbours } from "./neighbours.ts";
import { LpdSource } from "./source.ts";

const hex = "0123456789abcdef0123456789abcdef01234567";
const id = torrentId({ v1: InfoHash.parse(hex) });

function setUp({ seeding = false } = {}) {
  const simulation = createSimulation({ seed: 1 });
  const neighbours = new Neighbours("ours");
  const swarm: PublicSwarm = { id, name: "sample", seeding, nodes: [] };
  const swarms: SwarmsView = {
    size: 1,
    port: 1,
    review: () => {},
    get: () => swarm,
    [Symbol.iterator]: () => [swarm].values(),
  };
  const source = new LpdSource({ clock: simulation.clock, swarms, neighbours });
  const hear = (ip: string) => {
    const bytes = encodeAnnounce(4, { port: 7000, infoHashes: [hex] });
    const found = neighbours.handleDatagram(simulation.now, bytes, peerAddress(ip, 6771), () => true);
    for (const neighbour of found) source.appeared(neighbour);
  };
  const abort = new AbortController();
  /** Begins a round, and says what it gave so far and what it returned. */
  const round = () => {
    const outcome: { found: string[]; again?: number } = { found: [] };
    (async () => {
      const stream = source.discover({ id, wanted: 5, port: 1 }, abort.signal);
      for (;;) {
        const { done, value } = await stream.next();
        if (done) return void (outcome.again = value?.again);
        assert.equal(value.namedBy, value.address.ip);
        outcome.found.push(value.address.key);
      }
    })();
    return outcome;
  };
  return { simulation, source, hear, round, abort };
}

Deno.test("a round gives who is known, stays open, and gives who comes, each once", async () => {
  const { simulation, source, hear, round } = setUp();
  hear("10.0.0.1");
  const { found, again } = round();
  await simulation.run(100);
  assert.deepEqual(found, ["10.0.0.1:7000"]);
  hear("10.0.0.2");
  hear("10.0.0.1");
  await simulation.run(1);
  assert.deepEqual(found, ["10.0.0.1:7000", "10.0.0.2:7000"]);
  assert.equal(again, undefined);
  assert.equal(source.open, 1);
});

Deno.test("an open round ends before its deadline, when its caller leaves, and when the plugin does", async () => {
  const { simulation, source, round, abort } = setUp();
  const first = round();
  await simulation.run(30_001);
  assert.equal(first.again, 5_000);
  const second = round();
  await simulation.settle();
  source.close();
  await simulation.settle();
  assert.equal(second.again, 5_000);
  const third = round();
  await simulation.settle();
  abort.abort();
  await simulation.settle();
  assert.equal(third.again, 5_000);
  assert.equal(source.open, 0);
  assert.equal(simulation.pendingTimers, 0);
});

Deno.test("no more than 200 rounds are open at once, and those of seeds leave room for downloads", async () => {
  for (const [seeding, most] of [[false, 200], [true, 100]] as const) {
    const { simulation, source, hear, round } = setUp({ seeding });
    hear("10.0.0.1");
    const rounds = Array.from({ length: 210 }, round);
    await simulation.settle();
    assert.equal(source.open, most);
    const ended = rounds.filter(({ again }) => again !== undefined);
    assert.equal(ended.length, 210 - most);
    assert.deepEqual(ended[0], { found: ["10.0.0.1:7000"], again: 300_000 });
    source.close();
    await simulation.settle();
    assert.equal(source.open, 0);
  }
});
