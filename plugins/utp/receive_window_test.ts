import assert from "node:assert/strict";
import { FIRST_WINDOW, ReceiveWindow } from "./receive_window.ts";

/** The window after a second in which `rate` bytes came each millisecond, over a path of that round trip (ms). */
function after(rate: number, roundTrip: number, window = new ReceiveWindow(0)): number {
  for (let now = 1; now <= 1_000; now++) window.received(now, rate, roundTrip);
  return window.size;
}

Deno.test("a path that holds nothing is promised no more than the socket holds, however fast it is", () => {
  assert.equal(after(100_000, 0.2), FIRST_WINDOW);
});

Deno.test("a long path is promised what it holds at twice the rate that came, so that it can grow", () => {
  const size = after(2_000, 100);
  assert.ok(size > 2 * 2_000 * 90 && size < 2 * 2_000 * 110 + FIRST_WINDOW, `${size}`);
});

Deno.test("while the round trip isn't known nothing more is promised", () => {
  assert.equal(after(100_000, Infinity), FIRST_WINDOW);
});

Deno.test("what was promised is kept, and no promise goes past a mebibyte", () => {
  const window = new ReceiveWindow(0);
  assert.equal(after(1_000_000, 300, window), 1024 * 1024);
  for (let now = 1_001; now < 5_000; now++) window.received(now, 1, 300);
  assert.equal(window.size, 1024 * 1024);
});
