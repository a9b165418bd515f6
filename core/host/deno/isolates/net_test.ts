import assert from "node:assert/strict";
import { peerAddress } from "../../../wire/mod.ts";
import { GrantedNet } from "./net.ts";

/** A module's source run in a worker with these net permissions; what it posts first. */
async function isolated(net: readonly string[], body: string): Promise<unknown> {
  const source = `import { GrantedNet } from ${JSON.stringify(new URL("./net.ts", import.meta.url).href)};
import { peerAddress } from ${JSON.stringify(new URL("../../../wire/mod.ts", import.meta.url).href)};
const net = new GrantedNet(${JSON.stringify(net)});
try { self.postMessage(await (async () => { ${body} })()); } catch (error) { self.postMessage(String(error)); }`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, {
    type: "module",
    deno: { permissions: { net: [...net], read: true } },
  } as WorkerOptions);
  try {
    return await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  } finally {
    worker.terminate();
  }
}

Deno.test("a name that is granted is connected to by its name, whichever address it has", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const connect = `const [ip] = await net.resolve("localhost");
const stream = await net.connect(peerAddress("127.0.0.1", ${port}));
stream.close();
return ip;`;
  for (const grant of [`localhost:${port}`, "localhost"]) {
    const accepted = listener.accept();
    assert.match(String(await isolated([grant], connect)), /^(127\.0\.0\.1|::1)$/);
    (await accepted).close();
  }
});

Deno.test("another port or another name is refused", async () => {
  const other = `await net.resolve("localhost"); await net.connect(peerAddress("127.0.0.1", 9)); return "connected";`;
  assert.match(String(await isolated(["localhost:8"], other)), /Cannot|refused/);
  assert.match(String(await isolated(["example.org"], `return await net.resolve("localhost");`)), /Cannot resolve/);
});

Deno.test("what is not granted names the key that grants it", async () => {
  const said = async (grant: string, body: string): Promise<unknown> => await isolated([grant], body);
  assert.equal(
    await said("localhost:8", `await net.connect(peerAddress("127.0.0.1", 9));`),
    'NetError: Cannot connect to 127.0.0.1:9: it is not granted; list "127.0.0.1:9" under permissions.net',
  );
  assert.equal(
    await said("localhost:8", `await net.http({ url: new URL("http://127.0.0.1:9/") });`),
    'NetError: Cannot connect to 127.0.0.1:9: it is not granted; list "127.0.0.1:9" under permissions.net',
  );
  assert.equal(
    await said("localhost:8", `await net.resolve("peers.example");`),
    'NetError: Cannot resolve "peers.example": it is not granted; list "peers.example" under permissions.net',
  );
});

Deno.test("with the whole network granted it is the network", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [stream, conn] = await Promise.all([
    new GrantedNet(true).connect(peerAddress("127.0.0.1", listener.addr.port)),
    listener.accept(),
  ]);
  stream.close();
  conn.close();
});
