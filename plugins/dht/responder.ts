/** What a node answers: a query and what is known, to a response or an error. No sockets, no budgets. @module */
import { type PeerAddress, peerAddress } from "weft";
import type { ItemStore } from "./items.ts";
import { type Arguments, encodeMessage, ERROR, type Message, type Reply } from "./krpc.ts";
import type { NodeId } from "./node_id.ts";
import type { PeerStore } from "./peer_store.ts";
import type { RoutingTable } from "./routing_table.ts";
import type { Tokens } from "./tokens.ts";

// Peers in one answer, so that it fits into a packet of about 1,400 bytes with the nodes beside them.
const MAX_VALUES = { 4: 50, 6: 25 } as const;

/** What answers come from. */
export interface Knowledge {
  readonly tables: Readonly<Record<4 | 6, RoutingTable>>;
  readonly tokens: Tokens;
  readonly peers: PeerStore;
  readonly items: ItemStore;
}

/** A query that was read. */
export type Query = Extract<Message, { kind: "query" }>;
/** What a query gets. */
export type Answer = Extract<Message, { kind: "reply" | "error" }>;

/** Answers a query from an address, and stores what it brings. */
export function answer(now: number, query: Query, from: PeerAddress, known: Knowledge): Answer {
  const { transaction, method, arguments: a } = query;
  const fail = (code: number, text: string): Answer => ({ kind: "error", transaction, code, text });
  if (a.id === undefined) return fail(ERROR.protocol, '"id" must be 20 bytes');
  const { id } = known.tables[from.family];
  const reply = (values: Omit<Reply, "id">): Answer => ({
    kind: "reply",
    transaction,
    reply: { id, ...values },
    seen: from,
  });
  const token = (): Uint8Array => known.tokens.issue(now, from);
  switch (method) {
    case "ping":
      return reply({});
    case "find_node":
      if (a.target === undefined) return fail(ERROR.protocol, '"target" must be 20 bytes');
      return reply(nodes(a.target, a, from, known));
    case "get_peers": {
      if (a.infoHash === undefined) return fail(ERROR.protocol, '"info_hash" must be 20 bytes');
      const values = known.peers.peers(now, a.infoHash, from.family, MAX_VALUES[from.family], a.noseed);
      return reply({
        ...(a.scrape ? known.peers.scrape(now, a.infoHash) : values.length > 0 && { values }),
        ...nodes(a.infoHash, a, from, known),
        token: token(),
      });
    }
    case "announce_peer": {
      if (a.infoHash === undefined) return fail(ERROR.protocol, '"info_hash" must be 20 bytes');
      const port = a.impliedPort ? from.port : a.port ?? 0;
      if (port < 1 || port > 65535) return fail(ERROR.protocol, '"port" must be 1 to 65535');
      if (!hasToken(now, a, from, known)) return fail(ERROR.protocol, "invalid token");
      known.peers.announce(now, a.infoHash, peerAddress(from.ip, port), a.seed ?? false);
      return reply({});
    }
    case "get": {
      if (a.target === undefined) return fail(ERROR.protocol, '"target" must be 20 bytes');
      const item = known.items.get(now, a.target);
      // Who has the newest one already wants to know its number alone.
      const news = item && (a.seq === undefined || item.seq === undefined || item.seq > a.seq);
      const { v, k, sig, seq } = item ?? {};
      return reply({ ...(news ? { v, k, sig, seq } : { seq }), ...nodes(a.target, a, from, known), token: token() });
    }
    case "put": {
      if (!hasToken(now, a, from, known)) return fail(ERROR.protocol, "invalid token");
      const refusal = known.items.put(now, a, from);
      return refusal ? fail(refusal.code, refusal.text) : reply({});
    }
    case "sample_infohashes":
      if (a.target === undefined) return fail(ERROR.protocol, '"target" must be 20 bytes');
      return reply({ ...known.peers.sample(now), ...nodes(a.target, a, from, known) });
    default:
      // BEP 5: what has a target or an info-hash is answered as find_node, so that later queries find their way.
      if (a.target ?? a.infoHash) return reply(nodes((a.target ?? a.infoHash)!, a, from, known));
      return fail(ERROR.method, "method unknown");
  }
}

/** Whether a query shows a token that was issued to its address. */
export function hasToken(now: number, a: Arguments, from: PeerAddress, { tokens }: Knowledge): boolean {
  return a.token !== undefined && tokens.valid(now, from, a.token);
}

/**
 * An answer of at most `most` bytes, for who may not be who it says: the token, some peers and as many close nodes as
 * there is room for. Undefined when not even the id fits.
 */
export function trimmed(full: Answer, most: number): Uint8Array | undefined {
  for (const smaller of [full, ...(full.kind === "error" ? [{ ...full, text: "" }] : lessAndLess(full))]) {
    const bytes = encodeMessage(smaller);
    if (bytes.length <= most) return bytes;
  }
}

function* lessAndLess({ kind, transaction, reply }: Extract<Answer, { kind: "reply" }>): Generator<Answer> {
  const { id, token, values = [], nodes = [], nodes6 = [], v, k, sig, seq } = reply;
  // A small immutable item fits; one with key and signature hardly ever.
  if (v) {
    yield* [token, undefined].map((token): Answer => ({ kind, transaction, reply: { id, token, v, k, sig, seq } }));
  }
  // Peers are what was asked for, so they go before nodes.
  for (const [peers, count] of [[8, 2], [4, 1], [3, 0], [2, 0], [1, 0], [0, 2], [0, 1], [0, 0]]) {
    yield {
      kind,
      transaction,
      reply: {
        id,
        ...(token && { token }),
        ...(peers > 0 && values.length > 0 && { values: values.slice(0, peers) }),
        ...(count > 0 && nodes.length > 0 && { nodes: nodes.slice(0, count) }),
        ...(count > 0 && nodes.length === 0 && nodes6.length > 0 && { nodes6: nodes6.slice(0, count) }),
      },
    };
  }
  yield { kind, transaction, reply: { id } };
}

function nodes(
  target: NodeId,
  { want }: Arguments,
  { family }: PeerAddress,
  { tables }: Knowledge,
): Pick<Reply, "nodes" | "nodes6"> {
  const wanted = want ?? [family];
  return {
    ...(wanted.includes(4) && { nodes: tables[4].closest(target) }),
    ...(wanted.includes(6) && { nodes6: tables[6].closest(target) }),
  };
}
