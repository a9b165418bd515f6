import assert from "node:assert/strict";
import { NetError } from "../../../api/host.ts";
import { denoHost } from "../mod.ts";

const pem = (name: string) => Deno.readTextFile(new URL(`../testdata/${name}.pem`, import.meta.url));

Deno.test({
  name: "https checks the certificate against the URL's name, at the pinned address",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const [cert, key] = await Promise.all([pem("tracker.test.cert"), pem("tracker.test.key")]);
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
      (request) => new Response(request.url),
    );
    const host = denoHost({ caCerts: [cert] });
    const [ip] = await host.net.resolve("127.0.0.1");
    const connectTo = { ip, port: server.addr.port, family: 4, key: `${ip}:${server.addr.port}` } as const;
    const response = await host.net.http({ url: new URL("https://tracker.test/announce?x=1"), connectTo });
    assert.equal(await response.text(), "https://tracker.test/announce?x=1");
    await assert.rejects(host.net.http({ url: new URL("https://other.test/"), connectTo }), NetError);
    await assert.rejects(denoHost().net.http({ url: new URL("https://tracker.test/"), connectTo }), NetError);
    await server.shutdown();
  },
});

Deno.test({
  name: "a Unix socket that a killed process left behind is taken over",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "weft-host-" });
    const path = `${directory}/weft.sock`;
    const script = `Deno.serve({ path: ${
      JSON.stringify(path)
    }, onListen: () => Deno.kill(Deno.pid, "SIGKILL") }, () => new Response())`;
    await new Deno.Command(Deno.execPath(), { args: ["eval", script], stdout: "null", stderr: "null" }).output();
    assert.ok((await Deno.lstat(path)).isSocket);
    const host = denoHost();
    const server = await host.net.serve({ path }, () => new Response("mine"));
    assert.equal((await Deno.lstat(path)).mode! & 0o777, 0o600);
    const response = await host.net.http({ url: new URL("http://weft/"), connectTo: { path } });
    assert.equal(await response.text(), "mine");
    await server.close();
    assert.equal(await host.disk.lstat(path), undefined);
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test({
  name: "requests that ask for it share a connection, and one that the server has closed is replaced",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served: string[] = [];
    /** Answers one request after another on each connection, whose bodies are these. */
    const serve = async (bodies: readonly string[]): Promise<void> => {
      const conn = await listener.accept();
      const buffer = new Uint8Array(4_096);
      for (const body of bodies) {
        const got = await conn.read(buffer);
        if (!got) break;
        const request = new TextDecoder().decode(buffer.subarray(0, got));
        served.push(`${/\/\S*/.exec(request)![0]} ${/connection: (\S+)/i.exec(request)![1]}`);
        await conn.write(new TextEncoder().encode(body));
      }
      conn.close();
    };
    const plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: x\r\n\r\n";
    const last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    const connections = (async () => {
      await serve([plain, chunked, plain]);
      await serve([plain, last]);
      await serve([plain]);
    })();
    const host = denoHost();
    const get = async (path: string, keepAlive = true): Promise<string> => {
      const url = new URL(path, `http://127.0.0.1:${listener.addr.port}`);
      return await (await host.net.http({ url, keepAlive })).text();
    };
    for (const path of ["/1", "/2", "/3"]) assert.equal(await get(path), "ok");
    // That connection is closed by now: the request is sent again over a new one.
    for (const path of ["/4", "/5"]) assert.equal(await get(path), "ok");
    assert.equal(await get("/6", false), "ok", "and whoever doesn't ask for it has one of its own");
    await connections;
    assert.deepEqual(served, [
      "/1 keep-alive",
      "/2 keep-alive",
      "/3 keep-alive",
      "/4 keep-alive",
      "/5 keep-alive",
      "/6 close",
    ]);
    listener.close();
    await host.close();
  },
});

Deno.test({
  name: "a body that is left in the middle takes its connection along",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    let connections = 0;
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      for await (const conn of listener) {
        connections++;
        await conn.read(new Uint8Array(4_096));
        await conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"));
        await conn.write(new Uint8Array(100_000));
        while (await conn.read(new Uint8Array(4_096)).catch(() => null));
        conn.close();
      }
    })();
    const host = denoHost();
    const url = new URL(`http://127.0.0.1:${listener.addr.port}/`);
    for (let i = 0; i < 2; i++) {
      const { body } = await host.net.http({ url, keepAlive: true });
      const reader = body!.getReader();
      assert.ok((await reader.read()).value!.length > 0);
      await reader.cancel();
    }
    assert.equal(connections, 2);
    listener.close();
    await serving;
    await host.close();
  },
});
