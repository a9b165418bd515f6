import assert from "node:assert/strict";
import { FakeRuntime } from "../../tests/support/fake_runtime.ts";
import { createSimulation, MemoryTerminal } from "../host/memory/mod.ts";
import type { Context } from "./environment.ts";
import { createReporter } from "./reporter.ts";

const magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film";

async function report(
  terminal: MemoryTerminal,
  body: (reporter: ReturnType<typeof createReporter>, runtime: FakeRuntime) => void,
  options: { json?: true; stall?: true } = {},
): Promise<string> {
  using simulation = createSimulation({ seed: 1 });
  const runtime = new FakeRuntime();
  await runtime.add({ source: magnet });
  const context = { terminal, host: simulation.host("here"), debug: false } as unknown as Context;
  body(createReporter(context, options), runtime);
  return terminal.output;
}

Deno.test("plain lines tell each state once, and progress only of what moves", async () => {
  const out = await report(new MemoryTerminal(), (reporter, runtime) => {
    reporter.progress(runtime.snapshot());
    reporter.progress(runtime.snapshot());
    runtime.change({ state: "seeding" });
    reporter.milestone(runtime.snapshot());
    reporter.progress(runtime.snapshot());
    reporter.end(0);
  });
  assert.deepEqual(out.trim().split("\n").map((line) => line.slice(0, 20)), [
    "film: downloading",
    "film: downloading, 1",
    "film: seeding",
  ]);
});

Deno.test("what is wrong with a tracker is told once, also on a terminal", async () => {
  for (const interactive of [false, true]) {
    const terminal = new MemoryTerminal({ interactive });
    await report(terminal, (reporter) => {
      const told = (status: Record<string, unknown>): void =>
        reporter.event({
          sequence: 1,
          time: 0,
          event: "tracker.status",
          swarm: "film",
          data: { status: { url: "http://t/a", ...status } },
        });
      told({ state: "announcing" });
      told({ state: "failed", error: "refused" });
      told({ state: "failed", error: "refused" });
      told({ state: "working", warning: "too often" });
    });
    assert.equal(terminal.errors, "weft: tracker http://t/a: refused\nweft: tracker http://t/a: too often\n");
  }
});

Deno.test("a terminal's block is cleared before anything else is written", async () => {
  const terminal = new MemoryTerminal({ interactive: true });
  await report(terminal, (reporter, runtime) => {
    reporter.progress(runtime.snapshot());
    reporter.note("hello");
    reporter.note("again");
    reporter.progress(runtime.snapshot());
    reporter.log({ level: "warn", source: "tcp", message: "bad\x1b[2J" });
  });
  const clear = "\x1b[2A\x1b[J";
  const [block, rest, end] = terminal.output.split(clear);
  assert.equal(block.split("\n").length, 3);
  assert.ok(rest.startsWith("hello\nagain\nfilm: "));
  assert.equal(end, "");
  assert.equal(terminal.errors, "weft: tcp: bad\ufffd[2J\n");
});

Deno.test("debug and info messages are left out unless asked for, and the kernel speaks as weft", async () => {
  const terminal = new MemoryTerminal();
  await report(terminal, (reporter) => {
    reporter.log({ level: "info", source: "tcp", message: "listens" });
    reporter.log({ level: "error", source: "weft", message: "no disk" });
  });
  assert.equal(terminal.errors, "weft: no disk\n");
});

Deno.test("--stall is answered on the error stream, --json in its last line", async () => {
  const terminal = new MemoryTerminal();
  await report(terminal, (reporter) => reporter.end(0), { stall: true });
  assert.equal(terminal.errors, "worst stall of the main thread: 0 ms\n");
  const out = await report(new MemoryTerminal(), (reporter) => reporter.end(1), { json: true });
  assert.deepEqual(JSON.parse(out), { event: "exit", code: 1, worstStallMs: 0, seconds: 0 });
});
