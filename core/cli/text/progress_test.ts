import assert from "node:assert/strict";
import { FakeRuntime } from "../../../tests/support/fake_runtime.ts";
import type { SwarmSnapshot } from "../../api/mod.ts";
import { listeningText, percent, progressBlock, progressLine, shareDone } from "./progress.ts";

async function swarm(change: Partial<SwarmSnapshot>): Promise<SwarmSnapshot> {
  const runtime = new FakeRuntime();
  const added = await runtime.add({ source: "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film" });
  return { ...added, wanted: 2048, wantedDone: 1024, ...change };
}

Deno.test("progressLine() says what matters in each state", async () => {
  const downloading = {
    state: "downloading",
    down: 2048,
    up: 512,
    connected: 1,
    eta: 3_725_000,
    piecesDone: 2,
  } as const;
  assert.equal(
    progressLine(await swarm(downloading)),
    "film: downloading, 50% of 2 KiB, down 2 KiB/s, 1h2m left, 1 peer, up 512 B/s, 2/4 pieces",
  );
  assert.equal(
    progressLine(await swarm({ state: "checking", checked: 0.25 })),
    "film: checking, 25% of 2 KiB, 0/4 pieces",
  );
  assert.equal(
    progressLine(await swarm({ state: "metadata", pieces: 0, connected: 2 })),
    "film: fetching metadata, 2 peers, up 0 B/s",
  );
  assert.match(progressLine(await swarm({ state: "failed", error: "disk full" })), /^film: failed: disk full,/);
});

Deno.test("progressBlock() never exceeds the terminal, and shows names harmlessly", async () => {
  const lines = progressBlock(await swarm({ name: "\x1b[31m" + "x".repeat(100) }), 40);
  assert.ok(lines.every((line) => [...line].length < 40));
  assert.equal(lines[0].includes("\x1b"), false);
  assert.match(lines[0], /x…: downloading$/);
});

Deno.test("progressBlock() shows the figures that fit whole, whatever the width", async () => {
  const shown = await swarm({ state: "downloading", down: 2048, connected: 1, eta: 61_000, piecesDone: 2 });
  assert.equal(progressBlock(shown, 40)[1], "████░░░░  50% of 2 KiB  down 2 KiB/s");
  assert.equal(
    progressBlock(shown, 200)[1],
    "████████████░░░░░░░░░░░░  50% of 2 KiB  down 2 KiB/s  1m1s left  1 peer  up 0 B/s  2/4 pieces",
  );
  assert.deepEqual(progressBlock(shown, 1), ["", ""]);
});

Deno.test("percent() reaches 100 only when everything is there", async () => {
  assert.equal(percent(0.9999), "99%");
  assert.equal(percent(shareDone(await swarm({ wantedDone: 2048 }))), "100%");
  assert.equal(percent(shareDone(await swarm({ wanted: 0, wantedDone: 0 }))), "100%");
});

Deno.test("listeningText() tells once an address that several transports share", () => {
  assert.equal(listeningText(["[::]:6881", "[::]:6881", "127.0.0.1:1"]), "listening on [::]:6881, 127.0.0.1:1");
  assert.equal(listeningText([]), "not listening for peers: no plugin is a transport");
});
