import assert from "node:assert/strict";
import { commandMissing, launch, type RunningClient } from "./client.ts";

const here = { name: "here", ip: "127.0.0.1", command: (argv: readonly string[]): string[] => [...argv] };

function shell(
  script: string,
  more: { role?: "seed" | "leech"; complete?: () => Promise<boolean> } = {},
): RunningClient {
  return launch({ site: here, port: 1, role: "leech", argv: ["sh", "-c", script], ...more });
}

Deno.test("launch(): a leecher is done when it ends with 0", async () => {
  await using client = shell("echo fine; echo odd >&2");
  await client.done;
  assert.deepEqual(client.log().trim().split("\n").sort(), ["fine", "odd"]);
});

Deno.test("launch(): a leecher that fails says why", async () => {
  await using client = shell("echo no space left; exit 3");
  await assert.rejects(client.done, /without completing \(exit 3\):\nno space left/);
  await assert.rejects(client.ready, /does not listen on port 1/);
});

Deno.test("launch(): a leecher that goes on is stopped once it is complete", async () => {
  await using client = shell("exec sleep 1000", { complete: () => Promise.resolve(true) });
  await client.done;
});

Deno.test("launch(): a leecher that is stopped before was not done", async () => {
  const client = shell("exec sleep 1000");
  await Promise.all([client.stop(), client.stop("SIGKILL")]);
  await client.stop();
  await assert.rejects(client.done, /SIGTERM/);
});

Deno.test("launch(): a seeder is done when it is stopped", async () => {
  const client = shell("exec sleep 1000", { role: "seed" });
  await client.stop();
  await client.done;
});

Deno.test("commandMissing() names a program that isn't there", async () => {
  assert.equal(await commandMissing("sh", "-c", "exit 1"), undefined);
  assert.equal(await commandMissing("no-such-program"), "no-such-program is not installed");
});
