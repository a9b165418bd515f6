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
  refused("caches", () => `return await (await caches.open("x")).match("http://x/")`),
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
    `String.prototype.startsWith = () => false; Array.prototype.push = () => 0; Object.prototype.polluted = 1; Map.prototype.get = () => ({})`,
  ),
  harmless("postMessage replaced", `globalThis.postMessage = () => {}; self.onmessage = null`),
  harmless(
    "BroadcastChannel",
    `for (const name of ["", "weft", "main"]) { const c = new BroadcastChannel(name); c.postMessage({ say: "ready" }); c.close(); }`,
  ),
  harmless("console flood", `for (let i = 0; i < 100_000; i++) console.log("flood " + i)`),
  harmless("log flood", `for (let i = 0; i < 100_000; i++) plugin.log.error("flood " + i)`),
  harmless(
    "handlers that throw",
    `const { swarmAdded } = await import("weft"); plugin.on(swarmAdded, () => { throw new Error("x"); })`,
  ),
  harmless(
    "signals",
    `try { Deno.addSignalListener("SIGINT", () => {}); Deno.addSignalListener("SIGTERM", () => {}); } catch {}`,
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

/** All of them. */
export const escapes: readonly Escape[] = [...files, ...imports, ...network, ...system, ...kernel];

/**
 * What a Deno without `registerHooks` (2.4) can't deny, and what its binaries can't besides: they don't check what is
 * imported. The README says so.
 */
export const gaps: Readonly<Record<"old" | "oldBinary", readonly string[]>> = {
  old: ["package from npm", ...spellings.map(importOf)],
  oldBinary: [
    ...spellings.map(importOf),
    "node:inspector",
    "node:worker_threads",
    "umask",
    "package from npm",
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
