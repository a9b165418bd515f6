import assert from "node:assert/strict";
import { type ConnectedPeer, type ExtensionPeer, InfoHash, peerAddress, type PeerExtension, torrentId } from "weft";
import { createSimulation } from "../../tests/testing/mod.ts";
import { Exchange } from "./exchange.ts";

const id = torrentId({ v1: InfoHash.parse("ab".repeat(20)) });

/** Sessions of one swarm, in simulated time. */
class Bench implements Disposable {
  readonly simulation = createSimulation({ seed: 1 });
  readonly connected: ConnectedPeer[] = [];
  readonly parts: PeerExtension[] = [];
  /** Messages, by session. */
  readonly sent = new Map<number, number>();
  looks = 0;
  readonly exchange: Exchange;

  constructor() {
    const { clock, random } = this.simulation.host("here");
    const line = (): void => {};
    this.exchange = new Exchange({
      clock,
      random,
      log: { debug: line, info: line, warn: line, error: line },
      swarms: {
        size: 0,
        port: 6881,
        review: () => {},
        get: () => undefined,
        [Symbol.iterator]: () => [][Symbol.iterator](),
      },
    });
  }

  join(n: number, more: Partial<ExtensionPeer> = {}): PeerExtension | undefined {
    const address = peerAddress(`93.184.${n >> 8}.${n & 255}`, 6881);
    const offers = (): boolean => false;
    this.connected.push({ address, uploadOnly: false, encrypted: false, transport: "tcp", reachable: true, offers });
    const part = this.exchange.join({
      id,
      address,
      incoming: false,
      transport: "tcp",
      private: false,
      listening: () => address,
      offers,
      connected: () => (this.looks++, this.connected),
      found: () => {},
      metadata: () => undefined,
      backlog: () => 0,
      metadataSize: () => undefined,
      dialNow: () => {},
      send: () => void this.sent.set(n, (this.sent.get(n) ?? 0) + 1),
      close: () => {},
      ...more,
    });
    part?.peerHandshake?.(true);
    if (part) this.parts.push(part);
    return part;
  }

  [Symbol.dispose](): void {
    this.simulation[Symbol.dispose]();
  }
}

Deno.test("two hundred who come at once are told in turns, within a minute, from one look a tick", async () => {
  using bench = new Bench();
  for (let n = 0; n < 200; n++) bench.join(n);
  let before = 0;
  for (let second = 1; second <= 56; second++) {
    await bench.simulation.run(1_000);
    assert.ok(bench.sent.size - before <= 4, `${bench.sent.size - before} messages in a second`);
    assert.ok(bench.looks <= second);
    before = bench.sent.size;
  }
  assert.equal(bench.sent.size, 200);
  assert.ok([...bench.sent.values()].every((count) => count === 1));
});

Deno.test("it takes no part in private swarms", () => {
  using bench = new Bench();
  assert.equal(bench.join(1, { private: true }), undefined);
});

Deno.test("nothing runs on once the last session ended, also when it ends while it is told", async () => {
  using bench = new Bench();
  bench.join(1);
  bench.join(2, { send: () => bench.parts.forEach((part) => part.closed?.()) });
  await bench.simulation.run(10_000);
  const { looks } = bench;
  assert.ok(looks > 0);
  await bench.simulation.run(60_000);
  assert.equal(bench.looks, looks);
  assert.deepEqual(bench.exchange.save(), []);
  bench.join(3);
  await bench.simulation.run(10_000);
  assert.equal(bench.sent.get(3), 1);
});
