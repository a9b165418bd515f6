/** What eviction goes by. */
export interface Evictable {
  readonly banned: boolean;
  readonly failures: number;
  /** Milliseconds. */
  readonly lastSeen: number;
}

/**
 * How much of a full pool each source holds. Room is made only at the expense of the source that holds most, so that a
 * flood of addresses from one can't push out what the others named.
 */
export class PeerShares<P extends Evictable> {
  /** By the source that named them first; the longest not looked at first. */
  readonly #shares = new Map<string, Set<P>>();

  add(source: string, peer: P): void {
    const share = this.#shares.get(source);
    if (share) share.add(peer);
    else this.#shares.set(source, new Set([peer]));
  }

  remove(source: string, peer: P): void {
    const share = this.#shares.get(source);
    share?.delete(peer);
    if (share?.size === 0) this.#shares.delete(source);
  }

  /**
   * The peer to evict for one that `source` names: the worst of a few of the largest share. Undefined when they are all
   * in use, or when it is the source's own share and none of them is worse than an unknown one; with `force`, those go
   * too.
   */
  victim(
    now: number,
    source: string,
    options: { readonly inUse: (peer: P) => boolean; readonly force: boolean },
  ): P | undefined {
    const own = this.#shares.get(source)?.size ?? 0;
    let largest = source;
    let size = own;
    for (const [name, share] of this.#shares) if (share.size > size) [largest, size] = [name, share.size];
    const share = this.#shares.get(largest);
    let worst: P | undefined;
    let looked = 0;
    for (const peer of share ?? []) {
      if (looked++ === sample) break;
      // To the end of the line: the next search begins with peers that this one did not see.
      share!.delete(peer);
      share!.add(peer);
      if (!options.inUse(peer) && (!worst || isWorse(peer, worst))) worst = peer;
    }
    if (!worst || options.force || size > own + 1) return worst;
    return worst.banned || worst.failures > 0 || now - worst.lastSeen > staleAfter ? worst : undefined;
  }
}

/** Peers looked at to find one to evict: a flood of addresses costs little each. */
const sample = 8;
/** A peer that nobody has named for so long (milliseconds) is no better than an unknown one. */
const staleAfter = 30 * 60_000;

function isWorse(a: Evictable, b: Evictable): boolean {
  if (a.banned !== b.banned) return a.banned;
  if (a.failures !== b.failures) return a.failures > b.failures;
  return a.lastSeen < b.lastSeen;
}
