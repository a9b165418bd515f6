/** The tracker over UDP: a pure machine, datagrams in and out. @module */
import { parseIp, type PeerAddress, ProtocolError, type Random } from "weft";
import { AddressRates, BUDGET_SECRET_BYTES } from "./address_budget.ts";
import { ConnectionIds } from "./connection_id.ts";
import {
  actions,
  readAnnounce,
  readHeader,
  readScrape,
  type RequestHeader,
  writeAnswer,
  writeConnect,
  writeError,
  writeScrape,
} from "./datagrams.ts";
import { packAddress } from "./peer_table.ts";
import { Refusal, type Tracker } from "./tracker.ts";

/** What happened to datagrams. */
export interface UdpFigures {
  readonly datagrams: number;
  readonly connects: number;
  /** Without a connection id that is good, or too short for one: not answered. */
  readonly ignored: number;
  readonly malformed: number;
}

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
    const header = readHeader(bytes);
    if (header?.connects && this.#connects.take(now, packAddress(ip, 0))) {
      this.#counted.connects++;
      return writeConnect(header.transaction, this.#ids.give(now, ip));
    }
    if (!header || header.connects || !this.#ids.check(now, ip, header.connection)) {
      this.#counted.ignored++;
      return undefined;
    }
    try {
      return this.#answer(now, bytes, header, ip);
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof ProtocolError)) throw error;
      if (error instanceof ProtocolError) this.#counted.malformed++;
      return writeError(header.transaction, error.message);
    }
  }

  #answer(now: number, bytes: Uint8Array, { action, transaction }: RequestHeader, ip: Uint8Array): Uint8Array {
    const six = ip.length === 16;
    if (action === actions.announce) {
      // Whatever path its URL data names, there is one tracker here.
      const { urlData: _, ...announce } = readAnnounce(bytes, six);
      const answer = this.#tracker.announce(now, { ...announce, ip, bothFamilies: false, ids: false });
      return writeAnswer(transaction, answer, six);
    }
    if (action === actions.scrape) {
      return writeScrape(transaction, this.#tracker.scrape(now, ip, readScrape(bytes)));
    }
    throw new ProtocolError("the action must be connect, announce or scrape");
  }
}
