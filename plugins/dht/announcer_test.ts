import assert from "node:assert/strict";
import { byteString, InfoHash, type PluginScope, type PublicSwarm, torrentId } from "weft";
import { ManualClock } from "../../core/bus/manual_clock.ts";
import { Announcer } from "./announcer.ts";
import type { LookupRequest } from "./machine.ts";
import type { DhtNode } from "./node.ts";

const minute = 60_000;

function swarmOf(n: number): PublicSwarm {
  const v1 = InfoHash.parse(n.toString(16).padStart(40, "0"));
  return { id: torrentId({ v1 }), name: `swarm ${n}`, seeding: n % 2 === 0, nodes: [] };
}

/** An announcer, and what it does with a node that always finds somebody. */
function setup(swarms: PublicSwarm[], { size = 8, port = 6881 } = {}) {
  const clock = new ManualClock();
  const announced: { hash: string; port: number; seed: boolean; at: number }[] = [];
  const node = {
    joined: Promise.resolve(),
    machine: { size },
    lookup: (request: LookupRequest) => Promise.resolve({ closest: [{ id: request.target }], asked: 1, hops: 1 }),
    announce: (_: unknown, hash: string, port: number, seed: boolean) => {
      announced.push({ hash, port, seed, at: clock.now() });
      return Promise.resolve(1);
    },
  };
  const view = {
    get: (hex: string) => swarms.find(({ id }) => id.key === hex),
    port,
    [Symbol.iterator]: () => swarms[Symbol.iterator](),
  };
  const plugin = { clock, swarms: view, signal: new AbortController().signal };
  const announcer = new Announcer(plugin as unknown as PluginScope<unknown>, node as unknown as DhtNode);
  return { announcer, clock, announced };
}

Deno.test("every swarm is announced at the runtime's port, seeds as seeds, with one timer for all", async () => {
  const { clock, announced } = setup([swarmOf(1), swarmOf(2), swarmOf(3)]);
  await clock.advance(14 * minute);
  assert.deepEqual(announced.map(({ port, seed }) => [port, seed]).sort(), [[6881, false], [6881, false], [
    6881,
    true,
  ]]);
  assert.equal(clock.pending, 1);
});

Deno.test("a swarm that is urged comes soon, and no swarm twice within 15 minutes", async () => {
  const { announcer, clock, announced } = setup([swarmOf(1), swarmOf(2), swarmOf(3)]);
  await clock.advance(0);
  announcer.urge(swarmOf(3));
  await clock.advance(1_000);
  const hash = byteString(swarmOf(3).id.wireIds[0].bytes);
  assert.equal(announced.filter((each) => each.hash === hash).length, 1);
  announcer.urge(swarmOf(3));
  await clock.advance(10 * minute);
  assert.equal(announced.filter((each) => each.hash === hash).length, 1);
});

Deno.test("a swarm that is gone is not announced, nor any without nodes or a port", async () => {
  const swarms = [swarmOf(1)];
  const gone = setup(swarms);
  gone.announcer.urge(swarmOf(9));
  await gone.clock.advance(minute);
  assert.equal(gone.announced.length, 1);
  for (const lacking of [{ size: 0 }, { port: 0 }]) {
    const { clock, announced } = setup(swarms, lacking);
    await clock.advance(30 * minute);
    assert.deepEqual(announced, []);
  }
});
