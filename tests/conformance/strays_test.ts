import assert from "node:assert/strict";
import { Platform, Strays } from "./strays.ts";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("Strays notices rejections that nobody handles, once each, and keeps them from ending the process", async () => {
  using strays = new Strays();
  void Promise.reject(new Error("left alone"));
  Promise.reject(new Error("handled")).catch(() => {});
  await turn();
  assert.deepEqual(strays.take(), ["left alone"]);
  assert.deepEqual(strays.take(), []);
});

Deno.test("Platform refuses what the scope is there for, and puts it back", async () => {
  const { fetch, setTimeout } = globalThis;
  {
    using platform = new Platform();
    assert.throws(
      () => setTimeout === globalThis.setTimeout || globalThis.setTimeout(() => {}, 1),
      /use plugin\.clock\.after/,
    );
    assert.throws(() => void Deno.listen({ port: 0 }), /use plugin\.net\.listen/);
    assert.throws(() => void globalThis.fetch("http://192.0.2.1/"), /use plugin\.net\.fetch/);
    assert.deepEqual([...platform.used.keys()], ["setTimeout", "Deno.listen", "fetch"]);
  }
  assert.equal(globalThis.fetch, fetch);
  assert.equal(globalThis.setTimeout, setTimeout);
  await turn();
});
