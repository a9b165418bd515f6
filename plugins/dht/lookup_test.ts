import assert from "node:assert/strict";
import { byteString, type PeerAddress, peerAddress } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import type { Contact } from "./contact.ts";
import { Lookup } from "./lookup.ts";
import { secureId } from "./node_id.ts";

const target = "\0".repeat(20);

/** A node at so great a distance from the target, in a network of its own. */
function node(distance: number, n = distance): Contact {
  const id = byteString(Uint8Array.from({ length: 20 }, (_, i) => i === 0 ? distance : i === 1 ? n : 0));
  return { id, address: peerAddress(`20.${n >> 8}.${n & 255}.1`, 6881) };
}

function drain(lookup: Lookup): PeerAddress[] {
  const asked: PeerAddress[] = [];
  for (let next = lookup.next(); next; next = lookup.next()) asked.push(next);
  return asked;
}

Deno.test("a lookup asks the closest first, four at once, and more as they answer or take long", () => {
  const nodes = [9, 3, 7, 5, 8, 6].map((distance) => node(distance));
  const lookup = new Lookup(target, "off");
  lookup.begin(nodes);
  assert.deepEqual(drain(lookup), [3, 5, 6, 7].map((distance) => node(distance).address));
  lookup.slow(node(3).address);
  assert.deepEqual(drain(lookup), [node(8).address]);
  lookup.answered(node(5), [node(1)]);
  assert.deepEqual(drain(lookup), [node(1).address]);
});

Deno.test("a lookup is done when the 8 closest that may answer have, and gives them", () => {
  const lookup = new Lookup(target, "off");
  const nodes = Array.from({ length: 20 }, (_, i) => node(i + 1));
  lookup.begin(nodes);
  const silent = node(2);
  while (!lookup.done) {
    for (const { key } of drain(lookup)) {
      const contact = nodes.find(({ address }) => address.key === key)!;
      if (contact === nodes[1]) lookup.failed(contact.address);
      else lookup.answered(contact, nodes, Uint8Array.of(1));
    }
  }
  const closest = lookup.closest();
  assert.deepEqual(closest.map(({ id }) => id), [1, 3, 4, 5, 6, 7, 8, 9].map((distance) => node(distance).id));
  assert.ok(closest.every(({ token }) => token?.length === 1));
  assert.ok(!closest.some(({ id }) => id === silent.id));
  assert.equal(lookup.asked, 9);
});

Deno.test("doors are asked while nothing is known, and count by the id that they answer with", () => {
  const lookup = new Lookup(target, "off");
  const door = node(4);
  lookup.begin([], [door.address]);
  assert.deepEqual(drain(lookup), [door.address]);
  assert.ok(!lookup.done);
  lookup.answered(door, [node(2)]);
  assert.deepEqual(drain(lookup), [node(2).address]);
  lookup.failed(node(2).address);
  assert.ok(lookup.done);
  assert.deepEqual(lookup.closest().map(({ id }) => id), [door.id]);
});

Deno.test("of two claims of one address the closer is asked, and what it says of itself counts", () => {
  const lookup = new Lookup(target, "off");
  const real = node(200);
  lookup.begin([real, { id: node(1).id, address: real.address }]);
  assert.deepEqual(drain(lookup), [real.address]);
  lookup.answered(real, []);
  assert.deepEqual(lookup.closest().map(({ id }) => id), [real.id]);
});

Deno.test("a node that names nodes that don't answer has the rest of its nodes ignored", () => {
  const lookup = new Lookup(target, "off");
  const liar = node(100);
  lookup.begin([liar]);
  drain(lookup);
  lookup.answered(liar, Array.from({ length: 16 }, (_, i) => node(i + 1)));
  let asked = 0;
  for (let wave = drain(lookup); wave.length > 0; wave = drain(lookup)) {
    asked += wave.length;
    for (const address of wave) lookup.failed(address);
  }
  assert.ok(lookup.done);
  assert.ok(asked <= 4, `${asked}`);
});

Deno.test("one address is one candidate, one network at most three, and liars without end are not followed", () => {
  const crowd = new Lookup(target, "off");
  crowd.begin(Array.from({ length: 50 }, (_, i) => ({ ...node(i), address: peerAddress(`20.0.0.${i}`, 1) })));
  assert.equal(drain(crowd).length, 3);
  const ports = new Lookup(target, "off");
  ports.begin(Array.from({ length: 50 }, (_, i) => ({ ...node(50 - i), address: peerAddress("20.0.0.1", i + 1) })));
  assert.equal(drain(ports).length, 1);

  const endless = new Lookup(target, "off");
  endless.begin([node(255, 0)]);
  let n = 0;
  while (!endless.done) {
    for (const address of drain(endless)) {
      const [, , high, low] = /(\d+)\.(\d+)\.(\d+)\.1:/.exec(address.key)!;
      const id = node(Math.max(0, 254 - n), Number(high) * 256 + Number(low)).id;
      endless.answered({ id, address }, [node(Math.max(0, 253 - n), ++n)]);
    }
  }
  assert.ok(endless.asked <= 200, `${endless.asked}`);
});

Deno.test("with prefer, liars around the target don't keep those from being asked whose ids are their own", () => {
  const random = new SeededRandom(1);
  const honest = Array.from({ length: 10 }, (_, n) => {
    const { address } = node(0, n + 300);
    return { id: secureId(address.ip, random), address };
  });
  const liars = Array.from({ length: 40 }, (_, n) => ({ ...node(0, n), id: "\0".repeat(19) + String.fromCharCode(n) }));
  const asked = (mode: "off" | "prefer" | "require"): Set<string> => {
    const lookup = new Lookup(target, mode);
    lookup.begin([...liars, ...honest]);
    const keys = new Set<string>();
    while (!lookup.done) {
      for (const address of drain(lookup)) {
        keys.add(address.key);
        const contact = [...liars, ...honest].find((each) => each.address.key === address.key)!;
        lookup.answered(contact, []);
      }
    }
    assert.ok(lookup.closest().length <= 16);
    return keys;
  };
  const ofHonest = (keys: Set<string>): number => honest.filter(({ address }) => keys.has(address.key)).length;
  assert.deepEqual([ofHonest(asked("off")), ofHonest(asked("prefer")), ofHonest(asked("require"))], [0, 8, 8]);
  assert.equal(asked("require").size, 8);
});

Deno.test("nobody is asked for its own id: that is us", () => {
  const lookup = new Lookup(target, "off", node(1).id);
  lookup.begin([node(1), node(2)]);
  assert.deepEqual(drain(lookup), [node(2).address]);
});
