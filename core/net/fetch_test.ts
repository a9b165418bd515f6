import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { EgressError } from "../api/errors.ts";
import type { HttpHandler } from "../api/host.ts";
import type { FetchAnswer, FetchOptions, PluginNet } from "../api/plugin.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../host/memory/mod.ts";
import { Egress } from "./egress.ts";
import { utf8Encode } from "../wire/mod.ts";
import { createPluginNet } from "./plugin_net.ts";

interface World {
  readonly simulation: Simulation;
  readonly host: MemoryHost;
  readonly server: MemoryHost;
  readonly net: PluginNet;
  readonly egress: Egress;
  fetch(url: string, options?: FetchOptions): Promise<FetchAnswer>;
}

/** A host whose plugins reach `server` (203.0.113.1, "server.example"), perhaps with some egress allowed. */
function world(run: (world: World) => Promise<void>, allow: readonly string[] = []): () => Promise<void> {
  return async () => {
    using simulation = createSimulation({ seed: 1 });
    const host = simulation.host("host", "203.0.113.9", "10.0.0.9");
    const server = simulation.host("server", "203.0.113.1", "10.0.0.1");
    simulation.network.names.set("server.example", ["203.0.113.1"]);
    simulation.network.names.set("inner.example", ["10.0.0.1"]);
    const egress = new Egress({ allow });
    const net = createPluginNet({ host, egress, scopeSignal: new AbortController().signal });
    const fetch = (url: string, options?: FetchOptions): Promise<FetchAnswer> =>
      simulation.complete(net.fetch(url, options));
    await run({ simulation, host, server, net, egress, fetch });
  };
}

/** Serves on `server`, port 80, its public and its private address. */
async function serve({ simulation, server }: World, handler: HttpHandler): Promise<void> {
  await simulation.complete(server.net.serve({ ip: "0.0.0.0", port: 80 }, handler));
}

function redirect(status: number, location: string): Response {
  return new Response("elsewhere", { status, headers: { location } });
}

Deno.test(
  "fetch() answers with the status, the bytes and who sent them",
  world(async (world) => {
    await serve(
      world,
      (request) => Response.json({ path: new URL(request.url).pathname, agent: request.headers.get("user-agent") }),
    );
    const answer = await world.fetch("http://server.example/a", { headers: { "User-Agent": "Weft" } });
    assert.deepEqual([answer.status, answer.ok, answer.from], [200, true, "203.0.113.1"]);
    assert.deepEqual(answer.json(), { path: "/a", agent: "Weft" });
  }),
);

Deno.test(
  "fetch() resolves a name once and connects to that very address",
  world(async (world) => {
    const { host, fetch } = world;
    await serve(world, () => new Response("public"));
    // The name changes its address right after it was asked for: the guard must not be led on.
    const resolve = host.net.resolve.bind(host.net);
    let asked = 0;
    host.net.resolve = (name) => asked++ === 0 ? resolve(name) : Promise.resolve(["10.0.0.1"]);
    assert.equal((await fetch("http://server.example/")).from, "203.0.113.1");
    assert.equal(asked, 1);
  }),
);

Deno.test(
  "fetch() refuses names and addresses that the guard refuses",
  world(async ({ fetch }) => {
    for (
      const url of [
        "http://inner.example/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://localhost/",
      ]
    ) {
      await assert.rejects(
        fetch(url),
        (error) => error instanceof EgressError && error.message.includes("under egress.allow"),
        url,
      );
    }
    await assert.rejects(fetch("file:///etc/passwd"), EgressError);
    await assert.rejects(fetch("http://server.example:0/"), /Cannot fetch from "server\.example:0": port 0/);
  }),
);

Deno.test(
  "fetch() reaches a name that egress.allow lists, wherever it leads",
  world(async (world) => {
    await serve(world, () => new Response("hello"));
    assert.equal((await world.fetch("http://inner.example/")).text(), "hello");
  }, ["inner.example"]),
);

Deno.test(
  "fetch() goes on to the next address when one can't be reached",
  world(async (world) => {
    await serve(world, () => new Response("hello"));
    world.simulation.host("dead", "203.0.113.66");
    world.simulation.network.names.set("two.example", ["203.0.113.66", "203.0.113.1"]);
    assert.equal((await world.fetch("http://two.example/")).from, "203.0.113.1");
  }),
);

Deno.test(
  "fetch() follows 5 redirects and no more",
  world(async (world) => {
    await serve(world, (request) => {
      const left = Number(new URL(request.url).pathname.slice(1));
      return left === 0 ? new Response("there") : redirect(302, `/${left - 1}`);
    });
    assert.equal((await world.fetch("http://server.example/5")).text(), "there");
    await assert.rejects(
      world.fetch("http://server.example/6"),
      /Cannot fetch from "server.example": more than 5 redirects/,
    );
  }),
);

Deno.test(
  "fetch() checks where a redirect leads",
  world(async (world) => {
    let reached = 0;
    await serve(world, (request) => {
      const { searchParams, hostname } = new URL(request.url);
      if (hostname === "10.0.0.1") reached++;
      return redirect(307, searchParams.get("to")!);
    });
    for (
      const to of [
        "http://10.0.0.1/",
        "http://127.0.0.1/",
        "http://inner.example/",
        "http://169.254.169.254/",
        "ftp://server.example/",
      ]
    ) {
      await assert.rejects(world.fetch(`http://server.example/?to=${encodeURIComponent(to)}`), EgressError, to);
    }
    assert.equal(reached, 0);
  }),
);

Deno.test(
  "fetch() lets a private server redirect to a private address",
  world(async (world) => {
    await serve(
      world,
      (request) =>
        new URL(request.url).hostname === "inner.example" ? redirect(302, "http://10.0.0.1/") : new Response("ok"),
    );
    assert.equal((await world.fetch("http://inner.example/")).text(), "ok");
  }, ["inner.example"]),
);

Deno.test(
  "fetch() keeps headers and credentials from other origins",
  world(async (world) => {
    const seen: [string, string | null, string | null, string | null][] = [];
    await serve(world, (request) => {
      const { hostname, pathname } = new URL(request.url);
      seen.push([
        hostname,
        request.headers.get("authorization"),
        request.headers.get("x-key"),
        request.headers.get("user-agent"),
      ]);
      if (pathname === "/") return redirect(302, "/second");
      return pathname === "/second" ? redirect(302, "http://u:p@203.0.113.1/third") : new Response("ok");
    });
    await world.fetch("http://me:secret@server.example/", { headers: { "x-key": "k", "user-agent": "Weft" } });
    const basic = `Basic ${btoa("me:secret")}`;
    assert.deepEqual(seen, [
      ["server.example", basic, "k", "Weft"],
      ["server.example", basic, "k", "Weft"],
      ["203.0.113.1", null, null, "Weft"],
    ]);
  }),
);

Deno.test(
  "fetch() turns a redirected POST into a GET, but for 307 and 308, which stay on the origin",
  world(async (world) => {
    const seen: string[] = [];
    await serve(world, async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      seen.push(`${request.method} ${await request.text()}`);
      return pathname === "/"
        ? redirect(Number(searchParams.get("status")), searchParams.get("to")!)
        : new Response("ok");
    });
    const post = (status: number, to: string): Promise<FetchAnswer> =>
      world.fetch(`http://server.example/?status=${status}&to=${encodeURIComponent(to)}`, {
        method: "POST",
        body: utf8Encode("x"),
      });
    await post(303, "/end");
    await post(307, "/end");
    assert.deepEqual(seen, ["POST x", "GET ", "POST x", "POST x"]);
    await assert.rejects(post(307, "http://203.0.113.1/end"), /redirects a POST to another origin/);
  }),
);

Deno.test(
  "fetch() refuses bodies past the bound, counted after inflating",
  world(async (world) => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(10_000_000)));
    await serve(
      world,
      (request) =>
        new URL(request.url).pathname === "/bomb"
          ? new Response(bomb, { headers: { "content-encoding": "gzip" } })
          : new Response(new Uint8Array(1001)),
    );
    await assert.rejects(
      world.fetch("http://server.example/bomb"),
      /the answer is larger than 1048576 bytes/,
    );
    await assert.rejects(world.fetch("http://server.example/", { maxBytes: 1000 }), /larger than 1000 bytes/);
    assert.equal((await world.fetch("http://server.example/", { maxBytes: 1001 })).bytes.length, 1001);
  }),
);

Deno.test(
  "fetch() says which host failed and why, and keeps the path to itself",
  world(async ({ fetch }) => {
    await assert.rejects(fetch("http://server.example:81/passkey"), (error: Error) => {
      assert.match(error.message, /^Cannot fetch from "server.example:81": .*refused/);
      assert.doesNotMatch(error.message, /passkey/);
      return true;
    });
    await assert.rejects(fetch("http://nowhere.example/"), /Cannot fetch from "nowhere.example": .*no such host/);
  }),
);

Deno.test(
  "fetch() ends when its signal aborts",
  world(async (world) => {
    await serve(world, () => new Promise(() => {}));
    const controller = new AbortController();
    const fetching = world.net.fetch("http://server.example/", { signal: controller.signal });
    await world.simulation.run(1000);
    controller.abort(new Error("enough"));
    await assert.rejects(fetching, /enough/);
  }),
);

Deno.test(
  "request() gives the body as it comes, and where the last redirect led",
  world(async (world) => {
    const parts = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    await serve(
      world,
      ({ url }) =>
        new URL(url).pathname === "/"
          ? redirect(302, "/there?x=1")
          : new Response(ReadableStream.from(parts.map((part) => part.slice()))),
    );
    const { simulation, net } = world;
    const { status, from, url, body } = await simulation.complete(net.request("http://server.example/"));
    assert.deepEqual([status, from, url.href], [200, "203.0.113.1", "http://server.example/there?x=1"]);
    const reader = body.getReader();
    const read = async () => (await simulation.complete(reader.read())).value;
    assert.deepEqual([await read(), await read(), await read()], [...parts, undefined]);
  }),
);

Deno.test(
  "request() guards its target as fetch() does",
  world(async ({ simulation, net }) => {
    const asking = simulation.complete(net.request("http://inner.example/"));
    await assert.rejects(asking, /a private address is not allowed here/);
  }),
);

Deno.test("a body under way ends with the request's signal, and with its entry", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [host, server] = [simulation.host("host", "203.0.113.9"), simulation.host("server", "203.0.113.1")];
  const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(10)) });
  await simulation.complete(server.net.serve({ ip: "0.0.0.0", port: 80 }, () => new Response(endless())));
  const [entry, caller] = [new AbortController(), new AbortController()];
  const net = createPluginNet({ host, egress: new Egress({ allow: [] }), scopeSignal: entry.signal });
  const open = async (signal?: AbortSignal) => {
    const { body } = await simulation.complete(net.request("http://203.0.113.1/", { signal }));
    const reader = body.getReader();
    assert.equal((await simulation.complete(reader.read())).value?.length, 10);
    return reader;
  };
  const [first, second] = [await open(caller.signal), await open()];
  caller.abort(new Error("enough"));
  await assert.rejects(simulation.complete(first.read()), /enough/);
  assert.equal((await simulation.complete(second.read())).value?.length, 10, "others go on");
  entry.abort(new Error("the entry is retired"));
  await assert.rejects(simulation.complete(second.read()), /the entry is retired/);
});
