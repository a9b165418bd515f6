/**
 * The client's half of BEP 15 as a pure machine: queries in, datagrams out. It gets connection ids and shares them among
 * all queries to one address, sends again what goes unanswered, and spaces what goes to one tracker.
 *
 * @module
 */
import {
  decodeUdpTrackerReply,
  encodeUdpTrackerRequest,
  type PeerAddress,
  ProtocolError,
  type Random,
  readUdpTransactionId,
  type UdpAnnounceReply,
  type UdpAnnounceRequest,
  type UdpScrapeReply,
  type UdpScrapeRequest,
  type UdpTrackerReply,
} from "weft";

/** What may be asked; the ids are the machine's. */
export type UdpQuery =
  | Omit<UdpAnnounceRequest, "connectionId" | "transactionId">
  | Omit<UdpScrapeRequest, "connectionId" | "transactionId">;

/** What came of a query. */
export type UdpOutcome =
  & { readonly query: number }
  & (
    | { readonly reply: UdpAnnounceReply | UdpScrapeReply }
    /** The tracker's own words, or what is wrong with its answer. */
    | { readonly refusal: string }
    /** Nothing came within the timeout. */
    | { readonly silent: true }
  );

/** A datagram to send. */
export interface Transmit {
  readonly bytes: Uint8Array;
  readonly to: PeerAddress;
}

/** The wait for an answer is 15 × 2^n seconds, with n from 0 to 8, as BEP 15 says; milliseconds. */
export const FIRST_WAIT = 15_000;
export const MAX_DOUBLINGS = 8;
/** How long a client may use a connection id, in milliseconds. */
export const CONNECTION_LIFE = 60_000;
/** Queries to one tracker go out at this distance, in milliseconds, so that a thousand swarms that start at once don't flood it. */
export const QUERY_GAP = 5;
/** So many may go without that distance. */
export const BURST = 20;
// opentracker answers with the transaction id and no more where a torrent isn't on its list.
const EMPTY_REPLY = 8;
// Trackers that nobody asks are forgotten when there are more: each torrent may bring a hundred.
const MAX_IDLE = 200;

interface Query {
  readonly id: number;
  readonly tracker: Tracker;
  readonly body: UdpQuery;
  readonly transactionId: number;
  /** Retransmissions in a row. */
  n: number;
  /** It is given up at this time. */
  deadline: number;
  /** When it was sent first; Infinity before. */
  sentAt: number;
  /** When to send it again; Infinity while it is in the queue. */
  retryAt: number;
  /** It had to wait for a new connection id already: a tracker that finds fault with that one too is believed. */
  renewed: boolean;
}

interface Tracker {
  readonly address: PeerAddress;
  /** Asked, and not sent or to be sent again, in order. */
  readonly queue: Set<Query>;
  readonly inFlight: Set<Query>;
  connection: { readonly id: bigint; readonly until: number } | undefined;
  connect: { readonly transactionId: number; n: number; sentAt: number; retryAt: number } | undefined;
  nextSendAt: number;
  answeredAt: number;
  /** When it last failed to answer; -Infinity when it answered since. */
  silentAt: number;
}

/** All exchanges with all trackers. Times are monotonic milliseconds. */
export class UdpExchange {
  readonly #random: Pick<Random, "below">;
  readonly #timeout: number;
  readonly #trackers = new Map<string, Tracker>();
  readonly #queries = new Map<number, Query>();
  /** Those with a query. */
  readonly #busy = new Set<Tracker>();
  /** Who waits under which transaction id: a query, or a tracker for its connection id. */
  readonly #transactions = new Map<number, Query | Tracker>();
  readonly #outcomes: UdpOutcome[] = [];
  #lastId = 0;

  /** `timeout` is how long a query may go unanswered in all, in milliseconds. */
  constructor({ random, timeout }: { readonly random: Pick<Random, "below">; readonly timeout: number }) {
    this.#random = random;
    this.#timeout = timeout;
  }

  /** Asks a tracker; what comes of it is told by {@link UdpExchange.pollOutcome} under the number returned. */
  ask(now: number, to: PeerAddress, body: UdpQuery): number {
    const tracker = this.#trackerAt(to, now);
    const query: Query = {
      id: ++this.#lastId,
      tracker,
      body,
      transactionId: this.#newTransaction(),
      n: 0,
      deadline: now + this.#timeout,
      sentAt: Infinity,
      retryAt: Infinity,
      renewed: false,
    };
    this.#queries.set(query.id, query);
    this.#transactions.set(query.transactionId, query);
    tracker.queue.add(query);
    this.#busy.add(tracker);
    // While a dead tracker is asked ever more rarely, whoever comes new must not wait longer than it would alone.
    const { connect } = tracker;
    if (connect) connect.retryAt = Math.min(connect.retryAt, Math.max(now, connect.sentAt + FIRST_WAIT));
    return query.id;
  }

  /** Nobody waits for this query any more. */
  cancel(id: number): void {
    const query = this.#queries.get(id);
    if (query) this.#forget(query);
  }

  /** Nothing can be sent there: its queries end with `why`. */
  unreachable(to: PeerAddress, why: string): void {
    const tracker = this.#trackers.get(to.key);
    if (tracker) { for (const query of [...tracker.queue, ...tracker.inFlight]) this.#end(query, { refusal: why }); }
  }

  /** When an address last left a query unanswered; -Infinity if it didn't, or has answered since. */
  silentAt(address: PeerAddress): number {
    return this.#trackers.get(address.key)?.silentAt ?? -Infinity;
  }

  /** Takes what is the answer to something asked of that very address; returns whether it was. */
  handleDatagram(now: number, bytes: Uint8Array, from: PeerAddress): boolean {
    const transactionId = readUdpTransactionId(bytes);
    const asked = transactionId === undefined ? undefined : this.#transactions.get(transactionId);
    if (!asked || (isQuery(asked) ? asked.tracker : asked).address.key !== from.key) return false;
    if (isQuery(asked) && bytes.length === EMPTY_REPLY && asked.sentAt < Infinity) {
      this.#end(asked, { refusal: "The tracker gave no answer: it may not serve this torrent" });
      return true;
    }
    let reply: UdpTrackerReply | string;
    try {
      reply = decodeUdpTrackerReply(bytes, from.family);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      reply = error.message;
    }
    if (isQuery(asked)) this.#answered(now, asked, reply);
    else this.#connected(now, asked, reply);
    return true;
  }

  /** Gives up what waited too long, and takes back into the queue what is to be sent again. */
  handleTimeout(now: number): void {
    for (const query of this.#queries.values()) {
      const { tracker } = query;
      const waits = tracker.inFlight.has(query) || tracker.connect; // else only its turn has not come yet
      if (waits && query.deadline <= now) {
        tracker.silentAt = now;
        if (tracker.answeredAt < query.sentAt) tracker.connection = undefined; // it may have restarted, and forgotten it
        this.#end(query, { silent: true });
      } else if (query.retryAt <= now) {
        query.n = Math.min(query.n + 1, MAX_DOUBLINGS);
        query.retryAt = Infinity;
        tracker.inFlight.delete(query);
        tracker.queue.add(query);
      }
    }
  }

  /** The next datagram to send now, if any. */
  pollTransmit(now: number): Transmit | undefined {
    for (const tracker of this.#busy) {
      if (tracker.queue.size === 0) continue;
      const bytes = usable(tracker, now) ? this.#nextQuery(tracker, now) : this.#nextConnect(tracker, now);
      if (bytes) return { bytes, to: tracker.address };
    }
    return undefined;
  }

  /** What came of a query, if something did. */
  pollOutcome(): UdpOutcome | undefined {
    return this.#outcomes.shift();
  }

  /** When `handleTimeout` and `pollTransmit` should be called again; undefined while nothing is under way. */
  pollTimeout(now: number): number | undefined {
    let next = Infinity;
    for (const tracker of this.#busy) {
      const { queue, inFlight, connect, nextSendAt } = tracker;
      for (const { deadline, retryAt } of inFlight) next = Math.min(next, deadline, retryAt);
      if (queue.size === 0) continue;
      // Several at once: it saves waking up for each.
      if (usable(tracker, now)) next = Math.min(next, nextSendAt + (Math.min(queue.size, BURST) - 1) * QUERY_GAP);
      else if (!connect) next = now;
      else {
        next = Math.min(next, connect.retryAt);
        for (const { deadline } of queue) next = Math.min(next, deadline);
      }
    }
    return next === Infinity ? undefined : next;
  }

  #nextQuery(tracker: Tracker, now: number): Uint8Array | undefined {
    if (tracker.nextSendAt > now) return undefined;
    tracker.nextSendAt = Math.max(tracker.nextSendAt, now - BURST * QUERY_GAP) + QUERY_GAP;
    const [query] = tracker.queue;
    tracker.queue.delete(query);
    tracker.inFlight.add(query);
    query.sentAt = Math.min(query.sentAt, now);
    query.retryAt = now + FIRST_WAIT * 2 ** query.n;
    this.#grant(query, now);
    const { transactionId, body } = query;
    return encodeUdpTrackerRequest({ ...body, transactionId, connectionId: tracker.connection!.id });
  }

  #nextConnect(tracker: Tracker, now: number): Uint8Array | undefined {
    const { connect } = tracker;
    if (connect && connect.retryAt > now) return undefined;
    const transactionId = connect?.transactionId ?? this.#newTransaction();
    // A query that was sent again until its connection id expired goes on with its longer waits.
    let n = connect ? Math.min(connect.n + 1, MAX_DOUBLINGS) : 0;
    if (!connect) {
      for (const query of tracker.queue) {
        n = Math.max(n, query.n);
        this.#grant(query, now);
      }
    }
    tracker.connect = { transactionId, n, sentAt: now, retryAt: now + FIRST_WAIT * 2 ** n };
    this.#transactions.set(transactionId, tracker);
    return encodeUdpTrackerRequest({ action: "connect", transactionId });
  }

  /** What waited only for its turn up to now has the first wait at least. */
  #grant(query: Query, now: number): void {
    if (query.n === 0) query.deadline = Math.max(query.deadline, now + Math.min(FIRST_WAIT, this.#timeout));
  }

  #connected(now: number, tracker: Tracker, reply: UdpTrackerReply | string): void {
    if (typeof reply === "object" && reply.action === "connect") {
      this.#endConnect(tracker);
      tracker.connection = { id: reply.connectionId, until: now + CONNECTION_LIFE };
      this.#heard(tracker, now);
      for (const query of tracker.queue) query.n = 0;
    } else {
      for (const query of tracker.queue) this.#end(query, { refusal: refusalIn(reply) });
    }
  }

  #answered(now: number, query: Query, reply: UdpTrackerReply | string): void {
    const { tracker, body } = query;
    if (query.sentAt === Infinity) return; // it was not asked this yet: a guess
    this.#heard(tracker, now);
    if (typeof reply === "object" && (reply.action === "announce" || reply.action === "scrape")) {
      return this.#end(query, reply.action === body.action ? { reply } : { refusal: refusalIn(reply) });
    }
    // It restarted, say, and knows the id no more. Trackers have no code for that, only words.
    if (typeof reply === "object" && reply.action === "error" && /connection/i.test(reply.message) && !query.renewed) {
      query.renewed = true;
      query.retryAt = Infinity;
      tracker.connection = undefined;
      tracker.inFlight.delete(query);
      tracker.queue.add(query);
    } else this.#end(query, { refusal: refusalIn(reply) });
  }

  #heard(tracker: Tracker, now: number): void {
    tracker.answeredAt = now;
    tracker.silentAt = -Infinity;
  }

  #end(
    query: Query,
    outcome: { reply: UdpAnnounceReply | UdpScrapeReply } | { refusal: string } | { silent: true },
  ): void {
    this.#forget(query);
    this.#outcomes.push({ query: query.id, ...outcome });
  }

  #forget(query: Query): void {
    const { id, tracker, transactionId } = query;
    this.#queries.delete(id);
    this.#transactions.delete(transactionId);
    tracker.queue.delete(query);
    tracker.inFlight.delete(query);
    if (tracker.queue.size > 0) return;
    this.#endConnect(tracker);
    if (tracker.inFlight.size === 0) this.#busy.delete(tracker);
  }

  #endConnect(tracker: Tracker): void {
    if (tracker.connect) this.#transactions.delete(tracker.connect.transactionId);
    tracker.connect = undefined;
  }

  #trackerAt(address: PeerAddress, now: number): Tracker {
    const known = this.#trackers.get(address.key);
    if (known) return known;
    if (this.#trackers.size >= MAX_IDLE) {
      for (const [key, tracker] of this.#trackers) {
        if (tracker.queue.size + tracker.inFlight.size === 0 && !usable(tracker, now)) this.#trackers.delete(key);
      }
    }
    const tracker: Tracker = {
      address,
      queue: new Set(),
      inFlight: new Set(),
      connection: undefined,
      connect: undefined,
      nextSendAt: -Infinity,
      answeredAt: -Infinity,
      silentAt: -Infinity,
    };
    this.#trackers.set(address.key, tracker);
    return tracker;
  }

  /** Unpredictable, so that nobody who doesn't see our datagrams can answer them. */
  #newTransaction(): number {
    for (;;) {
      const id = this.#random.below(2 ** 32);
      if (!this.#transactions.has(id)) return id;
    }
  }
}

function isQuery(asked: Query | Tracker): asked is Query {
  return "body" in asked;
}

function usable({ connection }: Tracker, now: number): boolean {
  return connection !== undefined && now < connection.until;
}

// Shown on one line; a tracker can't flood the screen.
const MAX_TEXT = 200;

function refusalIn(reply: UdpTrackerReply | string): string {
  if (typeof reply === "string") return `Cannot read the tracker's answer: ${reply}`;
  if (reply.action === "error") return reply.message.slice(0, MAX_TEXT) || "The tracker refused without a reason";
  return `Cannot read the tracker's answer: it is one to "${reply.action}", which was not asked`;
}
