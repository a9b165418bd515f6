/** A set of byte offsets, kept as sorted ranges that neither overlap nor touch. */
export class ByteRanges {
  /** start, end, start, end, … */
  readonly #edges: number[] = [];
  #size = 0;

  /** How many bytes are in the set. */
  get size(): number {
    return this.#size;
  }

  /** Adds `start` up to, not including, `end`. */
  add(start: number, end: number): void {
    if (start >= end) return;
    const edges = this.#edges;
    const last = edges.length - 1;
    if (last < 0 || start > edges[last]) {
      edges.push(start, end);
      this.#size += end - start;
      return;
    }
    if (start === edges[last]) {
      edges[last] = end;
      this.#size += end - start;
      return;
    }
    let first = 0;
    while (edges[first + 1] < start) first += 2;
    let after = first;
    while (after < edges.length && edges[after] <= end) {
      this.#size -= edges[after + 1] - edges[after];
      start = Math.min(start, edges[after]);
      end = Math.max(end, edges[after + 1]);
      after += 2;
    }
    edges.splice(first, after - first, start, end);
    this.#size += end - start;
  }

  /** The first offset at or after `from` that is in the set, or Infinity. */
  nextIn(from: number): number {
    const edges = this.#edges;
    for (let i = 0; i < edges.length; i += 2) if (from < edges[i + 1]) return Math.max(from, edges[i]);
    return Infinity;
  }

  /** The first offset at or after `from` that is not in the set. */
  nextOut(from: number): number {
    const edges = this.#edges;
    for (let i = 0; i < edges.length; i += 2) if (from < edges[i + 1]) return from < edges[i] ? from : edges[i + 1];
    return from;
  }

  /** The ranges that are in this set and not in `other`. */
  minus(other: ByteRanges): [start: number, end: number][] {
    const rest: [number, number][] = [];
    for (let i = 0; i < this.#edges.length; i += 2) {
      const limit = this.#edges[i + 1];
      for (let at = other.nextOut(this.#edges[i]); at < limit;) {
        const end = Math.min(other.nextIn(at), limit);
        rest.push([at, end]);
        at = other.nextOut(end);
      }
    }
    return rest;
  }

  /** Empties the set. */
  clear(): void {
    this.#edges.length = 0;
    this.#size = 0;
  }
}
