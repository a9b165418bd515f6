import assert from "node:assert/strict";
import { ConfigError, definePlugin, object, type Plugin, transports } from "../../core/api/mod.ts";
import { makeTorrent, sameFiles, SimSwarm } from "../testing/mod.ts";

const torrent = makeTorrent({ length: 2_000_000 });

function plugin(name: string, setup: Plugin["setup"], more: Partial<Plugin> = {}): Plugin {
  return definePlugin({ name, config: object({}), setup, ...more }) as Plugin;
}

const steady = plugin("steady", (scope) => void scope.defer(() => {}));

/** What is tried, what it says, and what of it may have been begun. */
interface Mistake {
  readonly profile: Record<string, unknown>;
  readonly plugin?: Plugin;
  readonly says: RegExp;
}

const entries = [{ use: "tcp" }, { use: "steady" }];
const mistakes: Record<string, Mistake> = {
  "an unmet need": {
    profile: { plugins: [...entries, { use: "bad" }] },
    plugin: plugin("bad", () => {}, { needs: ["transports:carrier_pigeon"] }),
    says: /profile.yaml:1:1: cannot start "bad": it needs transports:carrier_pigeon/,
  },
  "a setup that throws": {
    profile: { plugins: [...entries, { use: "bad" }] },
    plugin: plugin("bad", (scope) => {
      scope.clock.after(10, () => {});
      throw new Error("no");
    }),
    says: /profile.yaml:1:1: cannot start "bad": no/,
  },
  "a setup that rejects": {
    profile: { plugins: [{ use: "tcp" }, { use: "bad" }] },
    plugin: plugin("bad", () => Promise.reject(new Error("not now"))),
    says: /cannot start "bad": not now/,
  },
  "a setup that never ends": {
    profile: { plugins: [...entries, { use: "bad" }] },
    plugin: plugin("bad", () => new Promise(() => {})),
    says: /cannot start "bad": it did not finish its setup within 30 s/,
  },
  "two plugins for one key": {
    profile: { plugins: [...entries, { use: "bad" }] },
    plugin: plugin("bad", (scope) => void scope.provide(transports, "tcp", {} as never)),
    says: /profile.yaml:1:1: Cannot provide "tcp" .*plugins "tcp" and "bad" both do/,
  },
  "a port that is taken": {
    profile: { listen: "0.0.0.0:7000", plugins: entries },
    says: /profile.yaml:1:1: .*7000/,
  },
  "one port of two that is taken": {
    profile: { listen: ["0.0.0.0:6882", "0.0.0.0:7000"], plugins: [{ use: "tcp" }] },
    says: /profile.yaml:1:1: .*7000/,
  },
  "a plugin's own port that is taken": {
    profile: { plugins: [...entries, { use: "bad" }] },
    plugin: plugin("bad", async (scope) => void await scope.net.datagrams({ ip: "0.0.0.0", port: 7001 })),
    says: /cannot start "bad": .*7001/,
  },
  "a transport that can't listen": {
    profile: { plugins: [...entries, { use: "bad" }] },
    plugin: plugin("bad", (scope) =>
      void scope.provide(transports, "bad", {
        dial: () => Promise.reject(new Error("no")),
        listen: () => Promise.reject(new Error("no such device")),
      })),
    says: /profile.yaml:1:1: .*no such device/,
  },
  "a torrent that can't be read": {
    profile: { plugins: entries, swarms: [{ add: "./missing.torrent" }] },
    says: /profile.yaml:1:1: cannot add "\/missing.torrent"/,
  },
  "a setting that can't change": {
    profile: { plugins: entries, store: { path: "/data", state: "/elsewhere/weft.db" } },
    says: /profile.yaml:1:1: cannot change store.state .*stop Weft and start it again/,
  },
};

for (const [name, { profile, plugin: bad, says }] of Object.entries(mistakes)) {
  Deno.test(`a reload that fails by ${name} leaves table, sockets and transfer as they were`, async () => {
    await using swarm = new SimSwarm(1);
    const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "40 kB/s" } } });
    const leech = await swarm.peer("leech", { plugins: { steady }, profile: { plugins: entries } });
    const { net } = leech.host;
    const taken = await swarm.simulation.complete(net.listen({ ip: "0.0.0.0", port: 7000 }));
    const takenToo = await swarm.simulation.complete(net.datagrams({ ip: "0.0.0.0", port: 7001 }));
    await swarm.add(leech, torrent, { peers: [seed.address] });
    await swarm.until(() => leech.runtime.swarm(torrent.id).connected === 1);
    const facts = () => {
      const { generation, listening, plugins, swarms } = leech.runtime.snapshot();
      return {
        generation,
        listening,
        plugins: plugins.map(({ name, state, generation }) => ({ name, state, generation })),
        swarms: swarms.map(({ id, state, connected }) => ({ id, state, connected })),
      };
    };
    const before = facts();
    const again = { plugins: { steady, ...bad && { bad } }, profile: { ...profile, limits: { down: "1 kB/s" } } };
    await assert.rejects(swarm.reload(leech, again), (error) => {
      assert.ok(error instanceof ConfigError, `${error}`);
      assert.match(error.message, says);
      return true;
    });
    assert.deepEqual(facts(), before);
    assert.ok(!leech.log.some((line) => line.startsWith("error")), leech.log.join("\n"));
    await swarm.complete(leech, torrent, 60_000); // not at 1 kB/s
    assert.ok(await sameFiles(swarm, leech, torrent));
    assert.equal(leech.events.filter(({ event }) => event === "peer.connected").length, 1);
    // And what is right is taken afterwards, the ports that were tried included.
    taken.close();
    takenToo.close();
    await swarm.reload(leech, { profile: { listen: ["0.0.0.0:6882", "0.0.0.0:7000"], plugins: [{ use: "tcp" }] } });
    assert.deepEqual(leech.runtime.snapshot().listening, ["0.0.0.0:6882", "0.0.0.0:7000"]);
  });
}
