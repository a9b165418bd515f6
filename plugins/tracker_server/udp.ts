/** The tracker over UDP: a pure machine, datagrams in and out (BEP 15, BEP 41). @module */
import {
  decodeUdpTrackerRequest,
  encodeUdpTrackerReply,
  parseIp,
  type PeerAddress,
  ProtocolError,
  type Random,
  readUdpTrackerHeader,
  UDP_TRACKER_MAGIC,
  type UdpTrackerReply,
} from "weft";
import { AddressRates, BUDGET_SECRET_BYTES } from "./address_budget.ts";
import { ConnectionIds } from "./connection_id.ts";
import { compactLength, packAddress } from "./peer_table.ts";
import { type Answer, Refusal, type Tracker } from "./tracker.ts";

/** What happened to datagrams. */
export interface UdpFigures {
  readonly datagrams: number;
  readonly connects: number;
  /** Without a connection id that is good, or too short for one: not answered. */
  readonly ignored: number;
  readonly malformed: number;
}

const CONNECT = 0;
const ANNOUNCE_REPLY_LENGTH = 20;
// What surely passes in one packet (bytes of UDP payload).
const MAX_REPLY = 1_400;

export class UdpTracker {
  readonly #tracker: Tracker;
  readonly #ids: ConnectionIds;
  /** Apart from announces: who forges an address must not use up what its owner may announce. */
  readonly #connects: AddressRates;
  readonly #counted = { datagrams: 0, connects: 0, ignored: 0, malformed: 0 };

  /** @param secret what connection ids are made of, 16 bytes; those of the same secret are good here too */
  constructor(tracker: Tracker, random: Random, secret: Uint8Array) {
    this.#tracker = tracker;
    this.#ids = new ConnectionIds(secret);
    this.#connects = new AddressRates(tracker.settings.requestsPerSecond, random.bytes(BUDGET_SECRET_BYTES));
  }

  get figures(): UdpFigures {
    return { ...this.#counted };
  }

  /**
   * The reply to a datagram, if it gets one. An address that has not proved itself by a connection id gets no more than
   * the 16 bytes that asking for one takes.
   */
  handle(now: number, bytes: Uint8Array, from: PeerAddress): Uint8Array | undefined {
    this.#counted.datagrams++;
    const ip = parseIp(from.ip)!.bytes;
    const { connectionId, action, transactionId } = readUdpTrackerHeader(bytes) ?? {};
    const connects = action === CONNECT && connectionId === UDP_TRACKER_MAGIC;
    if (connects && this.#connects.take(now, packAddress(ip, 0))) {
      this.#counted.connects++;
      return encode({ action: "connect", transactionId: transactionId!, connectionId: this.#ids.give(now, ip) });
    }
    if (connects || connectionId === undefined || !this.#ids.check(now, ip, connectionId)) {
      this.#counted.ignored++;
      return undefined;
    }
    try {
      return this.#answer(now, bytes, ip);
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof ProtocolError)) throw error;
      if (error instanceof ProtocolError) this.#counted.malformed++;
      return encode({ action: "error", transactionId: transactionId!, message: error.message });
    }
  }

  #answer(now: number, bytes: Uint8Array, ip: Uint8Array): Uint8Array {
    const request = decodeUdpTrackerRequest(bytes);
    const { transactionId } = request;
    if (request.action === "connect") throw new ProtocolError("you are connected");
    if (request.action === "scrape") {
      const figures = this.#tracker.scrape(now, ip, request.infoHashes);
      const swarms = figures.map((swarm) => ({
        seeders: swarm?.seeds ?? 0,
        completed: swarm?.downloads ?? 0,
        leechers: swarm?.leechers ?? 0,
      }));
      return encode({ action: "scrape", transactionId, swarms });
    }
    // Whatever path its URL data names, there is one tracker here; and the address that it claims could be a victim's.
    const { infoHash, peerId, port, left, event, key, wanted } = request;
    const six = ip.length === 16;
    const room = Math.floor((MAX_REPLY - ANNOUNCE_REPLY_LENGTH) / compactLength(six));
    const answer = this.#tracker.announce(now, {
      ...{ infoHash, peerId, ip, port, event, key },
      complete: left === 0,
      wanted: wanted === undefined ? undefined : Math.min(wanted, room),
      bothFamilies: false,
      ids: false,
    });
    return writeAnswer(transactionId, answer, six ? answer.peers6 : answer.peers);
  }
}

/** Replies without peers, which are the same over both families. */
function encode(reply: UdpTrackerReply): Uint8Array {
  return encodeUdpTrackerReply(reply, 4);
}

/** Peers come out of the table as the reply has them: parsing them for the codec to write again would cost the most. */
function writeAnswer(transactionId: number, { interval, leechers, seeds }: Answer, peers: Uint8Array): Uint8Array {
  const head = encode({ action: "announce", transactionId, interval, leechers, seeders: seeds, peers: [] });
  const bytes = new Uint8Array(head.length + peers.length);
  bytes.set(head);
  bytes.set(peers, head.length);
  return bytes;
}
