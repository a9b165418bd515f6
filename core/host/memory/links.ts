import { type Hop, Link, type LinkOptions, type Packet } from "./link.ts";
import { SeededRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** A host, or the name of one, which may come later. */
export type Place = string | { readonly name: string };

/** A link between two hosts. Disposing it takes it away. */
export interface PairLink extends Disposable {
  readonly there: Link;
  readonly back: Link;
}

/** How one host is connected to all others. Disposing it takes it away. */
export interface AccessLink extends Disposable {
  readonly up?: Link;
  readonly down?: Link;
}

/** The links that packets pass, in order. */
export interface Path {
  readonly hops: readonly Hop[];
  /** Bytes of the largest packet that all of them take. */
  readonly mtu: number;
  /** Bytes of the largest that can be sent at all. */
  readonly limit: number;
}

/** Which links lead from one host to another. The randomness of each link is its own, so that none depends on others. */
export class Links {
  readonly #timeline: Timeline;
  readonly #seed: number | string;
  readonly #rest: Hop;
  readonly #pairs = new Map<string, Link>();
  readonly #access = new Map<string, { up?: Link; down?: Link }>();
  #everywhere: { readonly options: LinkOptions; readonly links: Map<string, Link> } | undefined;
  /** By the hosts' names. */
  readonly #paths = new Map<string, Map<string, Path | undefined>>();
  /** Whether there are any. */
  any = false;

  /** @param rest stands between hosts that no link connects, when their access links are there */
  constructor(timeline: Timeline, seed: number | string, rest: Hop) {
    this.#timeline = timeline;
    this.#rest = rest;
    this.#seed = seed;
  }

  connect(a: Place, b: Place, options: LinkOptions, back: LinkOptions): PairLink {
    const [there, home] = [pair(nameOf(a), nameOf(b)), pair(nameOf(b), nameOf(a))];
    if (there === home) throw new Error(`Cannot connect "${nameOf(a)}" with itself: name two hosts`);
    const links = { there: this.#link(there, options), back: this.#link(home, back) };
    this.#pairs.set(there, links.there);
    this.#pairs.set(home, links.back);
    this.#changed();
    const dispose = (): void => {
      if (this.#pairs.get(there) === links.there) this.#pairs.delete(there);
      if (this.#pairs.get(home) === links.back) this.#pairs.delete(home);
      this.#changed();
    };
    return { ...links, [Symbol.dispose]: dispose };
  }

  access(host: Place, { up, down }: { readonly up?: LinkOptions; readonly down?: LinkOptions }): AccessLink {
    const name = nameOf(host);
    const links = {
      up: up && this.#link(`up ${name}`, up),
      down: down && this.#link(`down ${name}`, down),
    };
    this.#access.set(name, links);
    this.#changed();
    const dispose = (): void => {
      if (this.#access.get(name) === links) this.#access.delete(name);
      this.#changed();
    };
    return { ...links, [Symbol.dispose]: dispose };
  }

  everywhere(options: LinkOptions): Disposable {
    new Link(this.#timeline, new SeededRandom(0), options); // so that a mistake shows here
    const mine = this.#everywhere = { options, links: new Map<string, Link>() };
    this.#changed();
    const dispose = (): void => {
      if (this.#everywhere === mine) this.#everywhere = undefined;
      this.#changed();
    };
    return { [Symbol.dispose]: dispose };
  }

  /** The way between two hosts; undefined when no link is on it. */
  path(from: string, to: string): Path | undefined {
    let paths = this.#paths.get(from);
    if (!paths) this.#paths.set(from, paths = new Map());
    if (!paths.has(to)) paths.set(to, this.#find(from, to));
    return paths.get(to);
  }

  #find(from: string, to: string): Path | undefined {
    const between = this.#between(pair(from, to));
    const [up, down] = [this.#access.get(from)?.up, this.#access.get(to)?.down];
    if (!between && !up && !down) return undefined;
    const hops = [up, between ?? this.#rest, down].filter((hop) => hop !== undefined);
    return {
      hops,
      get mtu() {
        return Math.min(...hops.map(({ mtu }) => mtu));
      },
      get limit() {
        return Math.min(...hops.map(({ mtu, oversize }) => oversize === "refuse" ? mtu : Infinity));
      },
    };
  }

  #between(key: string): Link | undefined {
    const own = this.#pairs.get(key);
    if (own || !this.#everywhere) return own;
    const { links, options } = this.#everywhere;
    let link = links.get(key);
    if (!link) links.set(key, link = this.#link(key, options));
    return link;
  }

  #link(key: string, options: LinkOptions): Link {
    return new Link(this.#timeline, new SeededRandom(`link ${this.#seed} ${key}`), options);
  }

  #changed(): void {
    this.#paths.clear();
    this.any = this.#pairs.size > 0 || this.#access.size > 0 || this.#everywhere !== undefined;
  }
}

/** Sends a packet over the hops, one after the other: what comes first to one of them is first in its queue. */
export function cross(hops: readonly Hop[], packet: Packet, arrive: () => void, lost: () => void, at = 0): void {
  const next = at + 1;
  hops[at].pass(packet, next === hops.length ? arrive : () => cross(hops, packet, arrive, lost, next), lost);
}

function pair(from: string, to: string): string {
  return `${from} > ${to}`;
}

function nameOf(place: Place): string {
  return typeof place === "string" ? place : place.name;
}
