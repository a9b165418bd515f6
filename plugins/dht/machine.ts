/**
 * A node of the DHT: BEP 5 over IPv4 and IPv6 (BEP 32), with no socket, clock or randomness but what it is given. Feed
 * it with `handle…`, then send what `pollTransmit` gives, and call `handleTimeout` at `pollTimeout`.
 *
 * @module
 */
import { type PeerAddress, ProtocolError, type Random } from "weft";
import { Proofs, QueryBudget } from "./budget.ts";
import { type Contact, isSecure } from "./contact.ts";
import { ExternalIp } from "./external_ip.ts";
import { ItemStore } from "./items.ts";
import { type Arguments, decodeMessage, encodeMessage, type Message, type Method, type Reply } from "./krpc.ts";
import { type Answered, Lookup } from "./lookup.ts";
import { type NodeId, randomId, secureId } from "./node_id.ts";
import { Outstanding, type Sent } from "./outstanding.ts";
import { PeerStore } from "./peer_store.ts";
import { answer, hasToken, type Knowledge, type Query, trimmed } from "./responder.ts";
import { K, RoutingTable, type Secure } from "./routing_table.ts";
import { Tokens, type TokenSecrets } from "./tokens.ts";

// Lookups at once; others wait. Each has a handful of queries under way.
const MAX_LOOKUPS = 24;
// A lookup ends then with what it has (ms): discovery rounds are given up soon after.
const LOOKUP_LIMIT = 40_000;
// One questionable node is asked, and one stale bucket refreshed, this often (ms).
const UPKEEP_INTERVAL = 5_000;
// Stored peers and items are looked through for expired ones this often (ms).
const EXPIRY_INTERVAL = 60_000;
// Queries that wait for their asker to prove itself, and those of one address among them.
const MAX_HELD = 256;
const MAX_HELD_PER_ADDRESS = 4;
// Nodes that peers named and that are asked whether they are there, at once: peers could name any address.
const MAX_NAMED = 16;

/** How a machine behaves. */
export interface MachineOptions {
  readonly random: Random;
  /** What becomes of ids that do not fit their address (BEP 42). */
  readonly secure: Secure;
  /** Ask, but answer nothing (BEP 43). */
  readonly readOnly: boolean;
  /**
   * Queries a second that are answered, with bursts of two seconds' worth; `total` once for strangers and once for those
   * who proved themselves.
   */
  readonly budget: { readonly perAddress: number; readonly total: number };
  /** What an earlier machine had; random if not given. */
  readonly ids?: { readonly 4?: NodeId; readonly 6?: NodeId };
  readonly secrets?: TokenSecrets;
}

/** What came of a query. */
export type Outcome = { readonly reply: Reply } | { readonly code: number; readonly text: string } | "no answer";

/** What a lookup asks, and whom it tells. */
export interface LookupRequest {
  readonly target: NodeId;
  readonly method: "find_node" | "get_peers" | "get" | "sample_infohashes";
  /** More arguments of its queries. */
  readonly arguments?: Arguments;
  readonly families?: readonly (4 | 6)[];
  /** Addresses of nodes to begin with too, as long as few are known. */
  readonly doors?: readonly PeerAddress[];
  replied?(reply: Reply, from: PeerAddress): void;
  done?(result: LookupResult): void;
}

/** What came of a lookup. */
export interface LookupResult {
  /** The closest nodes that answered, of each family. */
  readonly closest: readonly Answered[];
  /** Queries that it took, and steps to the farthest node. */
  readonly asked: number;
  readonly hops: number;
}

/** A datagram to send. */
export interface Transmit {
  readonly bytes: Uint8Array;
  readonly to: PeerAddress;
}

interface Asked {
  settle(now: number, outcome: Outcome): void;
  slow?(now: number): void;
}

interface Task extends LookupRequest {
  readonly lookups: Map<4 | 6, Lookup>;
  endsAt: number;
}

export class DhtMachine {
  readonly #options: MachineOptions;
  readonly #tables: { 4: RoutingTable; 6: RoutingTable };
  readonly #known: Knowledge;
  readonly #outstanding: Outstanding<Asked>;
  /** Strangers have a budget of their own: forged addresses must not use up that of nodes which are what they say. */
  readonly #budget: { readonly proven: QueryBudget; readonly stranger: QueryBudget };
  readonly #proofs = new Proofs();
  readonly #external: Readonly<Record<4 | 6, ExternalIp>> = { 4: new ExternalIp(), 6: new ExternalIp() };
  readonly #outbox: Transmit[] = [];
  readonly #running = new Set<Task>();
  readonly #waiting = new Set<Task>();
  readonly #held = new Map<string, Query[]>();
  #doors: readonly PeerAddress[] = [];
  #named = 0;
  #upkeepAt: number;
  #expiryAt: number;
  /** The families that can be spoken here. */
  families: readonly (4 | 6)[] = [4, 6];

  constructor(now: number, options: MachineOptions) {
    const { random, secure, budget, ids, secrets } = options;
    this.#options = options;
    this.#outstanding = new Outstanding(random);
    this.#budget = { proven: new QueryBudget(now, budget), stranger: new QueryBudget(now, budget) };
    this.#tables = {
      4: new RoutingTable(ids?.[4] ?? randomId(random), secure),
      6: new RoutingTable(ids?.[6] ?? randomId(random), secure),
    };
    this.#known = {
      tables: this.#tables,
      tokens: new Tokens(now, random, secrets),
      peers: new PeerStore(random),
      items: new ItemStore(),
    };
    this.#upkeepAt = now + UPKEEP_INTERVAL;
    this.#expiryAt = now + EXPIRY_INTERVAL;
  }

  /** What it knows: nodes, peers and items. */
  get known(): Knowledge {
    return this.#known;
  }

  /** How many nodes it knows. */
  get size(): number {
    return this.#tables[4].size + this.#tables[6].size;
  }

  /** Lookups that run or wait. */
  get lookups(): number {
    return this.#running.size + this.#waiting.size;
  }

  /** A datagram came. `bytes` may be a view that holds only during the call. */
  handleDatagram(now: number, bytes: Uint8Array, from: PeerAddress): void {
    // Reading costs more than anything that a flood of strangers brings is worth.
    const awaited = this.#outstanding.awaits(from);
    const budget = this.#budget[this.#proofs.has(now, from) ? "proven" : "stranger"];
    if (!awaited && (this.#options.readOnly || !budget.take(now, from))) return;
    let message: Message;
    try {
      message = decodeMessage(bytes);
    } catch (error) {
      if (error instanceof ProtocolError) return;
      throw error;
    }
    if (message.kind === "query") {
      if (!awaited || budget.take(now, from)) this.#handleQuery(now, message, from, bytes.length);
      return;
    }
    const sent = this.#outstanding.take(message.transaction, from);
    if (!sent) return;
    this.#proofs.prove(now, from);
    if (message.kind === "reply") {
      this.#tables[from.family].answered(now, { id: message.reply.id, address: from });
      if (message.seen) this.#vote(now, message.seen, from);
      sent.what.settle(now, { reply: message.reply });
    } else {
      sent.what.settle(now, { code: message.code, text: message.text });
    }
    this.#release(now, from);
  }

  /** Nothing can be sent to an address: what waits for it fails at once. */
  handleRefused(now: number, to: PeerAddress): void {
    this.#held.delete(to.key);
    this.#fail(now, this.#outstanding.takeAll(to));
  }

  /** Time has passed. */
  handleTimeout(now: number): void {
    const { slow, over } = this.#outstanding.timeouts(now);
    for (const { what } of slow) what.slow?.(now);
    this.#fail(now, over);
    for (const task of this.#running) if (task.endsAt <= now) this.#finish(now, task);
    this.#startWaiting(now);
    if (now >= this.#upkeepAt) {
      this.#upkeepAt = now + UPKEEP_INTERVAL;
      this.#upkeep(now);
    }
    if (now >= this.#expiryAt) {
      this.#expiryAt = now + EXPIRY_INTERVAL;
      this.#known.peers.expire(now);
      this.#known.items.expire(now);
    }
  }

  /** When to call {@link handleTimeout} next, at the latest. */
  pollTimeout(): number {
    const task: Task | undefined = this.#running.values().next().value;
    return Math.min(
      this.#upkeepAt,
      this.#expiryAt,
      this.#outstanding.nextTimeout ?? Infinity,
      task?.endsAt ?? Infinity,
    );
  }

  /** The next datagram to send. */
  pollTransmit(): Transmit | undefined {
    return this.#outbox.shift();
  }

  /**
   * Joins the network: looks for our own neighbours.
   *
   * @param doors addresses of nodes whose ids are not known; lookups begin with them too as long as few nodes are known
   * @param contacts nodes that were known once
   */
  join(now: number, doors: readonly PeerAddress[], contacts: readonly Contact[] = [], done?: () => void): void {
    this.#doors = doors;
    let left = this.families.length;
    for (const family of this.families) {
      const begin = contacts.filter(({ address }) => address.family === family);
      this.lookup(now, {
        target: this.#tables[family].id,
        method: "find_node",
        families: [family],
        done: () => void (--left === 0 && done?.()),
      }, begin);
    }
  }

  /** A peer named its node (BEP 5, PORT), or a torrent did: it is asked whether it is there. */
  handleNamed(now: number, address: PeerAddress): void {
    const table = this.#tables[address.family];
    if (this.#named >= MAX_NAMED || table.has(address) || !this.#proofs.probe(now, address)) return;
    this.#named++;
    this.query(now, address, "ping", {}, () => void this.#named--);
  }

  /** Asks one node. What came of it is told once. */
  query(
    now: number,
    to: PeerAddress,
    method: Method,
    args: Arguments,
    settle: (now: number, outcome: Outcome) => void,
    slow?: (now: number) => void,
  ): void {
    const sent = this.#outstanding.add(now, to, {
      slow,
      settle: (at, outcome) => {
        if (outcome === "no answer") this.#tables[to.family].failed(at, to);
        settle(at, outcome);
      },
    });
    // Nothing was sent, so it says nothing of the node.
    if (!sent) return settle(now, "no answer");
    const bytes = this.#encodeQuery(sent, method, args);
    this.#outbox.push({ bytes, to });
  }

  /**
   * Begins a lookup, now or when others have ended; the result ends it early, without `done`: then others may begin in
   * its place at the next {@link handleTimeout}.
   */
  lookup(now: number, request: LookupRequest, contacts: readonly Contact[] = []): Disposable {
    const lookups = new Map<4 | 6, Lookup>();
    for (const family of request.families ?? this.families) {
      const table = this.#tables[family];
      const lookup = new Lookup(request.target, this.#options.secure, table.id);
      const doors = table.size < K ? [...this.#doors, ...request.doors ?? []] : [];
      const own = doors.filter((door) => door.family === family);
      lookup.begin([...table.closest(request.target), ...contacts], own);
      lookups.set(family, lookup);
    }
    const task: Task = { ...request, lookups, endsAt: Infinity };
    this.#waiting.add(task);
    this.#startWaiting(now);
    return {
      [Symbol.dispose]: () => {
        this.#waiting.delete(task);
        this.#running.delete(task);
      },
    };
  }

  /** Tells nodes that gave a token something; `done` learns how many took it, and the last refusal. */
  tell(
    now: number,
    nodes: readonly Answered[],
    method: "announce_peer" | "put",
    args: Arguments,
    done?: (taken: number, refusal?: string) => void,
  ): void {
    const tellable = nodes.filter(({ token }) => token !== undefined);
    let left = tellable.length;
    let taken = 0;
    let refusal: string | undefined;
    if (left === 0) return done?.(0);
    for (const { address, token } of tellable) {
      this.query(now, address, method, { ...args, token }, (_, outcome) => {
        if (outcome !== "no answer") {
          if ("reply" in outcome) taken++;
          else refusal = outcome.text;
        }
        if (--left === 0) done?.(taken, refusal);
      });
    }
  }

  #handleQuery(now: number, query: Query, from: PeerAddress, length: number): void {
    if (this.#options.readOnly) return;
    if (query.arguments.token && hasToken(now, query.arguments, from, this.#known)) this.#proofs.prove(now, from);
    const proven = this.#proofs.has(now, from);
    if (proven) this.#outbox.push({ bytes: encodeMessage(answer(now, query, from, this.#known)), to: from });
    // Whoever only asks (BEP 43) would not answer, and belongs into no table.
    const { id } = query.arguments;
    // A ping is answered at once: two that ask each other for proof would wait for each other.
    const holds = !proven && query.method !== "ping";
    const wanted = !query.readOnly && id !== undefined &&
      (holds || (proven && !this.#tables[from.family].has(from) && this.#tables[from.family].wants(id)));
    if (wanted && this.#probe(now, query, from, proven ? Infinity : length)) return;
    if (proven) return;
    const bytes = trimmed(answer(now, query, from, this.#known), length);
    if (bytes) this.#outbox.push({ bytes, to: from });
  }

  /**
   * Asks whoever asks whether it is there, with no more bytes than it sent, and keeps its query until it answers.
   *
   * @returns whether the query is kept
   */
  #probe(now: number, query: Query, from: PeerAddress, most: number): boolean {
    const held = this.#held.get(from.key);
    if (held && held.length < MAX_HELD_PER_ADDRESS && most < Infinity) {
      held.push(query);
      return true;
    }
    if (held || this.#held.size >= MAX_HELD || !this.#proofs.probe(now, from)) return false;
    const asked: Asked = { settle: (_, outcome) => void (outcome === "no answer" && this.#held.delete(from.key)) };
    const sent = this.#outstanding.add(now, from, asked);
    if (!sent) return false;
    const bytes = this.#encodeQuery(sent, "ping", {});
    if (bytes.length > most) {
      this.#outstanding.take(sent.transaction, from);
      return false;
    }
    this.#outbox.push({ bytes, to: from });
    if (most < Infinity) this.#held.set(from.key, [query]);
    return true;
  }

  /** Answers what was kept until its asker proved itself. */
  #release(now: number, from: PeerAddress): void {
    const held = this.#held.get(from.key);
    if (!held) return;
    this.#held.delete(from.key);
    for (const query of held) {
      this.#outbox.push({ bytes: encodeMessage(answer(now, query, from, this.#known)), to: from });
    }
  }

  #encodeQuery({ to, transaction }: Sent<Asked>, method: Method, args: Arguments): Uint8Array {
    return encodeMessage({
      kind: "query",
      transaction,
      method,
      arguments: { id: this.#tables[to.family].id, ...args },
      readOnly: this.#options.readOnly,
    });
  }

  #fail(now: number, queries: readonly Sent<Asked>[]): void {
    for (const { what } of queries) what.settle(now, "no answer");
  }

  #vote(now: number, seen: PeerAddress, from: PeerAddress): void {
    const { family } = from;
    const ip = this.#external[family].vote(seen, from);
    const old = this.#tables[family];
    if (ip === undefined || this.#options.secure === "off" || isSecure({ id: old.id, address: seen })) return;
    const table = new RoutingTable(secureId(ip, this.#options.random), this.#options.secure);
    for (const { id, address, seen } of old.nodes()) table.answered(seen, { id, address });
    this.#tables[family] = table;
    this.lookup(now, { target: table.id, method: "find_node", families: [family] });
  }

  #upkeep(now: number): void {
    for (const family of this.families) {
      const table = this.#tables[family];
      const questionable = table.questionable(now);
      if (questionable) this.query(now, questionable.address, "ping", {}, () => {});
      const target = table.size > 0 ? table.stale(now, this.#options.random) : undefined;
      if (target !== undefined) this.lookup(now, { target, method: "find_node", families: [family] });
    }
  }

  #startWaiting(now: number): void {
    for (const task of this.#waiting) {
      if (this.#running.size >= MAX_LOOKUPS) return;
      this.#waiting.delete(task);
      this.#running.add(task);
      task.endsAt = now + LOOKUP_LIMIT;
      this.#pump(now, task);
    }
  }

  /** Asks whom a lookup wants to ask; ends it if that is nobody. */
  #pump(now: number, task: Task): void {
    if (!this.#running.has(task)) return;
    for (const lookup of task.lookups.values()) {
      for (let to = lookup.next(); to; to = lookup.next()) this.#ask(now, task, lookup, to);
    }
    if ([...task.lookups.values()].every(({ done }) => done)) this.#finish(now, task);
  }

  #ask(now: number, task: Task, lookup: Lookup, to: PeerAddress): void {
    const { target, method } = task;
    const args: Arguments = {
      ...(method === "get_peers" ? { infoHash: target } : { target }),
      ...(task.lookups.size > 1 && { want: [4, 6] }),
      ...task.arguments,
    };
    let asking = true;
    const settle = (at: number, outcome: Outcome): void => {
      if (outcome === "no answer" || !("reply" in outcome)) {
        lookup.failed(to);
      } else {
        const { reply } = outcome;
        const { nodes = [], nodes6 = [] } = reply;
        lookup.answered({ id: reply.id, address: to }, to.family === 4 ? nodes : nodes6, reply.token);
        task.lookups.get(to.family === 4 ? 6 : 4)?.begin((to.family === 4 ? nodes6 : nodes).slice(0, K));
        if (this.#running.has(task)) task.replied?.(reply, to);
      }
      if (!asking) this.#pump(at, task);
    };
    this.query(now, to, method, args, settle, (at) => {
      lookup.slow(to);
      this.#pump(at, task);
    });
    asking = false;
  }

  #finish(now: number, task: Task): void {
    if (!this.#running.delete(task)) return;
    const lookups = [...task.lookups.values()];
    task.done?.({
      closest: lookups.flatMap((lookup) => lookup.closest()),
      asked: lookups.reduce((sum, { asked }) => sum + asked, 0),
      hops: Math.max(...lookups.map(({ hops }) => hops)),
    });
    this.#startWaiting(now);
  }
}
