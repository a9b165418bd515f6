import assert from "node:assert/strict";
import { ProtocolError } from "weft";
import { Inbox, type Waiting } from "./inbox.ts";

/** Feeds `bytes` one at a time until `waiting` is through, and says what it gave and how many bytes that took. */
function feed<T>(inbox: Inbox, waiting: Waiting<T>, bytes: readonly number[]): { value: T | undefined; took: number } {
  for (let took = 0;; took++) {
    const { done, value } = waiting.next();
    if (done) return { value, took };
    if (took === bytes.length) return { value: undefined, took };
    inbox.push(Uint8Array.of(bytes[took]));
  }
}

Deno.test("Inbox waits for as many bytes as are taken, and keeps the rest", () => {
  const inbox = new Inbox();
  assert.deepEqual(feed(inbox, inbox.take(3), [1, 2, 3, 4]), { value: Uint8Array.of(1, 2, 3), took: 3 });
  inbox.push(Uint8Array.of(4, 5, 6));
  assert.deepEqual(feed(inbox, inbox.take(2), []), { value: Uint8Array.of(4, 5), took: 0 });
  assert.deepEqual(inbox.rest(), Uint8Array.of(6));
  assert.deepEqual(inbox.rest(), new Uint8Array());
});

Deno.test("Inbox skips past a pattern, with no padding before it, some, or as much as may be", () => {
  for (const pad of [0, 1, 5]) {
    const inbox = new Inbox();
    inbox.push(Uint8Array.of(...new Array(pad).fill(1), 1, 1, 2, 9));
    assert.equal(feed(inbox, inbox.skipPast(Uint8Array.of(1, 1, 2), 5, "a pattern"), []).took, 0);
    assert.deepEqual(inbox.rest(), Uint8Array.of(9));
  }
});

Deno.test("Inbox says what is missing as soon as the pattern can't come any more, and not before", () => {
  const inbox = new Inbox();
  const zeros = new Array(100).fill(0);
  const skipping = inbox.skipPast(Uint8Array.of(1, 2, 3), 5, "a pattern");
  assert.equal(feed(inbox, skipping, zeros.slice(0, 7)).took, 7);
  inbox.push(Uint8Array.of(0));
  assert.throws(
    () => skipping.next(),
    new ProtocolError("Cannot encrypt: expected a pattern after at most 5 bytes of padding"),
  );
});
