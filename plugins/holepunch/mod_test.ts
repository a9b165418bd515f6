import assert from "node:assert/strict";
import { type ExtensionPeer, type PeerAddress, peerAddress, swarmRemoved, wireExtensions } from "weft";
import { sampleId, startPlugin } from "weft/testing";
import { encodeHolepunch } from "./codec.ts";
import plugin from "./mod.ts";

const swarm = { id: sampleId, name: "sample", seeding: false, nodes: [] };

/** A connected peer at `address`; `dialed` gets what it has us dial. */
function peerAt(address: PeerAddress, dialed: PeerAddress[]): ExtensionPeer {
  return {
    id: sampleId,
    address,
    incoming: true,
    transport: "tcp",
    private: false,
    listening: () => undefined,
    offers: () => true,
    connected: () => [],
    metadata: () => undefined,
    metadataSize: () => undefined,
    dialNow: (to) => void dialed.push(to),
    found: () => {},
    backlog: () => 0,
    send: () => {},
    close: () => {},
  };
}

Deno.test("a peer that is alone, leaves and comes back has no more dials made than the swarm allows", async () => {
  await using bench = await startPlugin(plugin, { swarms: [swarm] });
  const { join } = bench.bus.get(wireExtensions, "ut_holepunch")!;
  const dialed: PeerAddress[] = [];
  const flood = (): void => {
    for (let round = 0; round < 20; round++) {
      const extension = join(peerAt(peerAddress("20.0.0.7", 1_000 + round), dialed))!;
      for (let n = 1; n <= 10; n++) {
        const address = peerAddress(`20.1.${round}.${n}`, 80);
        extension.message(encodeHolepunch({ kind: "connect", address }));
      }
      extension.closed!();
    }
  };
  flood();
  assert.equal(dialed.length, 50);
  bench.bus.emit(swarmRemoved, { id: sampleId, name: "sample", private: false });
  flood();
  assert.equal(dialed.length, 100, "nothing is remembered of a swarm that is gone");
});
