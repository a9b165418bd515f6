import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, formatRate, formatSize, parseDuration, parseRate, parseSize } from "./units.ts";

Deno.test("parseDuration() reads milliseconds from units, the largest first", () => {
  const cases: [string | number, number][] = [
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    ["2d", 172_800_000],
    ["1.5h", 5_400_000],
    ["0", 0],
    [0, 0],
  ];
  for (const [text, milliseconds] of cases) assert.equal(parseDuration(text), milliseconds, String(text));
});

Deno.test("parseDuration() throws on what has no unit, an unknown one, or one twice", () => {
  for (const text of ["", "5", 5, "5x", "m", "-5m", "30s1h", "5m5m", "1h30", "1e3s", "five", "9999999999999d"]) {
    assert.throws(() => parseDuration(text), /^RangeError: Cannot read duration: .* current value is "/, String(text));
  }
});

Deno.test("parseDuration() reads back what formatDuration() writes", () => {
  fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (ms) => {
    assert.equal(parseDuration(formatDuration(ms)), ms);
  }));
});

Deno.test("formatDuration() keeps only the largest parts when asked", () => {
  assert.equal(formatDuration(3_725_000), "1h2m5s");
  assert.equal(formatDuration(3_725_000, { parts: 2 }), "1h2m");
  assert.equal(formatDuration(86_405_000, { parts: 2 }), "1d");
  assert.equal(formatDuration(0), "0s");
});

Deno.test("parseSize() reads bytes, binary and decimal", () => {
  const cases: [string | number, number][] = [
    ["64 KiB", 65_536],
    ["64KiB", 65_536],
    ["1.5 MiB", 1_572_864],
    ["10 MB", 10_000_000],
    ["10 kB", 10_000],
    ["10mb", 10_000_000],
    ["2 TiB", 2 * 1024 ** 4],
    ["512 B", 512],
    ["512", 512],
    [512, 512],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, String(text));
});

Deno.test("parseSize() throws on bits, on a prefix alone, on negative and on endless numbers", () => {
  for (const text of ["10 Mb", "10M", "-1", "1e9", "", "KiB", "10 PB", "10 MB/s", "99999999999 TB", NaN]) {
    assert.throws(() => parseSize(text), /Cannot read size/, String(text));
  }
});

Deno.test("parseRate() reads bytes per second, and undefined from unlimited", () => {
  assert.equal(parseRate("10 MB/s"), 10_000_000);
  assert.equal(parseRate("500 KiB/s"), 512_000);
  assert.equal(parseRate("500 KiB"), 512_000);
  assert.equal(parseRate("unlimited"), undefined);
  assert.equal(parseRate(0), 0);
});

Deno.test("parseRate() throws on a number without its unit", () => {
  for (const text of [10, "10", "10/s", "10 M/s", "10 Mb/s", "10 Mbit/s", "none"]) {
    assert.throws(() => parseRate(text), /Cannot read rate/, String(text));
  }
});

Deno.test("formatSize() and formatRate() are short, and can be read back", () => {
  assert.equal(formatSize(0), "0 B");
  assert.equal(formatSize(65_536), "64 KiB");
  assert.equal(formatSize(1_048_575), "1 MiB");
  assert.equal(formatSize(1_500_000_000), "1.4 GiB");
  assert.equal(formatRate(1_500_000), "1.43 MiB/s");
  assert.equal(formatRate(undefined), "unlimited");
  fc.assert(fc.property(fc.nat({ max: 2 ** 40 }), (bytes) => {
    assert.ok(Math.abs(parseSize(formatSize(bytes)) - bytes) <= bytes * 0.01);
  }));
});
