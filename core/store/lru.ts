// A doubly linked list through the nodes themselves: touching one allocates nothing.

/** What a node of an {@link Lru} carries. Only the list changes these fields. */
export interface LruNode {
  older?: this;
  newer?: this;
  listed: boolean;
}

/** Nodes from the one used longest ago to the one used last. */
export class Lru<Node extends LruNode> {
  #oldest?: Node;
  #newest?: Node;

  /** The node used longest ago. */
  get oldest(): Node | undefined {
    return this.#oldest;
  }

  /** Makes the node the newest, whether it was listed or not. */
  touch(node: Node): void {
    if (this.#newest === node) return;
    this.remove(node);
    node.listed = true;
    node.older = this.#newest;
    if (this.#newest) this.#newest.newer = node;
    else this.#oldest = node;
    this.#newest = node;
  }

  /** Takes the node out; fine when it isn't in. */
  remove(node: Node): void {
    if (!node.listed) return;
    if (node.older) node.older.newer = node.newer;
    else this.#oldest = node.newer;
    if (node.newer) node.newer.older = node.older;
    else this.#newest = node.older;
    node.older = undefined;
    node.newer = undefined;
    node.listed = false;
  }
}
