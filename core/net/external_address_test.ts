import assert from "node:assert/strict";
import { OwnAddress } from "./external_address.ts";

Deno.test("OwnAddress believes the first witness, and another address only once more say so", () => {
  const own = new OwnAddress();
  assert.equal(own.seen("99.1.2.3", "203.0.113.1"), "99.1.2.3");
  assert.equal(own.seen("99.1.2.3", "203.0.113.2"), undefined);
  assert.equal(own.seen("66.6.6.6", "203.0.113.3"), undefined);
  assert.equal(own.seen("66.6.6.6", "203.0.113.4"), undefined, "a draw changes nothing");
  assert.equal(own.seen("66.6.6.6", "203.0.113.2"), "66.6.6.6");
});

Deno.test("OwnAddress gives a witness one vote, however often it speaks", () => {
  const own = new OwnAddress();
  own.seen("99.1.2.3", "203.0.113.1");
  for (let i = 0; i < 100; i++) assert.equal(own.seen("66.6.6.6", "203.0.113.9"), undefined);
});

Deno.test("OwnAddress forgets who spoke long ago", () => {
  const own = new OwnAddress();
  for (let i = 0; i < 32; i++) own.seen("99.1.2.3", `203.0.113.${i}`);
  const changed = Array.from({ length: 32 }, (_, i) => own.seen("99.4.5.6", `198.51.100.${i}`));
  assert.deepEqual(changed.filter((ip) => ip !== undefined), ["99.4.5.6"]);
});

Deno.test("OwnAddress keeps one address of each family, and none that only neighbours see", () => {
  const own = new OwnAddress();
  assert.equal(own.seen("2600::5", "203.0.113.1"), "2600::5");
  assert.equal(own.seen("::ffff:99.1.2.3", "203.0.113.1"), "99.1.2.3");
  for (const ip of ["192.168.1.5", "127.0.0.1", "fe80::1", "fd00::1", "0.0.0.0", "nonsense"]) {
    assert.equal(own.seen(ip, "203.0.113.2"), undefined);
  }
});
