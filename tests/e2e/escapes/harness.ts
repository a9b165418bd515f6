/** Tries escapes in a real Weft, started by any command, and finds out what became of each. @module */
import assert from "node:assert/strict";
import { type Escape, escapes, type World } from "./table.ts";

/** How long all escapes of one run may take together (ms): an endless loop alone takes four seconds. */
const LONGEST = 60_000;
/** When nothing more is heard for so long (ms), those that were not heard of stay silent. */
const QUIET = 12_000;
/** What no output may hold. */
const SECRETS = ["LEAK", "s3cr3t"];

/** Side by side, but not more threads at once than a small machine runs well. */
const TOGETHER = 24;

/**
 * Tests every escape, each as a step of `t`.
 *
 * @param command what runs Weft, up to its subcommand
 * @param open names of escapes that this Weft can't deny
 */
export async function testEscapes(
  t: Deno.TestContext,
  command: readonly string[],
  isolate: "worker" | "process",
  open: readonly string[] = [],
): Promise<void> {
  const all = escapes.filter(({ name, only }) => (only ?? isolate) === isolate && !open.includes(name));
  for (const group of groups(all)) {
    const { outcomes, contacts, leaks, code } = await tryEscapes(command, isolate, group);
    for (const escape of group) {
      await t.step(escape.name, () => {
        assert.ok(fits(escape, outcomes.get(escape.name)), `${escape.must}: ${outcomes.get(escape.name)}`);
      });
    }
    assert.deepEqual({ contacts, leaks, code }, { contacts: 0, leaks: [], code: 0 });
  }
}

/** Those that end their plugin run by themselves: what keeps a processor busy must not make others seem to hang. */
function groups(all: readonly Escape[]): readonly (readonly Escape[])[] {
  const hanging = (escape: Escape): boolean =>
    escape.must instanceof RegExp && escape.must.test("did not answer for 3s");
  const others = all.filter(({ must }) => !(must instanceof RegExp));
  const parts: (readonly Escape[])[] = [];
  for (let at = 0; at < others.length; at += TOGETHER) parts.push(others.slice(at, at + TOGETHER));
  return [
    ...parts,
    all.filter((escape) => escape.must instanceof RegExp && !hanging(escape)),
    all.filter(hanging),
  ];
}

/** What one run showed. */
export interface Findings {
  /** What became of each escape, by name: `refused ...`, `got ...`, `ended ...`; absent when nothing was heard. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** Connections and datagrams that reached the server that none may reach. */
  readonly contacts: number;
  /** Secrets in what Weft printed. */
  readonly leaks: readonly string[];
  /** Weft's own exit code after it was interrupted, when all was over. */
  readonly code: number;
}

/**
 * Runs escapes side by side as entries of one profile.
 *
 * @param command what runs Weft, up to its subcommand
 * @param isolate where the plugins run
 */
export async function tryEscapes(
  command: readonly string[],
  isolate: "worker" | "process",
  escapes: readonly Escape[],
): Promise<Findings> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft-escapes-" }));
  const canary = startCanary();
  const redirect = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(null, { status: 302, headers: { location: `http://${canary.address}/` } }),
  );
  const world = {
    outside: `${folder}/outside`,
    canary: canary.address,
    granted: `127.0.0.1:${redirect.addr.port}`,
  };
  try {
    await write(folder, world, isolate, escapes);
    const outcomes = new Map<string, string>();
    const { code, output } = await run(command, folder, canary.address, (line) => {
      const told = readOutcome(line);
      if (!told) return undefined;
      const { name } = escapes[Number(told.source.slice(1))];
      if (outcomes.has(name)) return undefined;
      outcomes.set(name, told.outcome);
      return outcomes.size === escapes.length ? "all" : "more";
    });
    return { outcomes, code, contacts: canary.contacts(), leaks: SECRETS.filter((secret) => output.includes(secret)) };
  } finally {
    canary.close();
    await redirect.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether what became of an escape is what must. */
export function fits({ must }: Escape, outcome: string | undefined): boolean {
  if (must === "harmless") return outcome === undefined || !outcome.startsWith("got");
  if (must === "refused") return outcome !== undefined && !outcome.startsWith("got");
  return outcome !== undefined && outcome.startsWith("ended") && must.test(outcome);
}

async function write(
  folder: string,
  world: World,
  isolate: string,
  escapes: readonly Escape[],
): Promise<void> {
  await Deno.mkdir(world.outside);
  await Deno.writeTextFile(`${world.outside}/secret.txt`, "s3cr3t");
  await Deno.writeTextFile(`${world.outside}/secret.json`, '{ "secret": "s3cr3t" }');
  await Deno.writeTextFile(`${world.outside}/mod.js`, 'export default "s3cr3t";');
  const entries = escapes.map((_, i) => ({
    use: `./code/e${i}/plugin.js`,
    as: `e${i}`,
    isolate,
    permissions: { net: [world.granted] },
  }));
  for (const [i, escape] of escapes.entries()) {
    const own = `${folder}/code/e${i}`;
    await Deno.mkdir(own, { recursive: true });
    await Deno.writeTextFile(`${own}/plugin.js`, moduleOf(escape.source(world)));
    for (const [name, text] of Object.entries(escape.files?.(world) ?? {})) {
      await Deno.writeTextFile(`${own}/${name}`, text);
    }
  }
  const profile = { listen: "127.0.0.1:0", store: { path: "./data", state: "./weft.db" }, plugins: entries };
  await Deno.writeTextFile(`${folder}/profile.yaml`, JSON.stringify(profile)); // JSON is YAML
}

function moduleOf(body: string): string {
  return `import { definePlugin, object } from "weft";
const attempt = async (plugin) => {
${body}
};
export default definePlugin({
  name: "escape",
  config: object({}),
  setup(plugin) {
    plugin.clock.after(50, async () => {
      let outcome;
      try {
        const got = await attempt(plugin);
        outcome = got == null || got === false ? "refused: it got nothing" : "got " + String(got).slice(0, 100).replace("s3cr3t", "the secret");
      } catch (error) {
        outcome = "refused: " + String(error).slice(0, 300);
      }
      plugin.log.info("OUTCOME " + outcome);
    });
  },
});
`;
}

/** An escape's own word on what it got, or Weft's that it was ended. */
function readOutcome(line: string): { readonly source: string; readonly outcome: string } | undefined {
  if (!line.startsWith("{")) return undefined;
  const { event, data } = JSON.parse(line) as { event: string; data?: { source?: string; message?: string } };
  if (event !== "log" || !/^e\d+$/.test(data?.source ?? "")) return undefined;
  const { source = "", message = "" } = data!;
  if (message.startsWith("it ended: ")) return { source, outcome: `ended: ${message}` };
  const [, outcome] = /^OUTCOME (.*)$/s.exec(message) ?? [];
  return outcome === undefined ? undefined : { source, outcome };
}

/** Runs Weft until `take` has all that it wants of the lines, or time is up; interrupts it then. */
async function run(
  [program, ...args]: readonly string[],
  cwd: string,
  proxy: string,
  take: (line: string) => "more" | "all" | undefined,
): Promise<{ readonly code: number; readonly output: string }> {
  const child = new Deno.Command(program, {
    args: [...args, "run", "profile.yaml", "--json"],
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...proxies(proxy) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let output = "";
  let over = false;
  const interrupt = (signal: Deno.Signal): void => {
    try {
      child.kill(signal);
    } catch {
      // It ended by itself, and its code says how.
    }
  };
  const timers = [setTimeout(() => interrupt("SIGINT"), LONGEST), setTimeout(() => interrupt("SIGKILL"), 2 * LONGEST)];
  let quiet = setTimeout(() => interrupt("SIGINT"), LONGEST);
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += chunk;
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const heard: "more" | "all" | undefined = over ? undefined : take(line);
      if (heard === undefined) continue;
      over = heard === "all";
      clearTimeout(quiet);
      if (over) interrupt("SIGINT");
      else quiet = setTimeout(() => interrupt("SIGINT"), QUIET);
    }
  }
  const { code } = await child.status;
  for (const timer of [...timers, quiet]) clearTimeout(timer);
  return { code, output: output + await errors };
}

/** Variables by which all that leaves for another machine, such as a registry, goes to `address` instead. */
function proxies(address: string): Record<string, string> {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
  return Object.fromEntries([
    ...[...names, ...names.map((name) => name.toLowerCase())].map((name) => [name, `http://${address}`]),
    ...["NO_PROXY", "no_proxy"].map((name) => [name, "127.0.0.1,localhost"]),
  ]);
}

interface Canary {
  readonly address: string;
  contacts(): number;
  close(): void;
}

/** A server on TCP and UDP that counts who comes. */
function startCanary(): Canary {
  let contacts = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const accept = async (): Promise<void> => {
    for await (const conn of listener) {
      contacts++;
      conn.close();
    }
  };
  const receive = async (): Promise<void> => {
    for await (const _ of socket) contacts++;
  };
  accept().catch(() => {});
  receive().catch(() => {});
  return {
    address: `127.0.0.1:${port}`,
    contacts: () => contacts,
    close: () => {
      listener.close();
      socket.close();
    },
  };
}
