/** How far apart two looks at a condition are while a helper waits for it, in milliseconds. */
const pollInterval = 30;

/** One end of a network: where a client runs, and the address that the other end sees. */
export interface Site {
  /** The network namespace's name. */
  readonly name: string;
  /** IPv4 address of this end. */
  readonly ip: string;
  /** Turns a command line into one that runs at this end, as the same process (no shell or helper stays between). */
  command(argv: readonly string[]): string[];
}

/** Two network namespaces joined by a virtual cable. Disposing ends what still runs in them, and removes both. */
export interface NetworkPair extends AsyncDisposable {
  readonly left: Site;
  readonly right: Site;
}

/** One end of a bridge, which has an IPv6 address too. */
export interface BridgedSite extends Site {
  readonly ip6: string;
}

/** Namespaces that share one link, as machines on a switch. Disposing ends what still runs in them, and removes all. */
export interface NetworkBridge extends AsyncDisposable {
  readonly sites: readonly BridgedSite[];
}

let networks = 0;

/** Says why network namespaces can't be made here, or `undefined` when they can: it takes Linux, root and `ip`. */
export async function namespacesMissing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces need Linux";
  if (Deno.uid() !== 0) return "network namespaces need root";
  try {
    const { code, stderr } = await run("ip", "netns", "list");
    return code === 0 ? undefined : `ip netns fails: ${stderr.trim()}`;
  } catch {
    return "ip (iproute2) is not installed";
  }
}

/** Makes a pair of namespaces with 10.77.1.2 and 10.77.1.3 as their ends. Any number may stand at the same time. */
export async function openNetworkPair(): Promise<NetworkPair> {
  await sweepStale();
  const id = `weft-${Deno.pid}-${networks++}`;
  const left = site(`${id}-left`, "10.77.1.2");
  const right = site(`${id}-right`, "10.77.1.3");
  const close = async (): Promise<void> => {
    for (const { name } of [left, right]) await removeNamespace(name);
  };
  try {
    for (const { name } of [left, right]) await ip("netns", "add", name);
    await ip("-n", left.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", right.name);
    for (const end of [left, right]) {
      await ip("-n", end.name, "addr", "add", `${end.ip}/24`, "dev", "cable");
      await ip("-n", end.name, "link", "set", "lo", "up");
      await ip("-n", end.name, "link", "set", "cable", "up");
    }
  } catch (cause) {
    await close();
    throw new Error("Cannot open a pair of network namespaces", { cause });
  }
  return { left, right, [Symbol.asyncDispose]: close };
}

/**
 * Makes `count` namespaces on one bridge, with 10.77.2.2, 10.77.2.3 … and fd77::2, fd77::3 … as their addresses.
 * Multicast reaches all of them. Any number may stand at the same time.
 */
export async function openNetworkBridge(count: number): Promise<NetworkBridge> {
  await sweepStale();
  const id = `weft-${Deno.pid}-${networks++}`;
  const hub = `${id}-hub`;
  const sites = Array.from({ length: count }, (_, index) => ({
    ...site(`${id}-${index}`, `10.77.2.${index + 2}`),
    ip6: `fd77::${index + 2}`,
  }));
  const close = async (): Promise<void> => {
    for (const name of [...sites.map(({ name }) => name), hub]) await removeNamespace(name);
  };
  try {
    await ip("netns", "add", hub);
    // Without a querier, a bridge that snoops forgets who listens to a group.
    await ip("-n", hub, "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0");
    await ip("-n", hub, "link", "set", "bridge", "up");
    for (const [index, { name, ip: ipv4, ip6 }] of sites.entries()) {
      await ip("netns", "add", name);
      await ip("-n", name, "link", "set", "lo", "up");
      await ip("-n", hub, "link", "add", `port${index}`, "type", "veth", "peer", "name", "cable", "netns", name);
      await ip("-n", hub, "link", "set", `port${index}`, "master", "bridge", "up");
      // The link-local address is to be had at once, without a look for another who has it.
      await ip("netns", "exec", name, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/cable/accept_dad");
      await ip("-n", name, "addr", "add", `${ipv4}/24`, "dev", "cable");
      await ip("-n", name, "addr", "add", `${ip6}/64`, "dev", "cable", "nodad");
      await ip("-n", name, "link", "set", "cable", "up");
    }
  } catch (cause) {
    await close();
    throw new Error("Cannot open a bridge of network namespaces", { cause });
  }
  return { sites, [Symbol.asyncDispose]: close };
}

/** Waits until process `pid` (in whatever namespace it lives) or a neighbour there listens on TCP `port`. */
export async function untilListening(pid: number, port: number, gaveUp: () => boolean): Promise<void> {
  await until(async () => {
    const tables = await Promise.all(["tcp", "tcp6"].map((table) => readIfThere(`/proc/${pid}/net/${table}`)));
    return tables.some((table) => listens(table, port));
  }, gaveUp);
}

/** Looks every few milliseconds until `holds` says true; throws when `gaveUp` does first. */
export async function until(holds: () => boolean | Promise<boolean>, gaveUp: () => boolean): Promise<void> {
  while (!await holds()) {
    if (gaveUp()) throw new Error("What was waited for can no longer happen");
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
  }
}

/** Whether a `/proc/net/tcp` table has a socket in state LISTEN (0A) on `port`. */
export function listens(table: string, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === "0A" && local.endsWith(suffix);
  });
}

function site(name: string, ip: string): Site {
  return { name, ip, command: (argv) => ["ip", "netns", "exec", name, ...argv] };
}

/** Removes the namespaces of test runs that were killed before they could do it themselves. */
async function sweepStale(): Promise<void> {
  const { stdout } = await run("ip", "netns", "list");
  for (const [name, pid] of stdout.matchAll(/^weft-(\d+)-\S+/gm)) {
    const alive = await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
    if (!alive) await removeNamespace(name);
  }
}

async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await run("ip", "netns", "pids", name);
  for (const pid of stdout.split(/\s+/).filter(Boolean)) {
    try {
      Deno.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
  }
  await run("ip", "netns", "del", name);
}

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await run("ip", ...args);
  if (code !== 0) throw new Error(`"ip ${args.join(" ")}" fails: ${stderr.trim()}`);
}

/** Runs a short command to its end, and gives its exit code and output. */
export async function run(
  command: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function readIfThere(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}
