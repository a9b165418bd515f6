// Plugins that say when a swarm may run, as queues and schedules do.
import assert from "node:assert/strict";
import { definePlugin, type HoldRequest, holdSwarm, type Plugin, type PluginScope } from "../../core/api/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, type SimPeerOptions, SimSwarm } from "../support/sim_swarm.ts";

/** A plugin that holds what `why` has a reason for; `asked` notes what it was asked about, as `name doing`. */
class Gate {
  why: (request: HoldRequest) => string | undefined = () => undefined;
  readonly asked: string[] = [];
  scope: PluginScope | undefined;
  readonly plugin: Plugin;

  constructor(wants: Plugin["wants"] = []) {
    this.plugin = definePlugin({
      name: "gate",
      wants,
      setup: (scope) => {
        this.scope = scope;
        scope.on(holdSwarm, (request) => {
          this.asked.push(`${request.name} ${request.doing}`);
          return this.why(request);
        });
      },
    }) as Plugin;
  }

  options(use = true): SimPeerOptions {
    const plugins = [{ use: "tcp" }, ...use ? [{ use: "gate" }] : []];
    return { profile: { plugins }, plugins: { gate: this.plugin } };
  }
}

function state({ runtime }: SimPeer, id: string): string {
  const { state, held } = runtime.swarm(id);
  return held === undefined ? state : `${state}: ${held}`;
}

Deno.test("a swarm that a plugin holds rests with the reason, and goes on when the plugin has it asked again", async () => {
  await using swarm = new SimSwarm(1);
  const torrent = makeTorrent({ length: 400_000 });
  const seed = await swarm.seed("seed", torrent);
  const gate = new Gate();
  gate.why = () => "it is not its turn";
  const leech = await swarm.peer("leech", gate.options());
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.simulation.run(60_000);
  assert.equal(state(leech, torrent.id), "held: it is not its turn");
  assert.equal(leech.runtime.swarm(torrent.id).connected, 0);
  assert.ok(
    leech.events.some(({ event, data }) => event === "swarm.state" && data.held === "it is not its turn"),
    "the event says why",
  );
  gate.why = () => "something else comes first";
  gate.scope!.swarms.review();
  await swarm.simulation.run(100);
  assert.equal(state(leech, torrent.id), "held: something else comes first");
  gate.why = () => undefined;
  gate.scope!.swarms.review();
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
  await swarm.simulation.run(1_000);
  assert.equal(gate.asked.at(-1), "sample seeding", "it is asked anew about what comes after");
});

Deno.test("a swarm under way is held when its plugin says so, keeps what it has, and only the others go on", async () => {
  await using swarm = new SimSwarm(2);
  const [one, two] = [1, 2].map((seed) => makeTorrent({ name: `t${seed}`, length: 2_000_000, seed }));
  const profile = { limits: { up: "200 KB/s" } };
  const seeds = [await swarm.seed("seed 1", one, { profile }), await swarm.seed("seed 2", two, { profile })];
  const gate = new Gate();
  const leech = await swarm.peer("leech", gate.options());
  await swarm.add(leech, one, { peers: [seeds[0].address] });
  await swarm.add(leech, two, { peers: [seeds[1].address] });
  await swarm.until(() => leech.runtime.swarm(one.id).done > 500_000);
  gate.why = ({ name }) => name === "t1" ? "the other one first" : undefined;
  gate.scope!.swarms.review();
  await swarm.simulation.run(1_000);
  const { done } = leech.runtime.swarm(one.id);
  assert.equal(state(leech, one.id), "held: the other one first");
  assert.ok(done > 500_000, "its progress is still shown");
  await swarm.complete(leech, two);
  assert.equal(leech.runtime.swarm(one.id).done, done);
  gate.why = () => undefined;
  gate.scope!.swarms.review();
  await swarm.complete(leech, one);
  assert.ok(leech.runtime.swarm(one.id).downloaded < 2_200_000, "nothing was fetched twice");
});

Deno.test("the user's pause goes before: whoever is paused isn't asked about, and isn't called held", async () => {
  await using swarm = new SimSwarm(3);
  const torrent = makeTorrent({ length: 100_000 });
  const gate = new Gate();
  gate.why = () => "no";
  const leech = await swarm.peer("leech", gate.options());
  await swarm.add(leech, torrent, { paused: true });
  await swarm.simulation.run(1_000);
  assert.deepEqual([state(leech, torrent.id), gate.asked], ["paused", []]);
  const paused = (paused: boolean) => swarm.simulation.complete(leech.runtime.update(torrent.id, { paused }));
  await paused(false);
  await swarm.simulation.run(1_000);
  assert.equal(state(leech, torrent.id), "held: no");
  await paused(true);
  await swarm.simulation.run(1_000);
  assert.equal(state(leech, torrent.id), "paused");
});

Deno.test("a plugin that fails or never answers holds nothing, and one that is gone holds no longer", async () => {
  await using swarm = new SimSwarm(4);
  const torrent = makeTorrent({ length: 100_000 });
  const seed = await swarm.seed("seed", torrent);
  const gate = new Gate();
  gate.why = () => {
    throw new Error("broken");
  };
  const leech = await swarm.peer("leech", gate.options());
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  gate.why = () => "never again";
  gate.scope!.swarms.review();
  await swarm.simulation.run(1_000);
  assert.equal(state(leech, torrent.id), "held: never again");
  await swarm.reload(leech, gate.options(false));
  await swarm.until(() => state(leech, torrent.id) === "seeding", 10_000);
});

Deno.test("of a private swarm those alone are asked who want such", async () => {
  for (const wants of [[], ["private"]] as const) {
    await using swarm = new SimSwarm(5);
    const torrent = makeTorrent({ length: 100_000, private: true });
    const gate = new Gate(wants);
    gate.why = () => "not now";
    const leech = await swarm.peer("leech", gate.options());
    await swarm.add(leech, torrent);
    await swarm.simulation.run(1_000);
    assert.equal(state(leech, torrent.id), wants.length > 0 ? "held: not now" : "downloading");
    assert.equal(gate.asked.length > 0, wants.length > 0);
  }
});
