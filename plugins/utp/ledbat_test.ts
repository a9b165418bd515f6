import assert from "node:assert/strict";
import { DelayHistory } from "./delay_history.ts";
import { Ledbat, TARGET } from "./ledbat.ts";

const PACKET = 1_400;

/** A window that has left slow start, with `queueing` microseconds of delay. */
function steady(queueing: number): Ledbat {
  const ledbat = new Ledbat(PACKET);
  ledbat.window = 100 * PACKET;
  ledbat.lost();
  ledbat.delays.add(0, 1_000);
  for (let i = 0; i < 4; i++) ledbat.delays.add(0, 1_000 + queueing);
  return ledbat;
}

/** Acknowledges one window. */
function round(ledbat: Ledbat, limited = true): number {
  const before = ledbat.window;
  for (let bytes = 0; bytes < before; bytes += PACKET) ledbat.acked(PACKET, limited);
  return ledbat.window - before;
}

Deno.test("slow start doubles the window in a round trip, until a queue grows", () => {
  const ledbat = new Ledbat(PACKET);
  ledbat.delays.add(0, 1_000);
  const first = ledbat.window;
  round(ledbat);
  assert.equal(ledbat.window, 2 * first);
  for (let i = 0; i < 4; i++) ledbat.delays.add(0, 1_000 + TARGET / 2);
  assert.ok(round(ledbat) < 2 * PACKET);
  assert.equal(ledbat.slowStart, false);
});

Deno.test("without a queue the window grows by about two packets in a round trip, at the target by none", () => {
  assert.ok(Math.abs(round(steady(0)) - 3_000) < 300);
  assert.equal(round(steady(TARGET)), 0);
  assert.equal(round(steady(0), false), 0, "a window that isn't used doesn't grow");
});

Deno.test("above the target it shrinks the more, the larger it is", () => {
  assert.ok(round(steady(TARGET * 1.5)) < -15 * PACKET);
  const tiny = steady(TARGET * 3);
  for (let i = 0; i < 100; i++) round(tiny);
  assert.equal(tiny.window, 2 * PACKET, "two packets are always allowed");
});

Deno.test("loss halves the window, a timeout leaves two packets", () => {
  const ledbat = new Ledbat(PACKET);
  ledbat.window = 100 * PACKET;
  ledbat.lost();
  assert.equal(ledbat.window, 50 * PACKET);
  ledbat.timedOut();
  assert.equal(ledbat.window, 2 * PACKET);
  assert.equal(ledbat.slowStart, true);
});

Deno.test("delays count from the smallest one, whatever the clocks say, also where they wrap", () => {
  const history = new DelayHistory();
  history.add(0, 0xffff_fff0);
  for (let i = 0; i < 4; i++) history.add(0, 0x10);
  assert.equal(history.queueing, 0x20);
});

Deno.test("the smallest delay is forgotten after ten minutes", () => {
  const history = new DelayHistory();
  for (let minute = 0; minute <= 10; minute++) history.add(minute * 60_000, minute === 0 ? 100 : 500);
  for (let i = 0; i < 4; i++) history.add(601_000, 600);
  assert.equal(history.queueing, 100);
});
