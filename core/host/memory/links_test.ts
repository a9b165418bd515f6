import assert from "node:assert/strict";
import { type DatagramSocket, NetError } from "../../api/host.ts";
import { peerAddress } from "../../wire/mod.ts";
import { createSimulation, type LinkOptions, type MemoryHost, type Simulation } from "./mod.ts";

/** A UDP socket on each host, and what they hear: `who from whom at ms`. */
async function sockets(simulation: Simulation, hosts: readonly MemoryHost[]) {
  const heard: string[] = [];
  const all = hosts.map(async (host) => {
    const socket = await host.net.datagrams({ ip: "0.0.0.0", port: 1 });
    const listen = async (): Promise<void> => {
      const { from } = await socket.receive(new Uint8Array(2_000));
      heard.push(`${host.name} from ${hosts.find(({ ip }) => ip === from.ip)?.name} at ${simulation.now}`);
      return listen();
    };
    listen().catch(() => {});
    return socket;
  });
  return { heard, sockets: await simulation.complete(Promise.all(all)) };
}

const send = (socket: DatagramSocket, host: MemoryHost, bytes = 972) =>
  socket.send(new Uint8Array(bytes), peerAddress(host.ip, 1));

async function world(...names: string[]) {
  const simulation = createSimulation({ seed: 1 });
  const hosts = names.map((name) => simulation.host(name));
  return { simulation, hosts, network: simulation.network, ...await sockets(simulation, hosts) };
}

Deno.test("connect() links two hosts, each way as told, and no others", async () => {
  const { simulation, hosts: [a, b, c], network, sockets: [one, two], heard } = await world("a", "b", "c");
  network.connect(a, b, { latency: 50 }, { latency: 20 });
  for (const [socket, to] of [[one, b], [one, c], [two, a]] as const) await send(socket, to);
  await simulation.run(100);
  assert.deepEqual(heard, ["c from a at 1", "a from b at 20", "b from a at 50"]);
});

Deno.test("hosts may be named before they are there", async () => {
  using simulation = createSimulation({ seed: 1 });
  simulation.network.connect("a", "b", { latency: 50 });
  const hosts = [simulation.host("a"), simulation.host("b")];
  const { heard, sockets: [one] } = await sockets(simulation, hosts);
  await send(one, hosts[1]);
  await simulation.run(100);
  assert.deepEqual(heard, ["b from a at 50"]);
});

Deno.test("a link that is disposed of is gone, and one made again replaces it", async () => {
  const { simulation, hosts: [a, b], network, sockets: [one], heard } = await world("a", "b");
  const old = network.connect(a, b, { latency: 50 });
  network.connect(a, b, { latency: 30 });
  old[Symbol.dispose]();
  await send(one, b);
  await simulation.run(100);
  const access = network.access(a, { up: { latency: 7 } });
  access[Symbol.dispose]();
  network.connect(a, b, { latency: 40 })[Symbol.dispose]();
  await send(one, b);
  await simulation.run(100);
  assert.deepEqual(heard, ["b from a at 30", "b from a at 101"]);
});

Deno.test("all that a host sends shares its access link up, and all that it gets its link down", async () => {
  const { simulation, hosts: [, b, c], network, sockets: [one, , three], heard } = await world("a", "b", "c");
  const { up } = network.access("a", { up: { latency: 0, bandwidth: 100_000 } });
  network.access("b", { down: { latency: 0, bandwidth: 50_000 } });
  await send(one, b);
  await send(one, c);
  await send(one, b);
  await send(three, b);
  await simulation.run(1_000);
  assert.deepEqual(heard, ["b from c at 21", "c from a at 21", "b from a at 41", "b from a at 61"]);
  assert.equal(up?.counts.packets, 3);
});

Deno.test("a packet queues when it comes to a link, not when it is sent", async () => {
  const { simulation, hosts: [a, b, c], network, sockets: [one, , three], heard } = await world("a", "b", "c");
  network.connect(a, b, { latency: 100 });
  network.access(b, { down: { latency: 0, bandwidth: 100_000 } });
  await send(one, b);
  await simulation.run(50);
  await send(three, b);
  await simulation.run(1_000);
  assert.deepEqual(heard, ["b from c at 61", "b from a at 110"]);
  assert.deepEqual([a.name, c.name], ["a", "c"]);
});

Deno.test("everywhere() gives each pair of hosts a link of its own, where none connects it", async () => {
  const { simulation, hosts: [a, b, c], network, sockets: [one, two], heard } = await world("a", "b", "c");
  network.connect(b, c, { latency: 3 });
  using _ = network.everywhere({ latency: 0, bandwidth: 100_000 });
  for (const [socket, to] of [[one, b], [one, c], [one, b], [two, c], [two, a]] as const) await send(socket, to);
  await simulation.run(1_000);
  assert.deepEqual(heard, ["c from b at 3", "b from a at 10", "c from a at 10", "a from b at 10", "b from a at 20"]);
});

Deno.test("what a host sends to itself passes no link", async () => {
  const { simulation, hosts: [a], network, sockets: [one], heard } = await world("a");
  network.everywhere({ latency: 500 });
  network.access(a, { up: { loss: 1 }, down: { loss: 1 } });
  await send(one, a);
  await one.send(new Uint8Array(1), peerAddress("127.0.0.1", 1));
  await simulation.run(10);
  assert.deepEqual(heard, ["a from a at 1", "a from undefined at 1"]);
});

Deno.test("partitions hold on links too, and the rule of a test's own where access links leave room", async () => {
  const { simulation, hosts: [a, b], network, sockets: [one], heard } = await world("a", "b");
  network.access(a, { up: { latency: 10 } });
  network.link = () => 30;
  await send(one, b);
  const partition = network.partition([a], [b]);
  await send(one, b);
  await simulation.run(100);
  partition[Symbol.dispose]();
  network.link = () => undefined;
  await send(one, b);
  await simulation.run(100);
  assert.deepEqual(heard, ["b from a at 40"]);
});

Deno.test("a datagram above the MTU vanishes, or is refused where a link on its way says so", async () => {
  const { simulation, hosts: [a, b], network, sockets: [one], heard } = await world("a", "b");
  const { there } = network.connect(a, b, { mtu: 1_400 });
  await send(one, b, 1_373);
  there.set({ mtu: 1_400, oversize: "refuse" });
  await assert.rejects(
    send(one, b, 1_373),
    (error) =>
      error instanceof NetError && error.fault === "io" && /1373 bytes to 20\.0\.0\.2.*EMSGSIZE/.test(error.message),
  );
  await send(one, b, 1_372);
  await simulation.run(10);
  assert.deepEqual([heard.length, there.counts.oversize], [1, 1]);
});

Deno.test("what happens on one link does not depend on the traffic of others", async () => {
  const lost = async (others: boolean): Promise<string[]> => {
    const { simulation, hosts: [a, b, c], network, sockets: [one, two], heard } = await world("a", "b", "c");
    const options: LinkOptions = { loss: 0.5, jitter: 10 };
    network.everywhere(options);
    for (let i = 0; i < 20; i++) {
      await send(one, b);
      if (others) { for (const [socket, to] of [[one, c], [two, a]] as const) await send(socket, to); }
      await simulation.run(100);
    }
    return heard.filter((line) => line.startsWith("b from a"));
  };
  const alone = await lost(false);
  assert.ok(alone.length > 0 && alone.length < 20);
  assert.deepEqual(await lost(true), alone);
});

Deno.test("a host can't be linked with itself", () => {
  using simulation = createSimulation({ seed: 1 });
  assert.throws(() => simulation.network.connect("a", "a", {}), /Cannot connect "a" with itself: name two hosts/);
});
