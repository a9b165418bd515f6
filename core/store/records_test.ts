import assert from "node:assert/strict";
import type { Database } from "../api/mod.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { PAGE_BYTES, StateStore, type SwarmRecord } from "./records.ts";

const record: SwarmRecord = {
  key: "a".repeat(40),
  source: "magnet:?xt=urn:btih:" + "a".repeat(40),
  path: "/save",
  origin: "user",
  added: 1000,
  paused: false,
  select: [0, 2],
  priorities: { 2: 7 },
  sequential: true,
  limits: { down: 1000 },
  allowLocal: false,
  peers: ["1.2.3.4:5"],
  trackers: [],
  uploaded: 1,
  downloaded: 2 ** 40,
  wasted: 3,
  seedTime: 4,
};

async function withState(run: (state: StateStore, db: Database, logs: string[]) => Promise<void>): Promise<void> {
  using simulation = createSimulation({ seed: 1 });
  const db = await simulation.host("machine").db.open("/state.db");
  const logs: string[] = [];
  await run(await StateStore.open(db, (message) => logs.push(message)), db, logs);
}

Deno.test("StateStore keeps swarms, with a magnet link or a torrent's bytes", () =>
  withState(async (state) => {
    const other: SwarmRecord = { ...record, key: "b", source: Uint8Array.of(1, 2, 255), added: 500, completed: 9 };
    await state.saveSwarm(record);
    await state.saveSwarm(other);
    assert.deepEqual(await state.swarms(), [other, record]);
  }));

Deno.test("StateStore.saveSwarm() changes options and leaves statistics alone", () =>
  withState(async (state) => {
    await state.saveSwarm(record);
    const statistics = { uploaded: 10, downloaded: 20, wasted: 30, seedTime: 40, completed: 50 };
    await state.saveStatistics(record.key, statistics);
    await state.saveSwarm({ ...record, paused: true });
    assert.deepEqual(await state.swarms(), [{ ...record, ...statistics, paused: true }]);
  }));

Deno.test("StateStore forgets a removed swarm and its pieces", () =>
  withState(async (state) => {
    await state.saveSwarm(record);
    const pieces = state.pieces(record.key);
    await pieces.commit({ pages: [{ page: 0, bits: Uint8Array.of(0x80) }], stamps: [] });
    await state.removeSwarm(record.key);
    assert.deepEqual(await state.swarms(), []);
    assert.deepEqual(await pieces.load(1), { stamps: [] });
  }));

Deno.test("PieceRecords keeps pages of the bitfield and stamps of files", () =>
  withState(async (state) => {
    const pieces = state.pieces("k");
    const stamp = { file: 3, home: "part", size: 5, modified: 1234.5, writing: true } as const;
    const count = PAGE_BYTES * 8 + 12;
    await pieces.commit({ pages: [{ page: 1, bits: Uint8Array.of(1, 0xf0) }], stamps: [stamp] });
    await pieces.commit({ pages: [{ page: 0, bits: new Uint8Array(PAGE_BYTES).fill(7) }], stamps: [] });
    const { bits, stamps } = await pieces.load(count);
    assert.deepEqual(bits, new Uint8Array([...new Uint8Array(PAGE_BYTES).fill(7), 1, 0xf0]));
    assert.deepEqual(stamps, [stamp]);
  }));

Deno.test("rows that can't be read count as absent, and the log says so", () =>
  withState(async (state, db, logs) => {
    await state.saveSwarm(record);
    for (const options of ["{", "null", "{}", JSON.stringify({ ...record, path: 1 })]) {
      await db.run([{ sql: "UPDATE swarm SET options = ?", values: [options] }]);
      assert.deepEqual(await state.swarms(), []);
    }
    assert.equal(logs.length, 4);
    assert.match(logs[0], /Cannot read the saved swarm "a{40}", it is left out: /);
    const pieces = state.pieces("k");
    const bad = { file: 0, home: "nowhere" as "part", size: 0, modified: 0, writing: false };
    await pieces.commit({
      pages: [{ page: 0, bits: new Uint8Array(9) }, { page: -5, bits: new Uint8Array(1) }],
      stamps: [bad],
    });
    assert.deepEqual(await pieces.load(4), { bits: new Uint8Array(1), stamps: [] });
    assert.match(logs[4], /some saved files of swarm "k"/);
    assert.match(logs[5], /Cannot read 2 pages/);
    await pieces.commit({ pages: [{ page: 0, bits: Uint8Array.of(0xff) }], stamps: [] });
    assert.deepEqual((await pieces.load(4)).bits, Uint8Array.of(0xf0));
  }));

Deno.test("a flawed field of a saved swarm costs itself alone", () =>
  withState(async (state, db, logs) => {
    const whole = { ...record, paused: false };
    await state.saveSwarm(whole);
    const read = async (change: object, uploaded: number | bigint = record.uploaded) => {
      await db.run([{
        sql: "UPDATE swarm SET options = ?, uploaded = ?",
        values: [JSON.stringify({ ...whole, magnet: typeof record.source === "string", ...change }), uploaded],
      }]);
      const [swarm] = await state.swarms();
      return swarm;
    };
    const kept = await read({});
    assert.equal(logs.length, 0);
    for (
      const [change, changed] of [
        [{ peers: [1, "a:1"] }, { peers: ["a:1"] }],
        [{ trackers: "http://a/" }, { trackers: [] }],
        [{ added: "today" }, { added: 0 }],
        [{ sequential: 1 }, { sequential: false }],
      ] as const
    ) assert.deepEqual(await read(change), { ...kept, ...changed });
    assert.deepEqual(await read({}, 2n ** 62n), { ...kept, uploaded: 0 });
    assert.equal(logs.length, 5);
    assert.match(logs[0], /^Cannot read peers of the saved swarm "a{40}"$/);
  }));

Deno.test("a saved swarm is paused where a flaw would change what happens to the user's files", () =>
  withState(async (state, db, logs) => {
    const whole = { ...record, paused: false };
    await state.saveSwarm(whole);
    for (
      const change of [
        { select: "all" },
        { priorities: { 0: 99 } },
        { limits: { down: -1 } },
        { readOnly: "yes" },
        { setting: 7 },
        { paused: 0 },
      ]
    ) {
      const options = JSON.stringify({ ...whole, magnet: typeof record.source === "string", ...change });
      await db.run([{ sql: "UPDATE swarm SET options = ?", values: [options] }]);
      const [swarm] = await state.swarms();
      const [field] = Object.keys(change);
      assert.equal(swarm.paused, true, field);
      assert.match(logs.at(-1)!, new RegExp(`Cannot read ${field} .*: it is paused`));
    }
  }));

Deno.test("thousands of rows that can't be read are told in a few lines", () =>
  withState(async (state, db, logs) => {
    const sql = "INSERT INTO swarm (key, source, options) VALUES (?, x'00', 'null')";
    await db.run(Array.from({ length: 5_000 }, (_, i) => ({ sql, values: [`${i}`] })));
    assert.deepEqual(await state.swarms(), []);
    assert.equal(logs.length, 11);
    assert.equal(logs[10], "Cannot read 4990 more saved swarms: the state file is damaged");
  }));

Deno.test("StateStore refuses what a newer Weft wrote", () =>
  withState(async (_, db) => {
    await db.run([{ sql: "PRAGMA user_version = 99" }]);
    await assert.rejects(StateStore.open(db), /it has version 99, this Weft knows up to 2; update Weft/);
  }));

Deno.test("StateStore keeps what plugins keep, each entry for itself and at most 1 MiB", async () => {
  await withState(async (state) => {
    const [dht, other] = [state.plugin("dht"), state.plugin("dht-2")];
    assert.equal(await dht.get("nodes"), undefined);
    await dht.set("nodes", new Uint8Array([1, 2]));
    await dht.set("nodes", new Uint8Array([3]));
    assert.deepEqual(await dht.get("nodes"), new Uint8Array([3]));
    assert.equal(await other.get("nodes"), undefined);
    await dht.set("big", new Uint8Array(1024 * 1024 - 100));
    await assert.rejects(
      dht.set("more", new Uint8Array(200)),
      /Cannot keep "more" of "dht": there may be 1048576 bytes/,
    );
    await dht.set("big", new Uint8Array(10));
    await dht.set("more", new Uint8Array(200));
  });
});
