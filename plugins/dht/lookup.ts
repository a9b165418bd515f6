/** An iterative lookup: asks ever closer nodes until the closest have answered. @module */
import { holderOf, type PeerAddress } from "weft";
import { type Contact, isPublic, isSecure, networkOf } from "./contact.ts";
import { compareDistance, type NodeId } from "./node_id.ts";
import { K, type Secure } from "./routing_table.ts";

// Queries under way that may still answer in time; slow ones don't count.
const ALPHA = 4;
// Queries in all: liars who name ever closer nodes must not keep a lookup going.
const MAX_ASKED = 200;
// With "prefer", queries to nodes whose ids don't fit: a network without fitting ids needs no more, and liars can be as
// many as they like.
const MAX_ASKED_UNFIT = 32;
// Nodes taken from one answer; BEP 5 gives 8, and who gives more wants the whole of our attention.
const MAX_NAMED = 16;
// Candidates kept, the closest ones: far more than are ever asked.
const MAX_CANDIDATES = 256;
// A node that named so many more nodes that don't answer than such that do has the rest of its nodes ignored.
const MAX_BLAME = 3;
// One party with a whole network must not be all that a lookup meets.
const MAX_PER_NETWORK = 3;

/** A node that answered a lookup. */
export interface Answered extends Contact {
  /** What it wants to be shown when it is told something. */
  readonly token?: Uint8Array;
}

interface Candidate {
  id: NodeId;
  readonly address: PeerAddress;
  secure: boolean;
  state: "new" | "asked" | "slow" | "answered" | "failed";
  readonly namer: Candidate | undefined;
  /** Nodes that it named and that failed, less those that answered. */
  blame: number;
  token?: Uint8Array;
  /** Steps from those that the lookup began with. */
  readonly depth: number;
}

export class Lookup {
  readonly target: NodeId;
  readonly #secure: Secure;
  readonly #self: NodeId | undefined;
  /** By distance to the target, closest first. */
  readonly #candidates: Candidate[] = [];
  readonly #byAddress = new Map<string, Candidate>();
  /** The one candidate of whoever holds an address. */
  readonly #byHolder = new Map<string, Candidate>();
  readonly #networks = new Map<string, number>();
  /** Addresses without a known id, asked before anything is known. */
  readonly #doors: PeerAddress[] = [];
  readonly #entering = new Set<string>();
  #active = 0;
  #asked = 0;
  #askedUnfit = 0;

  /** `self` is our own id, which others name and nobody asks. */
  constructor(target: NodeId, secure: Secure, self?: NodeId) {
    this.target = target;
    this.#secure = secure;
    this.#self = self;
  }

  /** Queries that were sent. */
  get asked(): number {
    return this.#asked;
  }

  /** Steps to the deepest node that answered. */
  get hops(): number {
    return this.#candidates.reduce((most, { state, depth }) => state === "answered" ? Math.max(most, depth) : most, 0);
  }

  /** Nodes to begin with. */
  begin(contacts: readonly Contact[], doors: readonly PeerAddress[] = []): void {
    for (const contact of contacts) this.#add(contact, undefined);
    this.#doors.push(...doors.filter(({ key }) => !this.#byAddress.has(key)));
  }

  /** Whom to ask now; undefined while enough are asked, or once there is nobody left. It counts as asked. */
  next(): PeerAddress | undefined {
    if (this.#active >= ALPHA || this.#asked >= MAX_ASKED) return undefined;
    const candidate = this.#due();
    if (!candidate) {
      const door = this.#doors.pop();
      if (!door) return undefined;
      this.#entering.add(door.key);
      this.#active++;
      this.#asked++;
      return door;
    }
    candidate.state = "asked";
    this.#active++;
    this.#asked++;
    if (!candidate.secure) this.#askedUnfit++;
    return candidate.address;
  }

  /** Whether nothing more is to be asked or waited for. */
  get done(): boolean {
    return this.#active === 0 && (this.#asked >= MAX_ASKED || (this.#doors.length === 0 && !this.#due()));
  }

  /** A node answered; its id is what it says, whoever named it. */
  answered({ id, address }: Contact, named: readonly Contact[], token?: Uint8Array): void {
    if (this.#entering.delete(address.key)) {
      this.#active--;
      this.#add({ id, address }, undefined);
    }
    const candidate = this.#byAddress.get(address.key);
    if (!candidate || candidate.state === "answered") return;
    if (candidate.state === "asked") this.#active--;
    if (candidate.id !== id) {
      // Who named it lied of its id, or it has a new one.
      this.#blame(candidate.namer, 1);
      this.#unlist(candidate);
      candidate.id = id;
      candidate.secure = isSecure({ id, address });
      this.#list(candidate);
    } else {
      this.#blame(candidate.namer, -1);
    }
    candidate.state = "answered";
    candidate.token = token;
    for (const contact of named.slice(0, MAX_NAMED)) this.#add(contact, candidate);
  }

  /** A node takes long: others are asked meanwhile. */
  slow({ key }: PeerAddress): void {
    if (this.#entering.delete(key)) this.#active--;
    const candidate = this.#byAddress.get(key);
    if (candidate?.state !== "asked") return;
    candidate.state = "slow";
    this.#active--;
    this.#blame(candidate.namer, 1);
  }

  /** A node gave no answer of use. */
  failed({ key }: PeerAddress): void {
    if (this.#entering.delete(key)) this.#active--;
    const candidate = this.#byAddress.get(key);
    if (!candidate || candidate.state === "answered") return;
    if (candidate.state === "asked") {
      this.#active--;
      this.#blame(candidate.namer, 1);
    }
    candidate.state = "failed";
  }

  /** The closest nodes that answered, closest first, and with BEP 42 also the closest of those whose id is their own. */
  closest(): Answered[] {
    const found = this.#candidates.filter(({ state }) => state === "answered");
    const trusted = this.#secure === "off" ? [] : found.filter(({ secure }) => secure);
    const chosen = new Set([...found.slice(0, K), ...trusted.slice(0, K)]);
    return found.filter((candidate) => chosen.has(candidate)).map(({ id, address, token }) => ({ id, address, token }));
  }

  /**
   * The next candidate among the K closest that may still answer, and among the K closest with ids that fit their
   * addresses: those can't choose to be close, so they are a way past a crowd of liars around the target.
   */
  #due(): Candidate | undefined {
    const open = ({ state, namer }: Candidate): boolean =>
      state === "answered" || state === "asked" || (state === "new" && (namer?.blame ?? 0) < MAX_BLAME);
    const first = (trusted: boolean): Candidate | undefined => {
      let seen = 0;
      for (const candidate of this.#candidates) {
        if ((trusted && !candidate.secure) || !open(candidate)) continue;
        if (candidate.state === "new") return candidate;
        if (++seen === K) return undefined;
      }
    };
    const all = this.#secure === "off" || this.#askedUnfit < MAX_ASKED_UNFIT ? first(false) : undefined;
    return all ?? (this.#secure === "prefer" ? first(true) : undefined);
  }

  #blame(namer: Candidate | undefined, more: number): void {
    if (namer) namer.blame += more;
  }

  #add({ id, address }: Contact, namer: Candidate | undefined): void {
    const same = this.#byAddress.get(address.key);
    if (id === this.#self || (same && (same.state !== "new" || same.id === id))) return;
    const secure = isSecure({ id, address });
    if (!secure && this.#secure === "require") return;
    const open = isPublic(address);
    const holder = open ? holderOf(address) : address.key;
    const known = this.#byHolder.get(holder);
    if (known && (known.state === "slow" || known.state === "failed")) {
      if (known.address.key === address.key) return;
    } else if (known) {
      // Of two claims the closer one is believed until it answers: a lie must not keep a close node from being asked.
      if (known.state !== "new" || compareDistance(this.target, id, known.id) >= 0) return;
      this.#unlist(known);
    } else if (open) {
      const network = networkOf(address);
      const count = this.#networks.get(network) ?? 0;
      if (count >= MAX_PER_NETWORK) return;
      this.#networks.set(network, count + 1);
    }
    const candidate: Candidate = {
      id,
      address,
      secure,
      state: "new",
      namer,
      blame: 0,
      depth: namer ? namer.depth + 1 : 0,
    };
    this.#byHolder.set(holder, candidate);
    this.#list(candidate);
    if (this.#candidates.length > MAX_CANDIDATES) {
      const last = this.#candidates.at(-1)!;
      if (last.state === "new") this.#unlist(last);
    }
  }

  #list(candidate: Candidate): void {
    this.#byAddress.set(candidate.address.key, candidate);
    let [low, high] = [0, this.#candidates.length];
    while (low < high) {
      const middle = low + high >> 1;
      if (compareDistance(this.target, this.#candidates[middle].id, candidate.id) <= 0) low = middle + 1;
      else high = middle;
    }
    this.#candidates.splice(low, 0, candidate);
  }

  #unlist(candidate: Candidate): void {
    this.#byAddress.delete(candidate.address.key);
    this.#candidates.splice(this.#candidates.indexOf(candidate), 1);
  }
}
