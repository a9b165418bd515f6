/** Our own address, as the nodes that answer us see it (BEP 42). @module */
import { holderOf, type PeerAddress } from "weft";
import { isPublic, networkOf } from "./contact.ts";

// Votes that count at once, the latest of each network: liars with one network have one vote.
const MAX_VOTES = 24;
// A change of our id throws our place in the network away, so a few liars must not bring it about.
const NEEDED = 6;
const SHARE = 2 / 3;

/** Counts what responders say; one vote a network of theirs. */
export class ExternalIp {
  readonly #votes = new Map<string, string>();
  #current: string | undefined;

  constructor(current?: string) {
    this.#current = current;
  }

  /** The address that most agree on. */
  get current(): string | undefined {
    return this.#current;
  }

  /** `from` says that it sees us at `seen`. Returns our address when it is another than before. */
  vote(seen: PeerAddress, from: PeerAddress): string | undefined {
    if (seen.family !== from.family || !isPublic(seen)) return undefined;
    const voter = isPublic(from) ? networkOf(from) : holderOf(from);
    this.#votes.delete(voter);
    this.#votes.set(voter, seen.ip);
    if (this.#votes.size > MAX_VOTES) this.#votes.delete(this.#votes.keys().next().value!);
    if (seen.ip === this.#current) return undefined;
    const votes = [...this.#votes.values()].filter((ip) => ip === seen.ip).length;
    if (votes < NEEDED || votes < this.#votes.size * SHARE) return undefined;
    this.#current = seen.ip;
    return seen.ip;
  }
}
