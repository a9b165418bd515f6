import assert from "node:assert/strict";
import type { DatagramSocket } from "../../api/host.ts";
import { createSimulation, type MemoryHost, type Simulation } from "./mod.ts";

const GROUPS = { 4: "239.192.152.143", 6: "ff15::efc0:988f" } as const;

async function join(simulation: Simulation, hosts: MemoryHost[], family: 4 | 6 = 4): Promise<DatagramSocket[]> {
  const joined = hosts.map(async ({ net }) => {
    const interfaces = (await net.interfaces()).filter(({ loopback }) => !loopback);
    return await net.multicast({ group: GROUPS[family], port: 6771, interfaces });
  });
  return await simulation.complete(Promise.all(joined));
}

/** Who hears a datagram that `socket` sends, and from which addresses. */
async function heard(simulation: Simulation, socket: DatagramSocket, others: readonly DatagramSocket[]) {
  const got: string[][] = others.map(() => []);
  let over = false;
  others.forEach(async (other, i) => {
    while (!over) got[i].push((await other.receive(new Uint8Array(9))).from.ip);
  });
  await simulation.complete(socket.send(new Uint8Array(1), socket.address));
  await simulation.run(1_000);
  over = true;
  return got;
}

Deno.test("a group is heard on the LAN of the sender, and on no other", async () => {
  using simulation = createSimulation({ seed: 1 });
  const hosts = [["10.0.1.1", "10.0.2.1"], ["10.0.1.2"], ["10.0.2.2"], ["10.0.3.3"]].map((ips, i) =>
    simulation.host(`host ${i}`, ...ips)
  );
  const [sender, ...others] = await join(simulation, hosts);
  assert.deepEqual(await heard(simulation, sender, others), [["10.0.1.1"], ["10.0.2.1"], []]);
});

Deno.test("IPv6 has LANs and groups of its own", async () => {
  using simulation = createSimulation({ seed: 1 });
  const hosts = [["fd00::1", "10.0.0.1"], ["fd00::2"], ["fd00:1::3", "10.0.0.3"]].map((ips, i) =>
    simulation.host(`host ${i}`, ...ips)
  );
  const sockets = await join(simulation, hosts, 6);
  const [four] = await join(simulation, [hosts[2]]);
  assert.deepEqual(await heard(simulation, sockets[0], [sockets[1], sockets[2], four]), [["fd00::1"], [], []]);
});

Deno.test("links and partitions hold for multicast, and the dead hear nothing", async () => {
  using simulation = createSimulation({ seed: 1 });
  const hosts = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((ip) => simulation.host(ip));
  const [sender, near, cut] = await join(simulation, hosts);
  using _ = simulation.network.partition([hosts[0]], [hosts[2]]);
  assert.deepEqual(await heard(simulation, sender, [near, cut]), [["10.0.0.1"], []]);
  assert.equal(simulation.network.groups.get(sender.address.key)!.size, 3);
  for (const host of hosts) host.kill();
  assert.equal(simulation.network.groups.size, 0);
});
