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
