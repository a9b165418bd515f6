import assert from "node:assert/strict";
import { type ByteStream, peerAddress } from "weft";
import { createPluginNet } from "../../core/net/plugin_net.ts";
import { Egress } from "../../core/net/egress.ts";
import { createSimulation, type MemoryHost } from "../../core/host/memory/mod.ts";
import { tcpTransport } from "./mod.ts";

const egress = new Egress({ allow: [] });
const netOf = (host: MemoryHost, scope = new AbortController()) =>
  createPluginNet({ host, egress, scopeSignal: scope.signal });

Deno.test("tcp connects one peer's streams to another's", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [a, b] = [simulation.host("a"), simulation.host("b")];
  const accepted: ByteStream[] = [];
  const listener = await simulation.complete(
    tcpTransport(netOf(b)).listen({ ip: "0.0.0.0", port: 6881 }, (stream) => accepted.push(stream)),
  );
  assert.equal(listener.address.port, 6881);
  const dialing = tcpTransport(netOf(a)).dial(peerAddress(b.ip, 6881), new AbortController().signal);
  const stream = await simulation.complete(dialing);
  await simulation.complete(stream.write(Uint8Array.of(1, 2, 3)));
  const into = new Uint8Array(10);
  assert.equal(await simulation.complete(accepted[0].read(into)), 3);
  assert.equal(accepted[0].remote.ip, a.ip);

  listener.close();
  await simulation.settle();
  const late = tcpTransport(netOf(a)).dial(peerAddress(b.ip, 6881), new AbortController().signal);
  await assert.rejects(simulation.complete(late), /refused/);
  await simulation.complete(stream.write(Uint8Array.of(4)));
  assert.equal(await simulation.complete(accepted[0].read(into)), 1, "streams outlive the listener");
  stream.close();
  accepted[0].close();
});

Deno.test("tcp stops dialing when the signal aborts", async () => {
  using simulation = createSimulation({ seed: 1 });
  const controller = new AbortController();
  // Nobody is at that address: the connection would hang.
  const dialing = tcpTransport(netOf(simulation.host("a"))).dial(peerAddress("203.0.113.200", 1), controller.signal);
  const settled = assert.rejects(dialing, /enough/);
  await simulation.run(1000);
  controller.abort(new Error("enough"));
  await simulation.complete(settled);
});

Deno.test("tcp listens no more, without a fault, once its entry is retired", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("a");
  const scope = new AbortController();
  await simulation.complete(tcpTransport(netOf(host, scope)).listen({ ip: "0.0.0.0", port: 6881 }, () => {}));
  scope.abort(new Error("retired"));
  await simulation.settle();
  (await simulation.complete(host.net.listen({ ip: "0.0.0.0", port: 6881 }))).close();
});
