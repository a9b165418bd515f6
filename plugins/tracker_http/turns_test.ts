import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

const live = new AbortController().signal;

/** Requests that end when they are told to, and those under way. */
function bench(perHost: number, total: number) {
  const turns = new Turns({ perHost, total });
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const ask = (name: string, signal = live): Promise<void> =>
    turns.run(name[0], signal, async () => {
      running.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      running.splice(running.indexOf(name), 1);
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)!();
    await settle();
  };
  return { running, ask, end };
}

/** Lets what is ready go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("requests to one host wait for each other, and not for those to another", async () => {
  const { running, ask, end } = bench(2, 10);
  const all = ["a1", "a2", "a3", "a4", "b1"].map((name) => ask(name));
  await settle();
  assert.deepEqual(running, ["a1", "a2", "b1"]);
  await end("a2");
  assert.deepEqual(running, ["a1", "b1", "a3"]);
  for (const name of ["a1", "a3", "b1", "a4"]) await end(name);
  await Promise.all(all);
});

Deno.test("there are only so many requests in all", async () => {
  const { running, ask, end } = bench(2, 3);
  const all = ["a1", "b1", "c1", "d1"].map((name) => ask(name));
  await settle();
  assert.deepEqual(running, ["a1", "b1", "c1"]);
  for (const name of ["a1", "b1", "c1", "d1"]) await end(name);
  await Promise.all(all);
});

Deno.test("who gives up leaves the line, and its place is not lost", async () => {
  const { running, ask, end } = bench(1, 1);
  const controller = new AbortController();
  const first = ask("a1");
  const gone = [ask("a2", controller.signal), ask("b1", controller.signal)];
  const last = ask("c1");
  await settle();
  controller.abort(new Error("nobody waits"));
  for (const each of gone) await assert.rejects(each, /nobody waits/);
  await assert.rejects(ask("d1", controller.signal), /nobody waits/);
  await end("a1");
  assert.deepEqual(running, ["c1"]);
  await end("c1");
  await Promise.all([first, last]);
});

Deno.test("a request that fails gives its place to the next", async () => {
  const turns = new Turns({ perHost: 1, total: 1 });
  await assert.rejects(turns.run("a", live, () => Promise.reject(new Error("no answer"))), /no answer/);
  assert.equal(await turns.run("a", live, () => Promise.resolve(1)), 1);
});
