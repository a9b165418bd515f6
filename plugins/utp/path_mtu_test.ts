import assert from "node:assert/strict";
import { PathMtu } from "./path_mtu.ts";

/** Probes until it is content, over a path that carries so much. */
function found(family: 4 | 6, carries: number): { size: number; probes: number } {
  const mtu = new PathMtu(family);
  let probes = 0;
  for (let size = mtu.probe; size !== undefined; size = mtu.probe, probes++) {
    mtu.sent();
    if (size <= carries) mtu.arrived();
    else mtu.lost();
  }
  return { size: mtu.size, probes };
}

Deno.test("a path of Ethernet is known after two probes", () => {
  assert.deepEqual(found(4, 1_472), { size: 1_472, probes: 2 });
  assert.deepEqual(found(6, 1_452), { size: 1_452, probes: 2 });
});

Deno.test("a narrower path is found within 16 bytes, and never exceeded", () => {
  for (let carries = 548; carries <= 1_472; carries++) {
    const { size, probes } = found(4, carries);
    assert.ok(size <= carries && size > carries - 17, `${size} for ${carries}`);
    assert.ok(probes <= 30, `${probes} probes`);
  }
});

Deno.test("when what arrived doesn't any more, it begins anew from what every path carries", () => {
  const mtu = new PathMtu(4);
  mtu.sent();
  mtu.arrived();
  mtu.shrink();
  assert.equal(mtu.size, 548);
  assert.ok(mtu.probe! < 1_400);
});
