import assert from "node:assert/strict";
import { encode, type PeerAddress, peerAddress, utf8Encode } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { decodeMessage, encodeMessage, type Message } from "../../plugins/dht/krpc.ts";
import { randomId } from "../../plugins/dht/node_id.ts";
import { DhtNetwork, growNetwork } from "../../plugins/dht/test_network.ts";
import { simulate } from "../../scripts/bench/dht.ts";
import { dice, mutations } from "../support/liars.ts";

// The 1,000 nodes of scripts/bench/dht.ts take minutes; so many behave alike.
const base = { nodes: 120, loss: 0.05, churn: 0.1, swarms: 10, lookups: 100, seed: 1 };

Deno.test("with loss and churn, lookups find who announced itself", () => {
  const { found, lookups, medianHops, medianAsked } = simulate({ ...base, hostile: 0 });
  assert.ok(found >= 0.99 * lookups, `${found} of ${lookups}`);
  assert.ok(medianHops <= 5 && medianAsked <= 40, `${medianHops} hops, ${medianAsked} queries`);
});

for (const [hostile, least] of [[0.05, 0.99], [0.1, 0.95], [0.2, 0.8]]) {
  Deno.test(`with ${hostile * 100} % of hostile nodes, lookups find it at least ${least * 100} times of 100`, () => {
    const { found, lookups } = simulate({ ...base, hostile });
    assert.ok(found >= least * lookups, `${found} of ${lookups}`);
  });
}

/** A node that knows some others, and the datagrams that strangers may forge. */
function target(seed: number): { network: DhtNetwork; random: SeededRandom } {
  const random = new SeededRandom(seed);
  const network = growNetwork({ random, budget: { perAddress: 1e6, total: 1e6 } }, 12);
  return { network, random };
}

function queries(random: SeededRandom): Uint8Array[] {
  const id = randomId(random);
  const infoHash = randomId(random);
  const transaction = random.bytes(2);
  const all: [string, Message & { kind: "query" }][] = [
    ["ping", { id }],
    ["find_node", { id, target: infoHash }],
    ["get_peers", { id, infoHash }],
    ["get_peers", { id, infoHash, scrape: true }],
    ["announce_peer", { id, infoHash, port: 6881, token: random.bytes(4) }],
    ["get", { id, target: infoHash }],
    ["put", { id, v: encode("x"), token: random.bytes(4) }],
    ["sample_infohashes", { id, target: infoHash }],
    ["nonsense", {}],
    ["get_peers", {}],
  ].map(([method, args]) => [
    method as string,
    { kind: "query", transaction, method: method as string, arguments: args as Record<string, never> },
  ]);
  return all.flatMap(([, query]) => [encodeMessage(query), encodeMessage({ ...query, readOnly: true })]);
}

Deno.test("100,000 forged datagrams get out no more bytes than came in, to no address", () => {
  const { network, random } = target(2);
  const [node] = network.nodes;
  const { machine } = node;
  network.announce([[network.nodes[3], "s".repeat(20)]], 1);
  const [into, out] = [new Map<string, number>(), new Map<string, number>()];
  const count = (map: Map<string, number>, { key }: PeerAddress, bytes: number): void =>
    void map.set(key, (map.get(key) ?? 0) + bytes);
  let forged: Uint8Array[] = [];
  for (let i = 0; i < 100_000; i++) {
    if (i % 100 === 0) forged = queries(random);
    const bytes = forged[random.below(forged.length)];
    // Some victims are named once, some thousands of times.
    const victim = peerAddress(`90.${random.below(2)}.${random.below(random.below(2) ? 256 : 2)}.7`, 53);
    count(into, victim, bytes.length);
    machine.handleDatagram(network.now, bytes, victim);
    for (let next = machine.pollTransmit(); next; next = machine.pollTransmit()) {
      if (next.to.ip.startsWith("90.")) count(out, next.to, next.bytes.length);
    }
    if (i % 1_000 === 0) network.run(1_000);
  }
  assert.ok(out.size > 0);
  for (const [key, bytes] of out) assert.ok(bytes <= into.get(key)!, `${key}: ${bytes} for ${into.get(key)}`);
  assert.ok(machine.size < 12, "nobody who did not answer entered the table");
});

Deno.test("whoever proved itself is answered in full", () => {
  const { network } = target(3);
  const [a, b] = network.nodes;
  const transaction = utf8Encode("zz");
  const query = encodeMessage({
    kind: "query",
    transaction,
    method: "find_node",
    arguments: { id: a.machine.known.tables[4].id, target: "t".repeat(20) },
  });
  b.machine.handleDatagram(network.now, query, a.address);
  const sent = [];
  for (let next = b.machine.pollTransmit(); next; next = b.machine.pollTransmit()) sent.push(decodeMessage(next.bytes));
  const reply = sent.find((message) => message.kind === "reply");
  assert.ok(reply?.kind === "reply" && reply.reply.nodes!.length === 8 && reply.seen?.key === a.address.key);
});

Deno.test("mutated fixtures and random bytes crash nothing, and leave the table and what is kept small", () => {
  const { network, random } = target(4);
  const { machine } = network.nodes[0];
  const folder = new URL("../fixtures/dht/", import.meta.url);
  const originals = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".krpc")).map(({ name }) =>
    Deno.readFileSync(new URL(name, folder))
  );
  const roll = dice(5);
  let fed = 0;
  for (const mutated of mutations(originals, 5)) {
    if (++fed > 20_000) break;
    const bytes = fed % 10 === 0 ? random.bytes(roll(200)) : mutated;
    machine.handleDatagram(network.now, bytes, peerAddress(`91.${roll(256)}.${roll(256)}.1`, 1 + roll(65_535)));
    for (let next = machine.pollTransmit(); next; next = machine.pollTransmit());
    if (fed % 1_000 === 0) network.run(10_000);
  }
  assert.ok(machine.size <= 12);
});
