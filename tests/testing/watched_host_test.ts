import assert from "node:assert/strict";
import { peerAddress } from "weft";
import { createSimulation } from "../../core/host/memory/mod.ts";
import { watchHost } from "./watched_host.ts";

Deno.test("watchHost() names what is open until it is closed, and what is sent", async () => {
  using simulation = createSimulation({ seed: 1 });
  const other = simulation.host("other", "203.0.113.1");
  await simulation.complete(other.net.serve({ ip: "::", port: 80 }, () => new Response("x")));
  const listener = await simulation.complete(other.net.listen({ ip: "::", port: 7 }));
  const sent: string[] = [];
  const { host, open } = watchHost(simulation.host("one"), (what) => sent.push(String(what)));

  const stream = await simulation.complete(host.net.connect(peerAddress("203.0.113.1", 7)));
  await simulation.complete(stream.write(Uint8Array.of(1, 2)));
  const socket = await simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 9 }));
  await simulation.complete(socket.send(Uint8Array.of(3), peerAddress("203.0.113.1", 9)));
  await simulation.complete(host.net.http({ url: new URL("http://203.0.113.1/list") }));
  const timer = host.clock.after(50, () => {});
  assert.deepEqual(open(), ["a stream to 203.0.113.1:7", "a UDP socket on 0.0.0.0:9", "a timer of 50 ms"]);
  assert.deepEqual(sent, ["1,2", "3", "http://203.0.113.1/list"]);

  stream.close();
  socket.close();
  timer.cancel();
  host.clock.after(10, () => {});
  await simulation.run(10);
  assert.deepEqual(open(), []);
  listener.close();
});

Deno.test("watchHost() lets time pass though something takes turns without end, and names it", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { host, open } = watchHost(simulation.host("one"));
  let over = false;
  const spin = async (): Promise<void> => {
    while (!over) await host.clock.turn();
  };
  const spinning = spin();
  await simulation.run(5_000);
  assert.equal(simulation.now, 5_000);
  assert.deepEqual(open(), ["a turn of the clock"]);
  over = true;
  await simulation.complete(spinning);
  assert.deepEqual(open(), []);
});
