import assert from "node:assert/strict";
import { EgressError } from "../api/errors.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { Egress } from "./egress.ts";
import { peerAddress } from "../wire/mod.ts";
import { createPluginNet } from "./plugin_net.ts";

Deno.test("connect() passes the guard and datagrams are guarded one by one", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("host", "203.0.113.9");
  const server = simulation.host("server", "203.0.113.1");
  const scope = new AbortController();
  const net = createPluginNet({ host, egress: new Egress({ allow: [] }), scopeSignal: scope.signal });
  await simulation.complete(server.net.listen({ ip: "0.0.0.0", port: 6881 }));
  const stream = await simulation.complete(net.connect(peerAddress("203.0.113.1", 6881)));
  stream.close();
  await assert.rejects(net.connect(peerAddress("10.0.0.1", 6881)), EgressError);
  const socket = await simulation.complete(net.datagrams({ ip: "0.0.0.0", port: 0 }));
  await simulation.complete(socket.send(new Uint8Array(1), peerAddress("203.0.113.1", 6881)));
  await assert.rejects(socket.send(new Uint8Array(1), peerAddress("127.0.0.1", 6881)), EgressError);
  socket.close();
});

Deno.test("whoever sent the last datagram may be answered, although the guard lets nothing else go there", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("host", "192.168.0.1");
  const asker = simulation.host("asker", "192.168.0.2");
  const net = createPluginNet({
    host,
    egress: new Egress({ allow: [] }),
    scopeSignal: new AbortController().signal,
  });
  const socket = await simulation.complete(net.datagrams({ ip: "0.0.0.0", port: 6969 }));
  const asking = await simulation.complete(asker.net.datagrams({ ip: "0.0.0.0", port: 0 }));
  await simulation.complete(asking.send(new Uint8Array(1), peerAddress("192.168.0.1", 6969)));
  const { from } = await simulation.complete(socket.receive(new Uint8Array(10)));
  await simulation.complete(socket.send(new Uint8Array(1), from));
  await assert.rejects(socket.send(new Uint8Array(1), peerAddress("192.168.0.3", 6969)), EgressError);
  asking.close();
  socket.close();
});

Deno.test("multicast() joins groups alone, and sends to the group that it joined alone", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("host", "192.168.0.1");
  const neighbour = simulation.host("neighbour", "192.168.0.2");
  const net = createPluginNet({
    host,
    egress: new Egress({ allow: ["private"] }),
    scopeSignal: new AbortController().signal,
  });
  const interfaces = await simulation.complete(net.interfaces());
  for (const group of ["192.168.0.2", "127.0.0.1", "203.0.113.1", "255.255.255.255"]) {
    await assert.rejects(net.multicast({ group, port: 6771, interfaces }), EgressError);
  }
  const options = { group: "239.192.152.143", port: 6771, interfaces };
  const socket = await simulation.complete(net.multicast(options));
  const hearing = await simulation.complete(neighbour.net.multicast(options));
  await simulation.complete(socket.send(new Uint8Array(3), peerAddress("239.192.152.143", 6771)));
  const { bytes, from } = await simulation.complete(hearing.receive(new Uint8Array(10)));
  assert.deepEqual([bytes.length, from.ip], [3, "192.168.0.1"]);
  await assert.rejects(socket.send(new Uint8Array(3), peerAddress("192.168.0.2", 6771)), EgressError);
  await assert.rejects(socket.send(new Uint8Array(3), peerAddress("239.192.152.144", 6771)), EgressError);
  socket.close();
  hearing.close();
});

Deno.test("everything that is open or under way ends with the entry", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("host", "203.0.113.9");
  const server = simulation.host("server", "203.0.113.1");
  const scope = new AbortController();
  const net = createPluginNet({ host, egress: new Egress({ allow: [] }), scopeSignal: scope.signal });
  await simulation.complete(server.net.serve({ ip: "0.0.0.0", port: 80 }, () => new Promise(() => {})));
  await simulation.complete(server.net.listen({ ip: "0.0.0.0", port: 6881 }));
  const stream = await simulation.complete(net.connect(peerAddress("203.0.113.1", 6881)));
  const listener = await simulation.complete(net.listen({ ip: "0.0.0.0", port: 7000 }));
  const accepting = listener.accept();
  const caller = await simulation.complete(server.net.connect(peerAddress("203.0.113.9", 7000)));
  const accepted = await simulation.complete(accepting);
  const socket = await simulation.complete(net.datagrams({ ip: "0.0.0.0", port: 7001 }));
  await simulation.complete(net.serve({ ip: "0.0.0.0", port: 7002 }, () => new Response("hi")));
  const waits = [
    stream.read(new Uint8Array(1)),
    accepted.read(new Uint8Array(1)),
    listener.accept(),
    socket.receive(new Uint8Array(10)),
    net.fetch("http://203.0.113.1/"),
  ];
  const settled = Promise.allSettled(waits);
  await simulation.run(1000);
  scope.abort(new Error("retired"));
  assert.deepEqual(new Set((await simulation.complete(settled)).map(({ status }) => status)), new Set(["rejected"]));
  await assert.rejects(net.fetch("http://203.0.113.1/"), /retired/);
  caller.close();
  for (const port of [7000, 7002]) (await simulation.complete(host.net.listen({ ip: "0.0.0.0", port }))).close();
  (await simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 7001 }))).close();
});
