import { type ByteStream, type HttpRequest, NetError } from "../../../api/mod.ts";
import { type HostPort, parseHostPort, parseIp, type PeerAddress, quote } from "../../../wire/mod.ts";
import { DenoNet } from "../net/mod.ts";

// Names that a guest resolved and that were granted to it; far more than any profile lists.
const MAX_NAMES = 1_000;

/**
 * The network where only listed names and addresses may be reached. Deno checks what a connection was asked for by
 * name against names alone, so an address that a granted name resolved to is connected to by that name.
 */
export class GrantedNet extends DenoNet {
  readonly #grants: readonly { readonly host: string; readonly port?: number }[];
  /** Granted names by the address that they resolved to. */
  readonly #names = new Map<string, Set<string>>();

  /** `grants` are net permissions in Deno's words; true is the whole network. */
  constructor(grants: readonly string[] | true) {
    super([]);
    this.#grants = grants === true ? [] : grants.map(readGrant);
  }

  override connect(to: PeerAddress, options?: { signal?: AbortSignal }): Promise<ByteStream> {
    return super.connect(to, options).catch((error) => refused(error, `connect to ${to.key}`, to.key));
  }

  override http(request: HttpRequest): Promise<Response> {
    const { connectTo, url } = request;
    const target = connectTo && "ip" in connectTo ? connectTo.key : url.host;
    return super.http(request).catch((error) => refused(error, `connect to ${target}`, target));
  }

  override resolve(name: string): Promise<readonly string[]> {
    return this.#resolve(name).catch((error) => refused(error, `resolve "${name}"`, name));
  }

  async #resolve(name: string): Promise<readonly string[]> {
    const host = name.toLowerCase();
    const grants = this.#grants.filter((grant) => grant.host === host);
    if (grants.length === 0 || parseIp(name)) return await super.resolve(name);
    const ips = grants.some(({ port }) => port === undefined)
      ? await super.resolve(name)
      : [await this.#ask(host, grants[0].port!)];
    if (this.#names.size > MAX_NAMES) this.#names.clear();
    for (const ip of ips) this.#names.set(ip, (this.#names.get(ip) ?? new Set()).add(host));
    return ips;
  }

  protected override hostname(to: PeerAddress): string {
    const granted = (host: string): boolean =>
      this.#grants.some((grant) => grant.host === host && (grant.port ?? to.port) === to.port);
    if (granted(to.ip)) return to.ip;
    return [...this.#names.get(to.ip) ?? []].find(granted) ?? to.ip;
  }

  /** The address of a name that is granted with a port only, which Deno lets nobody look up: whoever answers there. */
  async #ask(hostname: string, port: number): Promise<string> {
    const conn = await Deno.connect({ hostname, port });
    try {
      const { hostname: ip } = conn.remoteAddr;
      return parseIp(ip)?.text ?? ip;
    } finally {
      conn.close();
    }
  }
}

/** Throws `error`; where Deno found no permission, it names the key of the profile that grants it, not Deno's flag. */
function refused(error: unknown, action: string, target: string): never {
  const cause = error instanceof NetError ? error.cause : error;
  const { name, code, syscall } = (cause ?? {}) as { name?: string; code?: string; syscall?: string };
  // Deno's look-ups say it in Node's manner; a firewall's EPERM is of other calls.
  if (name !== "NotCapable" && !(code === "EPERM" && syscall === "getaddrinfo")) throw error;
  throw new NetError("denied", `Cannot ${action}: it is not granted; list ${quote(target)} under permissions.net`, {
    cause: error,
  });
}

function readGrant(grant: string): { host: string; port?: number } {
  try {
    const { host, port }: HostPort = parseHostPort(grant);
    return { host, port };
  } catch {
    return { host: parseIp(grant.replace(/^\[(.*)\]$/, "$1"))?.text ?? grant.toLowerCase() };
  }
}
