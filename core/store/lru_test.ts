import assert from "node:assert/strict";
import { Lru, type LruNode } from "./lru.ts";

class Node implements LruNode {
  declare older?: this;
  declare newer?: this;
  listed = false;
}

Deno.test("Lru keeps the node used longest ago in front", () => {
  const [a, b, c] = [new Node(), new Node(), new Node()];
  const lru = new Lru<Node>();
  for (const node of [a, b, c, a]) lru.touch(node);
  assert.equal(lru.oldest, b);
  lru.remove(b);
  lru.remove(b);
  assert.equal(lru.oldest, c);
  lru.remove(c);
  lru.remove(a);
  assert.equal(lru.oldest, undefined);
  lru.touch(c);
  assert.equal(lru.oldest, c);
});
