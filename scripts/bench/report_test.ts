import assert from "node:assert/strict";
import { bytes, median, table } from "./report.ts";

Deno.test("bytes() reads sizes with their units, and nothing else", () => {
  assert.equal(bytes("64 KiB"), 65_536);
  assert.equal(bytes("1GiB"), 1_073_741_824);
  for (const text of ["", "64", "64 kB", "-1 MiB", "1.5 GiB"]) assert.throws(() => bytes(text), /Cannot read the size/);
});

Deno.test("median() is the middle value, whatever the order", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("table() shows medians, ratios to libtorrent, and a stall where one is known", () => {
  const sample = { cpuPerGiB: 3, rss: 40, wall: 2 };
  const text = table([
    { ...sample, client: "libtorrent", wireRate: 500 },
    { ...sample, client: "weft", wireRate: 600, cpuPerGiB: 1.5, worstStall: 0.75 },
    { ...sample, client: "libtorrent", wireRate: 400 },
    { ...sample, client: "libtorrent", wireRate: 900 },
  ]);
  assert.equal(
    text,
    [
      "client      wire MB/s  CPU s/GiB  RSS MiB  wall s  wire ratio  CPU ratio  worst stall",
      "libtorrent      500.0       3.00       40    2.00      x 1.00     x 1.00",
      "weft            600.0       1.50       40    2.00      x 1.20     x 0.50       0.8 ms",
    ].join("\n"),
  );
});
