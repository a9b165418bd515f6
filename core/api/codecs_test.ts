import assert from "node:assert/strict";
import { fromHex, InfoHash, peerAddress, torrentId } from "../wire/mod.ts";
import * as hooks from "./hooks.ts";
import { admitPeers, discoverPeers, type Hook, resolveMetadata, trackerStatus } from "./mod.ts";

const id = torrentId({ v1: InfoHash.parse("ab".repeat(20)), v2: fromHex("cd".repeat(32)) });

Deno.test("hooks that hand out live objects (around, keyed) have no codec, all others have one", () => {
  for (const hook of Object.values(hooks) as unknown as Hook[]) {
    assert.equal(hook.contract.codec === undefined, ["around", "keyed"].includes(hook.verb), hook.name);
  }
});

Deno.test("a request crosses as plain data and comes back the same", () => {
  const { encodeInput, decodeInput } = discoverPeers.contract.codec!;
  const plain = structuredClone(encodeInput({ id, wanted: 5, port: 6881 }));
  assert.deepEqual(plain, { id: { v1: "ab".repeat(20), v2: "cd".repeat(32) }, wanted: 5, port: 6881 });
  assert.deepEqual(decodeInput(plain), { id, wanted: 5, port: 6881 });
});

Deno.test("a candidate comes back with its address parsed anew, and with nothing else that was added", () => {
  const { encodeOutput, decodeOutput } = discoverPeers.contract.codec!;
  const address = peerAddress("192.0.2.1", 6881);
  assert.deepEqual(encodeOutput({ address, namedBy: "192.0.2.9" }), {
    address: "192.0.2.1:6881",
    namedBy: "192.0.2.9",
  });
  assert.deepEqual(decodeOutput({ address: "192.0.2.1:6881", source: "dht", trusted: true }), { address });
  for (const hostile of [null, 5, {}, { address: {} }, { address: "localhost:1" }, { address: "1.2.3.4:0" }]) {
    assert.throws(() => decodeOutput(hostile));
  }
});

Deno.test("an answer of admission is a list of flags", () => {
  const { decodeOutput } = admitPeers.contract.codec!;
  assert.deepEqual(decodeOutput([true, false]), [true, false]);
  assert.throws(() => decodeOutput([1]), /expected true or false, current value is 1/);
  assert.throws(() => decodeOutput("yes"), /expected a list/);
  assert.throws(() => decodeOutput(new Array(20_001).fill(true)), /at most 20000 items/);
});

Deno.test("metadata is bytes, and not without end", () => {
  const { decodeOutput } = resolveMetadata.contract.codec!;
  assert.deepEqual(decodeOutput(new Uint8Array(3)), new Uint8Array(3));
  assert.throws(() => decodeOutput([1, 2]), /expected at most 8388608 bytes/);
  assert.throws(() => decodeOutput(new Uint8Array(8_388_609)), /at most/);
});

Deno.test("what is inherited is not read", () => {
  const { decodeOutput } = discoverPeers.contract.codec!;
  assert.throws(() => decodeOutput(Object.create({ address: "192.0.2.1:6881" })), /expected a text/);
});

Deno.test("a tracker's status crosses with what is known of it", () => {
  const { encodeInput, decodeInput } = trackerStatus.contract.codec!;
  const event = {
    id,
    name: "x",
    private: false,
    status: { url: "http://t/a", tier: 0, state: "working" as const, peers: 3 },
  };
  assert.deepEqual(decodeInput(structuredClone(encodeInput(event))), event);
});
