import assert from "node:assert/strict";
import {
  acceptPeer,
  admitPeers,
  type AdmitRequest,
  definePlugin,
  object,
  peerAddress,
  type Plugin,
  type PluginScope,
} from "../../core/api/mod.ts";
import { makeTorrent, SimSwarm } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 3_000_000 });

type Rule = (request: AdmitRequest) => readonly boolean[] | undefined;

function plugin(setup: (scope: PluginScope) => void, more: Partial<Plugin> = {}): Plugin {
  return definePlugin({ name: "filter", config: object({}), setup, ...more }) as Plugin;
}

const filter = (rule: Rule): Plugin => plugin((scope) => void scope.on(admitPeers, rule));

const slow = { limits: { up: "20 kB/s" } };

Deno.test("an address that one filter refuses is refused, whatever those before and behind it say", async () => {
  await using swarm = new SimSwarm(11);
  const seeds = [
    await swarm.seed("a", torrent, { profile: slow }),
    await swarm.seed("b", torrent, { profile: slow }),
    await swarm.seed("c", torrent, { profile: slow }),
  ];
  const asked: string[] = [];
  const refusing = (name: string, at: number): Plugin =>
    filter(({ stage, addresses }) => {
      if (stage === "candidate") asked.push(...addresses.map(({ key }) => `${name} ${key}`));
      return addresses.map(({ ip }) => ip !== seeds[at].host.ip);
    });
  const source = plugin((scope) => void scope.on(admitPeers, () => undefined));
  const leech = await swarm.peer("leech", {
    profile: {
      egress: { allow: ["private"] },
      plugins: [{ use: "tcp" }, { use: "first" }, { use: "indifferent" }, { use: "last" }, {
        use: "peers",
        with: { peers: seeds.map(({ address }) => address) },
      }],
    },
    plugins: { first: refusing("first", 0), indifferent: source, last: refusing("last", 2) },
  });
  await swarm.add(leech, torrent);
  await swarm.simulation.run(30_000);
  assert.deepEqual(leech.runtime.swarm(torrent.id).peers.map(({ address }) => address), [seeds[1].address]);
  for (const name of ["first", "last"]) {
    for (const { address } of seeds) assert.ok(asked.includes(`${name} ${address}`));
  }
});

Deno.test("a filter refuses an arriving connection before anything is read of it, and hears of no swarm", async () => {
  await using swarm = new SimSwarm(12);
  const asked: AdmitRequest[] = [];
  let opened = 0;
  const seed = await swarm.seed("seed", torrent, {
    profile: { plugins: [{ use: "tcp" }, { use: "wrap" }, { use: "filter" }] },
    plugins: {
      wrap: plugin((scope) =>
        void scope.on(acceptPeer, (request, next) => {
          opened++;
          return next(request);
        }), { wants: ["private"] }),
      filter: filter((request) => {
        asked.push(request);
        return request.addresses.map(() => false);
      }),
    },
  });
  const stranger = swarm.simulation.host("stranger");
  const [ip, port] = [seed.host.ip, Number(seed.address.split(":").at(-1))];
  const closed = await swarm.simulation.complete((async () => {
    const stream = await stranger.net.connect(peerAddress(ip, port));
    return await stream.read(new Uint8Array(1)).catch(() => 0);
  })());
  assert.equal(closed, 0);
  assert.equal(opened, 0);
  assert.deepEqual(asked.map(({ stage, id, source }) => [stage, id, source]), [["arrival", undefined, "incoming"]]);
});

Deno.test("a filter that is added is asked about those who are here: whom it refuses goes, and is not dialed again", async () => {
  await using swarm = new SimSwarm(13);
  const [good, bad] = [
    await swarm.seed("good", torrent, { profile: slow }),
    await swarm.seed("bad", torrent, { profile: slow }),
  ];
  const closed: string[] = [];
  const peers = { use: "peers", with: { peers: [good.address, bad.address] } };
  const egress = { allow: ["private"] };
  const leech = await swarm.peer("leech", { profile: { egress, plugins: [{ use: "tcp" }, peers] } });
  leech.runtime.subscribe(({ event, data }) => {
    if (event === "peer.closed") closed.push(String((data as { reason: unknown }).reason));
  });
  await swarm.add(leech, torrent);
  const connected = () => leech.runtime.swarm(torrent.id).peers.map(({ address }) => address).sort();
  await swarm.until(() => connected().length === 2);
  await swarm.reload(leech, {
    plugins: { filter: filter(({ addresses }) => addresses.map(({ ip }) => ip !== bad.host.ip)) },
    profile: { egress, plugins: [{ use: "tcp" }, peers, { use: "filter" }] },
  });
  await swarm.simulation.run(100);
  assert.deepEqual(connected(), [good.address]);
  assert.deepEqual(closed, ["refused by a filter"]);
  await swarm.simulation.run(60_000);
  assert.deepEqual(connected(), [good.address]);
});

Deno.test("a filter whose list changed asks for the question anew by attaching again", async () => {
  await using swarm = new SimSwarm(14);
  const seed = await swarm.seed("seed", torrent, { profile: slow });
  const blocked = new Set<string>();
  let renew = (): void => {};
  const lists = plugin((scope) => {
    const rule: Rule = ({ addresses }) => addresses.map(({ ip }) => !blocked.has(ip));
    let handler = scope.on(admitPeers, rule);
    renew = () => {
      handler[Symbol.dispose]();
      handler = scope.on(admitPeers, rule);
    };
  });
  const leech = await swarm.peer("leech", {
    profile: {
      egress: { allow: ["private"] },
      plugins: [{ use: "tcp" }, { use: "lists" }, { use: "peers", with: { peers: [seed.address] } }],
    },
    plugins: { lists },
  });
  await swarm.add(leech, torrent);
  const connected = () => leech.runtime.swarm(torrent.id).peers.length;
  await swarm.until(() => connected() === 1);
  blocked.add(seed.host.ip);
  renew();
  await swarm.simulation.run(100);
  assert.equal(connected(), 0);
});
