/**
 * What the neighbours said: who serves which swarm, with bounds on what anyone may make us remember and do.
 *
 * @module
 */
import { type PeerAddress, peerAddress } from "weft";
import { decodeAnnounce } from "./codec.ts";
import { PERIOD } from "./schedule.ts";

// Who missed two announces is gone (ms).
const FORGET = 2 * PERIOD + 60_000;
// A LAN has some hundred machines; an address that is made up costs about 200 bytes.
const MAX_PEERS = 4_000;
// Several clients may run on one machine, but not thousands: a liar can name every port there is.
const MAX_PORTS = 8;
// Some clients send a datagram for each swarm on each of their sockets: a burst of a thousand is honest.
const SENDER_BURST = 1_000;
const SENDER_RATE = 20; // a second
const TOTAL_BURST = 4_000;
const TOTAL_RATE = 200; // a second: a few milliseconds of work
// Whose budgets are kept. Made-up senders push each other out, and meet the budget of all.
const MAX_SENDERS = 1_000;

/** A neighbour that serves a swarm of ours. */
export interface Neighbour {
  /** The swarm's wire id in hex. */
  readonly hex: string;
  readonly address: PeerAddress;
}

/** What is left of a budget, and when that was. */
interface Budget {
  left: number;
  at: number;
}

/** The neighbours that announced our swarms. It knows nothing of sockets; time is given. */
export class Neighbours {
  /** When each was last heard, by address and swarm, the longest silent first. */
  readonly #heard = new Map<string, Neighbour & { at: number }>();
  /** By swarm and IP. */
  readonly #bySwarm = new Map<string, Map<string, readonly PeerAddress[]>>();
  readonly #senders = new Map<string, Budget>();
  readonly #total: Budget = { left: TOTAL_BURST, at: -Infinity };

  constructor(readonly cookie: string) {}

  /** How many are remembered. */
  get size(): number {
    return this.#heard.size;
  }

  /**
   * Takes a datagram. `ours` says which wire ids are those of swarms that may be announced.
   *
   * @returns the neighbours that weren't known before; none from our own announces, and from what is over the budget
   * @throws {ProtocolError} when it is no announce
   */
  handleDatagram(now: number, bytes: Uint8Array, from: PeerAddress, ours: (hex: string) => boolean): Neighbour[] {
    if (!this.#affords(now, from.ip)) return [];
    const announce = decodeAnnounce(bytes);
    if (announce.cookie === this.cookie) return [];
    this.#forget(now);
    const address = peerAddress(from.ip, announce.port);
    return announce.infoHashes.filter(ours).flatMap((hex) => this.#hear(now, hex, address) ? [{ hex, address }] : []);
  }

  /** Who serves the swarm. */
  of(now: number, hex: string): PeerAddress[] {
    this.#forget(now);
    return [...this.#bySwarm.get(hex)?.values() ?? []].flat();
  }

  /** Whether that one is new. */
  #hear(now: number, hex: string, address: PeerAddress): boolean {
    const key = `${address.key} ${hex}`;
    const known = this.#heard.get(key);
    if (known) this.#remove(key, known);
    const ports = this.#bySwarm.get(hex)?.get(address.ip) ?? [];
    if (ports.length >= MAX_PORTS) this.#remove(`${ports[0].key} ${hex}`, { hex, address: ports[0] });
    const peers = this.#bySwarm.get(hex) ?? new Map<string, readonly PeerAddress[]>();
    this.#heard.set(key, { hex, address, at: now });
    this.#bySwarm.set(hex, peers.set(address.ip, [...peers.get(address.ip) ?? [], address]));
    if (this.#heard.size > MAX_PEERS) this.#removeFirst();
    return known === undefined;
  }

  #forget(now: number): void {
    for (const { at } of this.#heard.values()) {
      if (at + FORGET > now) return;
      this.#removeFirst();
    }
  }

  #removeFirst(): void {
    const [[key, neighbour]] = this.#heard;
    this.#remove(key, neighbour);
  }

  #remove(key: string, { hex, address }: Neighbour): void {
    this.#heard.delete(key);
    const peers = this.#bySwarm.get(hex)!;
    const left = peers.get(address.ip)!.filter(({ key }) => key !== address.key);
    if (left.length > 0) peers.set(address.ip, left);
    else peers.delete(address.ip);
    if (peers.size === 0) this.#bySwarm.delete(hex);
  }

  /** Counts a datagram against its sender's budget and that of all. */
  #affords(now: number, ip: string): boolean {
    const sender = this.#senders.get(ip) ?? { left: SENDER_BURST, at: now };
    this.#senders.delete(ip);
    this.#senders.set(ip, sender);
    if (this.#senders.size > MAX_SENDERS) this.#senders.delete(this.#senders.keys().next().value!);
    return spend(sender, now, SENDER_RATE, SENDER_BURST) && spend(this.#total, now, TOTAL_RATE, TOTAL_BURST);
  }
}

function spend(budget: Budget, now: number, rate: number, burst: number): boolean {
  budget.left = Math.min(burst, budget.left + (now - budget.at) / 1000 * rate);
  budget.at = now;
  if (budget.left < 1) return false;
  budget.left--;
  return true;
}
