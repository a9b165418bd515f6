import assert from "node:assert/strict";
import { resolveMetadata } from "../api/mod.ts";
import { HookTable, registerHandler } from "../bus/mod.ts";
import { testOwner } from "../bus/test_owner.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { buildInfo, InfoHash, sha1, torrentId } from "../wire/mod.ts";
import { MetadataQuest } from "./metadata.ts";
import { testKernel } from "./test_kernel.ts";

type Answer = (signal: AbortSignal) => Promise<Uint8Array | undefined> | Uint8Array | undefined;

const info = buildInfo({ name: "file", pieceLength: 16_384, pieces: new Uint8Array(20), length: 1 });
const id = torrentId({ v1: InfoHash.from(sha1(info)) });
const live = (): AbortSignal => new AbortController().signal;

/** A quest, and a way to replace the plugins that are asked. */
function quest(...answers: Answer[]) {
  const kernel = testKernel(createSimulation({ seed: 1 }).host("me"));
  const provide = (...answers: Answer[]): void => {
    const registrations = answers.map((answer, i) =>
      registerHandler(testOwner(`plugin ${i}`), resolveMetadata, (_, signal) => answer(signal))
    );
    kernel.bus.swap(HookTable.build(registrations, 1));
  };
  provide(...answers);
  return { quest: new MetadataQuest(kernel, id), provide };
}

/** A plugin that goes on searching until nobody waits for it. */
const searches: Answer = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

Deno.test("it takes what the magnet's hash names", async () => {
  const { name } = await quest(() => info).quest.find(live());
  assert.equal(name, "file");
});

Deno.test("it takes nothing else, however well-formed", async () => {
  const other = buildInfo({ name: "other", pieceLength: 16_384, pieces: new Uint8Array(20), length: 1 });
  await assert.rejects(quest(() => other).quest.find(live()), /its hash is not the magnet's/);
  await assert.rejects(quest(() => "text" as never).quest.find(live()), /no plugin found it/);
});

Deno.test("without a plugin, or with none that finds it, it says so", async () => {
  await assert.rejects(quest().quest.find(live()), /no plugin provides it; add the \.torrent file/);
  await assert.rejects(quest(() => undefined).quest.find(live()), /no plugin found it/);
});

Deno.test("when the plugins change it asks those that are there now", async () => {
  const { quest: asked, provide } = quest(searches);
  const found = asked.find(live());
  provide(() => info);
  asked.renew();
  assert.equal((await found).name, "file");
});

Deno.test("when the plugins change and none is left it says so", async () => {
  const { quest: asked, provide } = quest(searches);
  const found = asked.find(live());
  provide();
  asked.renew();
  await assert.rejects(found, /no plugin provides it/);
});

Deno.test("it ends with the reason of who no longer waits", async () => {
  const waiting = new AbortController();
  const found = quest(searches).quest.find(waiting.signal);
  waiting.abort(new Error("the swarm is paused"));
  await assert.rejects(found, /the swarm is paused/);
});
