/**
 * A DHT of many machines in one process and in simulated time, with loss, churn and hostile nodes. For tests.
 *
 * @module
 */
import TinyQueue from "tinyqueue";
import { byteString, type PeerAddress, peerAddress, peerAddressFromBytes, type Random } from "weft";
import type { Contact } from "./contact.ts";
import { decodeMessage, encodeMessage, type Reply } from "./krpc.ts";
import { DhtMachine, type LookupResult } from "./machine.ts";
import { type NodeId, randomId, secureId } from "./node_id.ts";
import { K, type Secure } from "./routing_table.ts";

/** How hostile nodes answer what they are asked. All of them join and answer pings like others. */
export type Malice = "sybil" | "wrongIds" | "unroutable" | "poison";
/** All ways, which hostile nodes take in turn. */
export const MALICE: readonly Malice[] = ["sybil", "wrongIds", "unroutable", "poison"];

/** What a network is like. */
export interface NetworkOptions {
  readonly random: Random;
  /** The share of datagrams that get lost, 0 to 1. */
  readonly loss?: number;
  readonly secure?: Secure;
  /** Peers count on queries not being refused when a test asks a lot. */
  readonly budget?: { readonly perAddress: number; readonly total: number };
}

/** One node. */
export interface SimNode {
  readonly machine: DhtMachine;
  readonly address: PeerAddress;
  readonly malice: Malice | undefined;
  /** Bytes that it sent. */
  sent: number;
}

/** A lookup that came to its end, and the peers it found. */
export interface SimLookup extends LookupResult {
  readonly found: ReadonlySet<string>;
  /** How long it took (ms). */
  readonly took: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  run(): void;
}

// One way, in milliseconds.
const LEAST_LATENCY = 20;
const LATENCY_SPREAD = 100;
// What answers to lookups bring of made-up peers.
const POISON = 50;

export class DhtNetwork {
  readonly #options: NetworkOptions;
  readonly #queue = new TinyQueue<Event>([], (a, b) => a.at - b.at || a.order - b.order);
  readonly #byAddress = new Map<string, SimNode>();
  readonly #wakes = new Map<SimNode, number>();
  #hostile: SimNode[] = [];
  #order = 0;
  /** Milliseconds since the network began. */
  now = 0;
  /** Datagrams that were sent. */
  messages = 0;
  readonly nodes: SimNode[] = [];

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** Nodes that do as they should. */
  get honest(): SimNode[] {
    return this.nodes.filter(({ malice }) => malice === undefined);
  }

  /** Adds a node at a random public address, which joins through a few of those there are. */
  add(malice?: Malice): SimNode {
    const { random, secure = "prefer", budget = { perAddress: 20, total: 200 } } = this.#options;
    const address = this.#freeAddress();
    const id = secureId(address.ip, random);
    const machine = new DhtMachine(this.now, { random, secure, readOnly: false, budget, ids: { 4: id } });
    machine.families = [4];
    const node: SimNode = { machine, address, malice, sent: 0 };
    const doors = this.nodes.length > 0 ? [this.pick().address, this.pick().address, this.pick().address] : [];
    this.nodes.push(node);
    if (malice) this.#hostile.push(node);
    this.#byAddress.set(address.key, node);
    machine.join(this.now, doors);
    this.drain(node);
    return node;
  }

  /** Takes a node out, without a word. */
  remove(node: SimNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.#hostile = this.#hostile.filter((other) => other !== node);
    this.#byAddress.delete(node.address.key);
  }

  /** A random one of some nodes. */
  pick(nodes: readonly SimNode[] = this.nodes): SimNode {
    return nodes[this.#options.random.below(nodes.length)];
  }

  /** Lets time pass. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let next = this.#queue.peek(); next && next.at <= end; next = this.#queue.peek()) {
      this.#queue.pop();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  /** Looks peers up, for all at once. */
  lookups(wanted: readonly (readonly [SimNode, NodeId])[]): SimLookup[] {
    const results: (SimLookup | undefined)[] = wanted.map(() => undefined);
    const began = this.now;
    wanted.forEach(([node, target], i) => {
      const found = new Set<string>();
      node.machine.lookup(this.now, {
        target,
        method: "get_peers",
        replied: ({ values = [] }) => values.forEach(({ key }) => found.add(key)),
        done: (result) => void (results[i] = { ...result, found, took: this.now - began }),
      });
      this.drain(node);
    });
    for (let i = 0; i < 100 && results.includes(undefined); i++) this.run(1_000);
    return results as SimLookup[];
  }

  /** Announces peers, each node itself at a port. */
  announce(wanted: readonly (readonly [SimNode, NodeId])[], port: number): void {
    this.lookups(wanted).forEach(({ closest }, i) => {
      const [node, infoHash] = wanted[i];
      node.machine.tell(this.now, closest, "announce_peer", { infoHash, port });
      this.drain(node);
    });
    this.run(10_000);
  }

  /** Sends a datagram; `from` need not be who sends it. */
  send(from: PeerAddress, bytes: Uint8Array, to: PeerAddress): void {
    const { random, loss = 0 } = this.#options;
    this.messages++;
    if (random.below(1_000_000) < loss * 1_000_000) return;
    this.#at(this.now + LEAST_LATENCY + random.below(LATENCY_SPREAD), () => {
      const node = this.#byAddress.get(to.key);
      if (!node) return;
      if (!node.malice || !this.#lie(node, bytes, from)) node.machine.handleDatagram(this.now, bytes, from);
      this.drain(node);
    });
  }

  /** Sends what a node has to send, and sees to its timers. */
  drain(node: SimNode): void {
    for (let next = node.machine.pollTransmit(); next; next = node.machine.pollTransmit()) {
      node.sent += next.bytes.length;
      this.send(node.address, next.bytes, next.to);
    }
    const at = node.machine.pollTimeout();
    if (at >= (this.#wakes.get(node) ?? Infinity)) return;
    this.#wakes.set(node, at);
    this.#at(at, () => {
      if (this.#wakes.get(node) === at) this.#wakes.delete(node);
      if (this.#byAddress.get(node.address.key) !== node) return;
      node.machine.handleTimeout(this.now);
      this.drain(node);
    });
  }

  /** Answers a query as a hostile node does; false for what it leaves to its machine. */
  #lie(node: SimNode, bytes: Uint8Array, from: PeerAddress): boolean {
    const message = decodeMessage(bytes);
    if (message.kind !== "query" || message.method === "ping") return false;
    const { random } = this.#options;
    const target = message.arguments.infoHash ?? message.arguments.target ?? randomId(random);
    const { id } = node.machine.known.tables[4];
    const fakes = (address: () => PeerAddress): Contact[] =>
      Array.from({ length: K }, () => ({ id: near(target, random), address: address() }));
    const replies: Record<Malice, () => Reply> = {
      // All hostile nodes say that they are next to whatever is looked for.
      sybil: () => ({ id: near(target, random), nodes: fakes(() => this.pick(this.#hostile).address) }),
      wrongIds: () => ({ id: randomId(random), nodes: fakes(() => this.pick().address) }),
      // Made-up addresses that fit their ids are possible too, with some computing.
      unroutable: () => ({ id, nodes: fakes(() => this.#freeAddress()) }),
      poison: () => ({ id, values: Array.from({ length: POISON }, () => this.#freeAddress()) }),
    };
    const reply = { ...replies[node.malice!](), token: Uint8Array.of(1, 2, 3, 4) };
    const answer = encodeMessage({ kind: "reply", transaction: message.transaction, reply });
    node.sent += answer.length;
    this.send(node.address, answer, from);
    return true;
  }

  #freeAddress(): PeerAddress {
    const { random } = this.#options;
    for (;;) {
      const ip = Uint8Array.of(20 + random.below(60), random.below(256), random.below(256), 1 + random.below(254));
      const address = peerAddressFromBytes(ip, 1024 + random.below(60_000));
      if (!this.#byAddress.has(address.key)) return address;
    }
  }

  #at(at: number, run: () => void): void {
    this.#queue.push({ at, order: this.#order++, run });
  }
}

/** Honest nodes, then some hostile ones, then time for all to know each other. */
export function growNetwork(options: NetworkOptions, count: number, hostile = 0): DhtNetwork {
  const network = new DhtNetwork(options);
  const kinds = Array.from({ length: count }, (_, i) => i < hostile ? MALICE[i % MALICE.length] : undefined);
  // Those who came first are known best, so who is hostile is spread over all.
  for (let i = kinds.length - 1; i > 0; i--) {
    const j = options.random.below(i + 1);
    [kinds[i], kinds[j]] = [kinds[j], kinds[i]];
  }
  kinds[0] = undefined;
  for (const kind of kinds) {
    network.add(kind);
    network.run(200);
  }
  network.run(60_000);
  return network;
}

/** The address that a node announces. */
export function announced({ address: { ip } }: SimNode, port: number): string {
  return peerAddress(ip, port).key;
}

function near(target: NodeId, random: Random): NodeId {
  return target.slice(0, 17) + byteString(random.bytes(3));
}
