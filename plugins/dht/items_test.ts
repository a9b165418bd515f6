import assert from "node:assert/strict";
import { byteString, ed25519PublicKey, fromByteString, fromHex, peerAddress, toHex, utf8Encode } from "weft";
import { itemFault, ItemStore, itemTarget, mutableTarget, signItem } from "./items.ts";
import { ERROR } from "./krpc.ts";

const from = peerAddress("192.0.2.1", 1);
const hour = 60 * 60_000;
const v = utf8Encode("12:Hello World!");
const k = fromHex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548");
const seed = new Uint8Array(32).fill(7);
const key = ed25519PublicKey(seed);
const hex = (target: string): string => toHex(fromByteString(target));

Deno.test("the test vectors of BEP 44 have their targets, and their signatures hold", () => {
  const plain = "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff" +
    "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01";
  const salted = "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d" +
    "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08";
  const salt = utf8Encode("foobar");
  assert.equal(itemFault({ v, k, seq: 1, sig: fromHex(plain) }), undefined);
  assert.equal(itemFault({ v, k, seq: 1, salt, sig: fromHex(salted) }), undefined);
  assert.equal(itemFault({ v, k, seq: 2, sig: fromHex(plain) })?.code, ERROR.signature);
  assert.equal(itemFault({ v, k, seq: 1, sig: fromHex(salted) })?.code, ERROR.signature);
  assert.equal(hex(mutableTarget(k)), "4a533d47ec9c7d95b1ad75f576cffc641853b750");
  assert.equal(hex(mutableTarget(k, salt)), "411eba73b6f087ca51a3795d9c8c938d365e32c1");
  assert.equal(hex(itemTarget({ v })), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
});

Deno.test("put() stores both kinds, get() gives them for two hours", () => {
  const store = new ItemStore();
  const mutable = signItem(seed, key, { v, seq: 3, salt: utf8Encode("x") });
  assert.equal(store.put(0, { v }, from), undefined);
  assert.equal(store.put(hour, mutable, from), undefined);
  assert.deepEqual(store.get(hour, itemTarget({ v })), { v });
  assert.deepEqual(store.get(hour, itemTarget(mutable)), mutable);
  assert.equal(store.get(2 * hour, itemTarget({ v })), undefined);
  store.expire(2 * hour);
  assert.equal(store.size, 1);
});

Deno.test("put() refuses in the codes of BEP 44, and keeps what was there", () => {
  const store = new ItemStore();
  const put = (seq: number, text: string, more = {}): number | undefined =>
    store.put(0, { ...signItem(seed, key, { v: utf8Encode(text), seq }), ...more }, from)?.code;
  assert.equal(put(5, "1:a"), undefined);
  assert.equal(put(5, "1:a"), undefined);
  assert.equal(put(5, "1:b"), ERROR.sequence);
  assert.equal(put(4, "1:b"), ERROR.sequence);
  assert.equal(put(6, "1:b", { cas: 4 }), ERROR.cas);
  assert.equal(put(6, "1:b", { sig: new Uint8Array(64) }), ERROR.signature);
  assert.equal(put(6, "1:b", { sig: undefined }), ERROR.protocol);
  assert.equal(put(6, "1:b", { salt: new Uint8Array(65) }), ERROR.saltTooBig);
  assert.equal(byteString(store.get(0, mutableTarget(key))!.v), "1:a");
  assert.equal(put(6, "1:b", { cas: 5 }), undefined);
  assert.equal(store.put(0, { v: new Uint8Array(1001) }, from)?.code, ERROR.tooBig);
  assert.equal(store.put(0, {}, from)?.code, ERROR.protocol);
});

Deno.test("one address has room for 50 items, and there are at most 1,000", () => {
  const store = new ItemStore();
  const put = (n: number, ip: string): number | undefined =>
    store.put(0, { v: utf8Encode(`i${n}e`) }, peerAddress(ip, 1))?.code;
  for (let n = 0; n < 60; n++) assert.equal(put(n, "192.0.2.1"), n < 50 ? undefined : ERROR.server);
  for (let n = 100; n < 3_000; n++) put(n, `20.0.${n >> 8}.${n & 255}`);
  assert.equal(store.size, 1_000);
});
