import assert from "node:assert/strict";
import { leakCheck } from "./leak_check.ts";

Deno.test("leakCheck() passes when what was opened is closed", async () => {
  const check = await leakCheck();
  Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
  await check.verify();
});

Deno.test("leakCheck() names what was left open", async () => {
  const check = await leakCheck();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assert.rejects(
    check.verify({ settleMs: 20 }),
    (error) => JSON.stringify((error as { actual: unknown }).actual).includes("1 more of socket"),
  );
  listener.close();
});

Deno.test("leakCheck() counts Workers that still run", async () => {
  const check = await leakCheck();
  const worker = new Worker("data:text/javascript,postMessage('up')", { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  await assert.rejects(
    check.verify({ settleMs: 20 }),
    (error) => JSON.stringify((error as { actual: unknown }).actual).includes("1 more workers"),
  );
  worker.terminate();
});
