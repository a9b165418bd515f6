import assert from "node:assert/strict";
import {
  decodeValue,
  type DiscoverRequest,
  type GatherStream,
  InfoHash,
  type PeerCandidate,
  type PluginScope,
  torrentId,
} from "weft";
import { Egress } from "../../core/net/egress.ts";
import peers, { type PeersConfig } from "./mod.ts";

const hex = "0123456789abcdef0123456789abcdef01234567";
const other = "f".repeat(40);

type Discover = (request: DiscoverRequest, signal: AbortSignal) => GatherStream<PeerCandidate>;

/** One round for the swarm `id`: the addresses, when to ask again, and what was logged. */
async function round(config: unknown, id = hex): Promise<{ found: string[]; again?: number; warnings: string[] }> {
  let discover: Discover | undefined;
  const warnings: string[] = [];
  const names: Record<string, readonly string[]> = { "peer.lan": ["10.0.0.7", "fd00::7"] };
  const scope = {
    config: decodeValue(peers.config, config),
    log: { warn: (message: string) => warnings.push(message) },
    net: {
      resolve: (name: string) => names[name] ? Promise.resolve(names[name]) : Promise.reject(new Error("no such host")),
    },
    on: (_: unknown, handler: Discover) => void (discover = handler),
  };
  await peers.setup(scope as unknown as PluginScope<PeersConfig>);
  const stream = discover!(
    { id: torrentId({ v1: InfoHash.parse(id) }), wanted: 5, port: 0 },
    new AbortController().signal,
  );
  const found: string[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { found, warnings, ...(value && { again: value.again }) };
    found.push((value as PeerCandidate).address.key);
  }
}

Deno.test("peers names what the profile lists, and looks names up", async () => {
  const { found, again } = await round({ peers: ["203.0.113.5:6881", "[2001:db8::1]:6882", "peer.lan:6883"] });
  assert.deepEqual(found, ["203.0.113.5:6881", "[2001:db8::1]:6882", "10.0.0.7:6883", "[fd00::7]:6883"]);
  assert.equal(again, 300_000);
});

Deno.test("peers keeps to its swarm, given in hex or as a magnet", async () => {
  for (const swarm of [hex, hex.toUpperCase(), `magnet:?xt=urn:btih:${hex}`]) {
    assert.deepEqual((await round({ peers: ["203.0.113.5:6881"], swarm })).found, ["203.0.113.5:6881"]);
    assert.deepEqual((await round({ peers: ["203.0.113.5:6881"], swarm }, other)).found, []);
  }
});

Deno.test("peers goes on past a name that doesn't resolve, and says so", async () => {
  const { found, warnings } = await round({ peers: ["gone.lan:1", "203.0.113.5:6881"] });
  assert.deepEqual(found, ["203.0.113.5:6881"]);
  assert.deepEqual(warnings, ['Cannot resolve "gone.lan": no such host']);
});

Deno.test("peers refuses a config that names no peer or no swarm", () => {
  for (const config of [{}, { peers: ["nonsense"] }, { peers: ["a:1"], swarm: "xyz" }, { peers: ["a:1"], extra: 1 }]) {
    assert.throws(() => decodeValue(peers.config, config));
  }
});

Deno.test("peers may be on loopback and private addresses: the user wrote them", () => {
  const config = decodeValue(peers.config, { peers: ["127.0.0.1:6881", "[::1]:6881", "peer.lan:6881"] });
  const egress = new Egress({ allow: peers.egress!(config) });
  egress.resolved("peer.lan", ["10.0.0.7"]);
  for (const ip of ["127.0.0.1", "::1", "10.0.0.7"]) {
    assert.equal(egress.check({ ip, port: 6881, family: 4, key: "" }), undefined);
    assert.ok(egress.check({ ip, port: 22, family: 4, key: "" }));
  }
});
