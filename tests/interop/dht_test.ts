import assert from "node:assert/strict";
import { libtorrent, libtorrentNodes, type TorrentStatus } from "../support/clients/libtorrent.ts";
import type { Steered } from "../support/clients/steered.ts";
import { bittorrentDht, webtorrent } from "../support/clients/webtorrent.ts";
import { steeredWeft, type WeftStatus } from "../support/clients/weft.ts";
import { clientTest } from "../support/lab.ts";
import { eventually, Neighbourhood } from "../support/neighbourhood.ts";
import { single, tree } from "../support/payloads.ts";

/** How many libtorrent nodes the DHT has. */
const crowd = 30;
/** Each node knows those so many places further on: enough that every one can be found from every other. */
const acquaintances = [1, 2, 3, 5, 8, 13, 17];
/** The crowd's first node. */
const doors = ["127.0.0.10:6881", "[::1]:7000"];
const weftPort = 6900;
/** Where bittorrent-dht's nodes listen, from here on. */
const npmPort = 9001;
const seed = "11".repeat(32);
/** The key pair of BEP 44's test vectors; libtorrent wants the private one expanded. */
const expanded = "e06d3183d14159228433ed599221b80bd0a5ce8352e4bdf0262f76786ef1c74d" +
  "b7e7a9fea2c0eb269d61e3b38e450a22e754941ac78479d6c54e1faf6037881d";
const publicKey = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
const salt = "73616c74";

/** One machine: all nodes have loopback addresses of their own. */
const oneMachine = (): Promise<Neighbourhood> => Neighbourhood.open(1);

/** A DHT of libtorrent nodes over IPv4 and IPv6; the first stands at `doors`. */
async function crowded(place: Neighbourhood, count = crowd): Promise<Steered> {
  const ipv4 = (index: number): string => `127.0.0.${10 + index % count}:6881`;
  const ipv6 = (index: number): string => `[::1]:${7000 + index % count}`;
  const indexes = Array.from({ length: count }, (_, index) => index);
  const listen = indexes.map((index) => `${ipv4(index)},${ipv6(index)}`);
  const nodes = await place.use(libtorrentNodes(place.sites[0], { listen, settings: { enable_dht: true } }));
  await Promise.all(indexes.map((node) => {
    const known = acquaintances.map((step) => node + step);
    return nodes.ask("add_nodes", { node, addresses: [...known.map(ipv4), ...known.map(ipv6)] });
  }));
  for (const node of indexes) {
    await eventually(`node ${node} knows others`, () => nodes.ask<number>("nodes", { node }), (known) => known >= 4);
  }
  return nodes;
}

interface WeftOptions {
  readonly bootstrap?: readonly string[];
  readonly swarms?: readonly { add: string; path?: string; peers?: readonly string[] }[];
  /** Without `use: dht`: the entry that steers it is the node, and its items can be asked for. */
  readonly items?: boolean;
  readonly port?: number;
}

/** A Weft with TCP and the DHT alone. */
async function weftNode(place: Neighbourhood, options: WeftOptions): Promise<Steered & { readonly out: string }> {
  const { bootstrap = doors, swarms = [], items = false, port = weftPort } = options;
  const scratch = await place.folder("weft");
  const dht = `  - { use: dht, with: { bootstrap: ${JSON.stringify(bootstrap)}, queries_per_address: 200 } }`;
  const profile = [
    `listen: "[::]:${port}"`,
    "egress: { allow: [loopback] }",
    `swarms: ${JSON.stringify(swarms)}`,
    "plugins:",
    "  - use: tcp",
    ...(items ? [] : [dht]),
  ].join("\n");
  const steer = { dht: items, bootstrap };
  const weft = await place.use(steeredWeft(place.sites[0], { scratch, profile, steer }));
  return Object.assign(weft, { out: `${scratch}/out` });
}

function statusOf(weft: Steered): () => Promise<WeftStatus> {
  return () => weft.ask<WeftStatus>("status");
}

/** Waits until lookups of `nodes` have given all of the addresses. */
async function finds(nodes: Steered, infoHash: string, addresses: string[], node = 0): Promise<void> {
  await eventually(
    `finding ${addresses}`,
    () => nodes.ask<string[]>("get_peers", { node, infoHash }),
    (found) => addresses.every((address) => found.includes(address)),
  );
}

await clientTest("weft is one of 30 libtorrent nodes", [libtorrent], oneMachine, {
  async "it finds what they announce, and they find what it announces, over IPv4 and IPv6"(place) {
    const nodes = await crowded(place);
    const theirs = await place.share(single);
    const ours = await place.share(tree);
    await nodes.ask("add", { node: 3, torrent: theirs.torrent, folder: theirs.data, seed: true });
    await nodes.ask("announce", { node: 3 });
    await finds(nodes, theirs.infoHash, ["127.0.0.13:6881"], 17);

    const weft = await weftNode(place, {
      swarms: [{ add: theirs.torrent }, { add: ours.torrent, path: ours.data }],
    });
    await eventually("weft downloads", statusOf(weft), ({ states }) => states[theirs.infoHash] === "seeding");
    assert.ok(await place.holds(weft.out, theirs));
    const { sources } = await weft.ask<WeftStatus>("status");
    assert.deepEqual(sources["127.0.0.13:6881"], ["dht"]);

    await finds(nodes, ours.infoHash, [`127.0.0.1:${weftPort}`, `::1:${weftPort}`], 22);
    const folder = await place.folder("out");
    await nodes.ask("add", { node: 25, torrent: ours.torrent, folder });
    await nodes.ask("announce", { node: 25 });
    const done = await eventually(
      "libtorrent downloads from weft",
      () => nodes.ask<TorrentStatus>("status", { node: 25 }),
      ({ seeding }) => seeding,
    );
    assert.ok(done.seeding && await place.holds(folder, ours));
  },

  async "items pass both ways, mutable and immutable"(place) {
    const nodes = await crowded(place);
    const weft = await weftNode(place, { items: true });
    await eventually("weft knows nodes", () => weft.ask<number>("nodes"), (known) => known >= 8);

    const { target } = await nodes.ask<{ target: string }>("put_immutable", { node: 4, value: "6869" });
    assert.equal(await weft.ask("get_immutable", { target }), "6869");
    const keys = { private: expanded, public: publicKey };
    const { seq } = await nodes.ask<{ seq: number }>("put_mutable", { node: 4, ...keys, salt, value: "686f" });
    // It puts once more over IPv6, with the next number.
    const held = await weft.ask<{ value: string; seq: number }>("get_mutable", { target: publicKey, salt });
    assert.ok(held.value === "686f" && held.seq >= seq, JSON.stringify(held));

    const put = await weft.ask<{ target: string; nodes: number }>("put_immutable", { value: "77656674" });
    assert.ok(put.nodes >= 8, `only ${put.nodes} nodes took it`);
    assert.equal(await nodes.ask("get_immutable", { node: 9, target: put.target }), "77656674");
    const key = await weft.ask<{ public: string }>("put_mutable", { seed, salt, value: "6e6577", seq: 7 });
    const found = await nodes.ask("get_mutable", { node: 9, public: key.public, salt });
    assert.deepEqual(found, { value: "6e6577", seq: 7 });
  },
});

await clientTest("weft's nodes serve other clients' lookups", [libtorrent, webtorrent], oneMachine, {
  async "two libtorrents, which know one Weft each, meet through five"(place) {
    const door = `127.0.0.1:${weftPort}`;
    const ports = Array.from({ length: 5 }, (_, index) => weftPort + index);
    // The first one before the others: a door that isn't there is tried again seconds later.
    const [first, ...rest] = ports;
    const wefts = [
      await weftNode(place, { port: first, items: true, bootstrap: [] }),
      ...await Promise.all(rest.map((port) => weftNode(place, { port, items: true, bootstrap: [door] }))),
    ];
    for (const weft of wefts) {
      await eventually("weft knows the others", () => weft.ask<number>("nodes"), (known) => known >= 2);
    }
    const nodes = await place.use(libtorrentNodes(place.sites[0], {
      listen: ["127.0.0.10:6881", "127.0.0.11:6881"],
      settings: { enable_dht: true },
    }));
    for (const node of [0, 1]) {
      await nodes.ask("add_nodes", { node, addresses: [`127.0.0.1:${weftPort + node}`] });
      await eventually("libtorrent knows Wefts", () => nodes.ask<number>("nodes", { node }));
    }
    const { infoHash, torrent, data } = await place.share(single);
    await nodes.ask("add", { node: 0, torrent, folder: data, seed: true });
    await nodes.ask("announce", { node: 0 });
    await finds(nodes, infoHash, ["127.0.0.10:6881"], 1);

    const { target } = await nodes.ask<{ target: string }>("put_immutable", { node: 0, value: "6869" });
    assert.equal(await nodes.ask("get_immutable", { node: 1, target }), "6869");
    const keys = { private: expanded, public: publicKey };
    const { seq } = await nodes.ask<{ seq: number }>("put_mutable", { node: 0, ...keys, salt, value: "686f" });
    const found = await nodes.ask("get_mutable", { node: 1, public: publicKey, salt });
    assert.deepEqual(found, { value: "686f", seq });
    const sampled = await Promise.all(
      ports.map((port) =>
        nodes.ask<{ samples: string[] }>("sample", { node: 1, address: `127.0.0.1:${port}`, target: infoHash })
      ),
    );
    assert.ok(sampled.some(({ samples }) => samples.includes(infoHash)), JSON.stringify(sampled));
    assert.deepEqual(await wefts[4].ask("sample", { target: infoHash }), [infoHash]);
    const { seeds, peers } = await wefts[4].ask<{ seeds: number; peers: number }>("scrape", { infoHash });
    assert.deepEqual([seeds, peers].map(Math.floor), [1, 0]);
  },
});

await clientTest("weft and libtorrent tell each other the ports of their nodes", [libtorrent], oneMachine, {
  async "and each is the other's way into the DHT"(place) {
    const settings = { enable_dht: true };
    const nodes = await place.use(libtorrentNodes(place.sites[0], { listen: ["127.0.0.10:6881"], settings }));
    const { torrent, data } = await place.share(tree);
    await nodes.ask("add", { torrent, folder: data, seed: true });
    assert.equal(await nodes.ask("nodes"), 0);
    const swarms = [{ add: torrent, peers: ["127.0.0.10:6881"] }];
    await weftNode(place, { bootstrap: [], swarms });
    await eventually("libtorrent knows weft's node", () => nodes.ask<number>("nodes"), (known) => known === 1);
    const other = await place.share(single);
    await nodes.ask("add", { torrent: other.torrent, folder: other.data, seed: true });
    await nodes.ask("announce");
    const door = `127.0.0.1:${weftPort}`;
    const finder = await weftNode(place, { port: weftPort + 1, bootstrap: [door], swarms: [{ add: other.torrent }] });
    await eventually("weft finds it", statusOf(finder), ({ sources }) => "127.0.0.10:6881" in sources);
  },
});

await clientTest("weft and bittorrent-dht know each other", [libtorrent, webtorrent], oneMachine, {
  async "peers and items pass both ways"(place) {
    const host = "127.0.0.1";
    const listen = Array.from({ length: 4 }, (_, index) => ({ host, port: npmPort + index }));
    const door = `${host}:${npmPort}`;
    const theirs = await place.use(bittorrentDht(place.sites[0], { listen, bootstrap: [door] }));
    const weft = await weftNode(place, { items: true, bootstrap: [door] });
    await eventually("weft knows all", () => weft.ask<number>("nodes"), (known) => known >= listen.length);
    const ours = await place.share(tree);
    const seeder = await weftNode(place, {
      port: weftPort + 1,
      bootstrap: [door],
      swarms: [{ add: ours.torrent, path: ours.data }],
    });
    await eventually("weft seeds", statusOf(seeder), ({ states }) => states[ours.infoHash] === "seeding");
    await finds(theirs, ours.infoHash, [`${host}:${weftPort + 1}`], 2);

    const wanted = await place.share(single);
    const { infoHash } = wanted;
    await theirs.ask("announce", { node: 1, infoHash, port: 5555 });
    assert.deepEqual(await theirs.ask("get_peers", { node: 3, infoHash }), [`${host}:5555`]);
    const swarms = [{ add: wanted.torrent }];
    const finder = await weftNode(place, { port: weftPort + 2, bootstrap: [door], swarms });
    await eventually("weft finds it", statusOf(finder), ({ sources }) => `${host}:5555` in sources);

    const { target } = await theirs.ask<{ target: string }>("put_immutable", { node: 1, value: "6869" });
    assert.equal(await weft.ask("get_immutable", { target }), "6869");
    const put = await weft.ask<{ target: string }>("put_immutable", { value: "77656674" });
    assert.equal(await theirs.ask("get_immutable", { node: 2, target: put.target }), "77656674");

    const key = await theirs.ask<{ public: string }>("put_mutable", { node: 1, seed, salt, value: "686f", seq: 3 });
    assert.deepEqual(await weft.ask("get_mutable", { target: key.public, salt }), { value: "686f", seq: 3 });
    const changed = await weft.ask<{ target: string }>("put_mutable", { seed, salt, value: "6e6577", seq: 4 });
    const found = await theirs.ask("get_mutable", { node: 2, target: changed.target, salt });
    assert.deepEqual(found, { value: "6e6577", seq: 4 });
  },
});
