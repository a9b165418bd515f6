import assert from "node:assert/strict";
import * as catalogue from "../../core/api/hooks.ts";
import { definePlugin, type Handler, type Hook, object, parsePeerAddress, type Plugin } from "../../core/api/mod.ts";
import { sandboxPlugin } from "../../core/sandbox/sandbox.ts";
import { FakeIsolates } from "../../core/sandbox/test_isolates.ts";
import { encode } from "../../core/wire/bencode.ts";
import { makeTorrent, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";

// Every hook that there is: one that is added is covered at once.
const HOOKS = Object.values(catalogue) as unknown as readonly Hook[];
const PASSKEY = "0a1b2c3d4e5f";

// What is read of values rather than called.
const NOT_CALLED = ["then", "publicOnly", "bringsMetadata", "policy", "port"];

/** What a plugin got, by hook. */
type Heard = [hook: string, what: unknown][];

/** A plugin that attaches to every hook, and keeps all that it gets. What it may not attach to is in `refused`. */
function nosy(heard: Heard, refused: string[], more: Partial<Plugin> = {}): Plugin {
  return definePlugin({
    name: "nosy",
    config: object({}),
    setup(scope) {
      for (const hook of HOOKS) {
        try {
          if (hook.verb === "keyed") scope.provide(hook as Hook<"keyed">, "nosy", spy(hook.name, heard));
          else scope.on(hook as Hook<"event">, listener(hook, heard) as never);
        } catch {
          refused.push(hook.name);
        }
      }
      const look = (): void => {
        heard.push(["plugin.swarms", [...scope.swarms]]);
        scope.clock.after(50, look);
      };
      look();
    },
    ...more,
  }) as Plugin;
}

function listener({ name, verb }: Hook, heard: Heard): unknown {
  const hear = (what: unknown): undefined => void heard.push([name, what]);
  if (verb === "gather") {
    // deno-lint-ignore require-yield -- it only listens
    return async function* (input: unknown) {
      await Promise.resolve(hear(input));
    };
  }
  if (verb !== "around") return hear;
  const wrap: Handler<"around", unknown, unknown> = (input, next) => {
    hear(input);
    return next(input);
  };
  return wrap;
}

/** A value of any kind: whatever is called of it keeps what it was given. */
function spy(name: string, heard: Heard): never {
  const hear = (...what: unknown[]): never => {
    heard.push([name, what]);
    throw new Error("no use");
  };
  // A transport that can't listen would end it all.
  const listen = (...what: unknown[]): unknown => {
    heard.push([name, what]);
    return Promise.resolve({ address: parsePeerAddress("0.0.0.0:6881"), close: () => {} });
  };
  return new Proxy(hear, {
    get: (_, key) => typeof key === "symbol" || NOT_CALLED.includes(key) ? undefined : key === "listen" ? listen : hear,
    ownKeys: () => ["prototype"],
  }) as never;
}

/** Everything in there that can be read, as one text. */
function textOf(value: unknown, seen = new Set<unknown>()): string {
  if (value instanceof Uint8Array) return `${value.toHex()} ${new TextDecoder("latin1").decode(value)}`;
  if (value instanceof URL) return value.href;
  if (typeof value !== "object" || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  const keys = [...Object.keys(value), "key", "hex", "ip", "message"];
  return keys.map((key) => textOf((value as Record<string, unknown>)[key], seen)).join(" ");
}

/** A swarm's life beside the plugin: announced, downloaded from one peer, and shared with another that connects. */
async function live(seed: number, isPrivate: boolean, plugin: (swarm: SimSwarm) => Promise<Plugin>) {
  const swarm = new SimSwarm(seed);
  const tracker = swarm.simulation.host("tracker");
  const at = (scheme: string) => `${scheme}://${tracker.ip}/${PASSKEY}/announce`;
  const torrent = makeTorrent({
    name: "my-secret-album",
    length: 400_000,
    private: isPrivate,
    trackers: [[at("http")], [at("nosy")]],
    webSeeds: [`nosy://${tracker.ip}/${PASSKEY}`],
  });
  const plugins = ["tcp", "mse", "metadata", "pex", "tracker_http"].map((use) => ({ use }));
  const profile = { egress: { allow: ["private"] }, plugins };
  const source = await swarm.seed("source", torrent, { profile: { plugins: [{ use: "tcp" }, { use: "mse" }] } });
  await swarm.simulation.complete(tracker.net.serve({ ip: "0.0.0.0", port: 80 }, () => {
    const { ip, port } = parsePeerAddress(source.address);
    return new Response(
      new Uint8Array(encode({ interval: 60, peers: new Uint8Array([...ip.split(".").map(Number), port >> 8, port]) })),
    );
  }));
  const leech = await swarm.peer("leech", {
    profile: { ...profile, plugins: [...plugins, { use: "nosy" }] },
    plugins: { nosy: await plugin(swarm) },
  });
  await swarm.add(leech, torrent);
  await swarm.complete(leech, torrent);
  const late = await swarm.peer("late", { profile: { ...profile, plugins: [{ use: "tcp" }, { use: "mse" }] } });
  await swarm.add(late, torrent);
  await swarm.simulation.complete(late.runtime.addPeers(torrent.id, [leech.address]));
  await swarm.complete(late, torrent);
  await swarm.simulation.complete(leech.runtime.remove(torrent.id));
  await swarm.simulation.run(5_000);
  const secrets = {
    id: torrent.id.slice(0, 40),
    name: torrent.name,
    source: source.host.ip,
    late: late.host.ip,
    passkey: PASSKEY,
  };
  return { swarm, secrets, leech };
}

/** Which of the secrets are in what was heard, and where. */
function leaks(heard: Heard, secrets: Readonly<Record<string, string>>): string[] {
  const found = new Set<string>();
  for (const [hook, what] of heard) {
    const text = textOf(what);
    for (const [name, secret] of Object.entries(secrets)) if (text.includes(secret)) found.add(`${name} in ${hook}`);
  }
  return [...found].sort();
}

/** The plugin as it runs apart. */
async function apart(
  swarm: SimSwarm,
  plugin: Plugin,
  isolate: "worker" | "process",
  permissions: { readonly private?: boolean } = {},
): Promise<Plugin> {
  const { clock } = swarm.simulation;
  const url = "file:///plugins/nosy.ts";
  const isolates = new FakeIsolates(clock, { [url]: plugin });
  const request = { use: url, isolate, permissions, memory: 1, config: {}, baseDir: "/" };
  return await swarm.simulation.complete(
    sandboxPlugin({ url, files: [], version: "1", host: { clock, isolates }, request }),
  );
}

const wants = { wants: ["private"] } as const;
const seen = (leech: SimPeer): string => leech.events.map(({ event }) => event).join(" ");

Deno.test("a plugin that attaches to every hook sees nothing of a private swarm", async () => {
  const heard: Heard = [];
  const refused: string[] = [];
  const { swarm, secrets, leech } = await live(1, true, () => Promise.resolve(nosy(heard, refused)));
  await using _ = swarm;
  assert.match(seen(leech), /swarm.completed .*peer.closed .*swarm.removed/, "all of this happened");
  assert.deepEqual(leaks(heard, secrets), []);
  assert.deepEqual(refused, ["peers.accept"]);
});

Deno.test("the same plugin sees public swarms, but never a tracker's passkey in an event", async () => {
  const heard: Heard = [];
  const { swarm, secrets } = await live(1, false, () => Promise.resolve(nosy(heard, [])));
  await using _ = swarm;
  const found = leaks(heard, secrets);
  for (const each of ["id in swarm.added", "name in plugin.swarms", "source in peers.dial", "late in peers.admit"]) {
    assert.ok(found.includes(each), `${each}, among ${found}`);
  }
  assert.ok(heard.some(([hook]) => hook === "tracker.status"));
  assert.ok(!found.includes("passkey in tracker.status"), found.join());
});

Deno.test("a plugin that wants to know of private swarms does", async () => {
  const heard: Heard = [];
  const refused: string[] = [];
  const { swarm, secrets } = await live(1, true, () => Promise.resolve(nosy(heard, refused, wants)));
  await using _ = swarm;
  const found = leaks(heard, secrets);
  for (const each of ["id in swarm.added", "source in peers.dial", "late in peers.admit", "id in wire.extension"]) {
    assert.ok(found.includes(each), `${each}, among ${found}`);
  }
  assert.ok(!found.includes("name in plugin.swarms"), "what may be announced is public");
  assert.deepEqual(refused, []);
});

for (const kind of ["worker", "process"] as const) {
  Deno.test(`a plugin in a ${kind} that attaches to every hook that crosses sees nothing of a private swarm`, async () => {
    const heard: Heard = [];
    const { swarm, secrets } = await live(2, true, (swarm) => apart(swarm, nosy(heard, []), kind));
    await using _ = swarm;
    assert.ok(heard.length > 0);
    assert.deepEqual(leaks(heard, secrets), []);
  });

  Deno.test(`a plugin in a ${kind} sees private swarms where it wants that and its entry grants it`, async () => {
    const heard: Heard = [];
    const { swarm, secrets } = await live(
      3,
      true,
      (swarm) => apart(swarm, nosy(heard, [], wants), kind, { private: true }),
    );
    await using _ = swarm;
    const found = leaks(heard, secrets);
    for (const each of ["id in swarm.added", "late in peers.admit", "source in peer.connected"]) {
      assert.ok(found.includes(each), `${each}, among ${found}`);
    }
    assert.ok(!found.some((each) => each.startsWith("passkey")), found.join());
  });
}

Deno.test("a plugin that wants private swarms and isn't granted them is refused, naming the key of its entry", async () => {
  await using swarm = new SimSwarm(4);
  await assert.rejects(apart(swarm, nosy([], [], wants), "process"), /add "private: true" to its permissions/);
});
