import assert from "node:assert/strict";
import { createSimulation, type MemoryHost, type Simulation } from "../host/memory/mod.ts";
import { peerAddress } from "../wire/mod.ts";
import { SocketPool } from "./sockets.ts";

const at = { ip: "0.0.0.0", port: 7000 };
const [old, young] = [{ name: "old" }, { name: "young" }];

function bench(): { simulation: Simulation; host: MemoryHost; other: MemoryHost; pool: SocketPool } {
  const simulation = createSimulation({ seed: 1 });
  const [host, other] = [simulation.host("me"), simulation.host("other")];
  return { simulation, host, other, pool: new SocketPool(host.net) };
}

Deno.test("a socket may be joined only while all that hold it are about to go", async () => {
  const { simulation, pool } = bench();
  await simulation.complete(pool.for(old).listen(at));
  await assert.rejects(simulation.complete(pool.for(young).listen(at)), /7000/);
  const yielding = pool.yield([old]);
  await simulation.complete(pool.for(young).listen(at));
  await assert.rejects(simulation.complete(pool.for({}).listen(at)), /7000/, "the young one stays");
  yielding[Symbol.dispose]();
  await assert.rejects(simulation.complete(pool.for(young).listen(at)), /7000/);
});

Deno.test("connections go to the first in line, then to the next, and none is lost between", async () => {
  const { simulation, host, other, pool } = bench();
  const first = await simulation.complete(pool.for(old).listen(at));
  pool.yield([old]);
  const second = await simulation.complete(pool.for(young).listen(at));
  const got: string[] = [];
  const accept = (name: string, from: typeof first): void => {
    from.accept().then(() => {
      got.push(name);
      accept(name, from);
    }, (error) => got.push(`${name}: ${error.message}`));
  };
  accept("old", first);
  accept("young", second);
  const connect = async (): Promise<void> => void await other.net.connect(peerAddress(host.ip, 7000));
  await simulation.complete(connect());
  pool.retire(old);
  await simulation.complete(connect());
  await simulation.run(10);
  assert.deepEqual(got, ["old", "old: the socket is closed", "young"]);
  second.close();
  second.close();
  await simulation.run(10);
  await assert.rejects(simulation.complete(connect()), /refused/);
});

Deno.test("a connection that came when the first had left and the next did not wait yet is kept for it", async () => {
  const { simulation, host, other, pool } = bench();
  const first = await simulation.complete(pool.for(old).listen(at));
  pool.yield([old]);
  const second = await simulation.complete(pool.for(young).listen(at));
  first.accept().catch(() => {});
  pool.retire(old);
  const connected = await simulation.complete(other.net.connect(peerAddress(host.ip, 7000)));
  await simulation.run(10);
  const accepted = await simulation.complete(second.accept());
  assert.equal(accepted.remote.key, connected.local.key);
  // What nobody takes is closed with the socket.
  await simulation.complete(other.net.connect(peerAddress(host.ip, 7000)));
  second.close();
});

Deno.test("a datagram that came while the line moved reaches who is first then", async () => {
  const { simulation, host, other, pool } = bench();
  const first = await simulation.complete(pool.for(old).datagrams(at));
  pool.yield([old]);
  const second = await simulation.complete(pool.for(young).datagrams(at));
  const sender = await simulation.complete(other.net.datagrams({ ip: "0.0.0.0", port: 0 }));
  const got: string[] = [];
  first.receive(new Uint8Array(10)).then(({ bytes }) => got.push(`old ${bytes}`), (error) => got.push(error.message));
  second.receive(new Uint8Array(2)).then(({ bytes }) => got.push(`young ${bytes}`));
  pool.retire(old);
  await simulation.complete(sender.send(new Uint8Array([1, 2, 3]), peerAddress(host.ip, 7000)));
  await simulation.run(10);
  assert.deepEqual(got, ["young 1,2"], "as much as it has room for");
  await simulation.complete(first.send(new Uint8Array([9]), sender.address));
  first.close();
  assert.deepEqual(got.length, 1);
  await simulation.run(1);
  assert.deepEqual(got[1], "the socket is closed");
  await assert.rejects(first.send(new Uint8Array([9]), sender.address), /closed/);
});

Deno.test("requests are answered by the old generation until it goes, and by the next one then", async () => {
  const { simulation, host, other, pool } = bench();
  await simulation.complete(pool.for(old).serve(at, () => new Response("old")));
  pool.yield([old]);
  const second = await simulation.complete(pool.for(young).serve(at, () => new Response("young")));
  const ask = async (): Promise<string> => {
    const answer = await other.net.http({
      url: new URL("http://me:7000/"),
      connectTo: peerAddress(host.ip, 7000),
    });
    return await answer.text();
  };
  assert.equal(await simulation.complete(ask()), "old");
  pool.retire(old);
  assert.equal(await simulation.complete(ask()), "young");
  assert.equal(second.address!.port, 7000);
  await simulation.complete(second.close());
  await assert.rejects(simulation.complete(ask()));
});
