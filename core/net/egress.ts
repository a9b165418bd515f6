/**
 * The guard of outgoing connections: where an address that a stranger named may not lead.
 *
 * @module
 */
import { ConfigError, type EgressGrant } from "../api/mod.ts";
import { type IpScope, ipScope, parseIp, type PeerAddress, quote } from "../wire/mod.ts";

/** Who named an address. Nothing known is taken as a stranger on the public internet. */
export interface EgressSource {
  /** The IP of the host that named it: a tracker, a redirecting server, a peer. */
  readonly namedBy?: string;
  /** The user vouches for the source: it may name what a source on this machine may. */
  readonly trusted?: boolean;
}

/** What an {@link Egress} begins with. */
interface EgressOptions {
  readonly allow: readonly string[];
  readonly setting?: string;
  readonly parent?: Egress;
}

/** A range of addresses, and one port of them if given. */
interface Range {
  readonly bytes: Uint8Array;
  readonly bits: number;
  readonly port: number | undefined;
}

// How near a scope is: a source may name addresses no nearer than itself. Scopes that aren't here are never named.
const NEARNESS: Readonly<Partial<Record<IpScope, number>>> = { public: 0, private: 1, loopback: 2 };

// Cloud machines serve their credentials here, so being "link-local" or "private" is not enough to reach them.
const METADATA = new Set(["169.254.169.254", "fd00:ec2::254", "100.100.100.200"]);

const SCOPE_WORDS: Readonly<Record<IpScope, string>> = {
  public: "a public address",
  loopback: "loopback",
  private: "a private address",
  linkLocal: "a link-local address",
  multicast: "a multicast address",
  unspecified: "an unspecified address",
  reserved: "a reserved address",
};

/**
 * Decides which addresses may be connected to. Public ones always; private and loopback ones when the source is as
 * near itself, or when they are allowed; the rest (link-local, multicast, unspecified, reserved, cloud metadata) only
 * when that very IP is allowed.
 *
 * What is allowed: the words `loopback` and `private`, IPs, CIDR ranges and host names, each perhaps with a port, as in
 * `10.0.0.0/8:6881`, `[fd00::1]:6881` and `[fd00::/8]:6881`.
 */
export class Egress implements EgressGrant {
  declare readonly egressGrant: true;

  /** Counts by rule: `scope loopback`, `ip 10.0.0.1`, `host tracker.lan:80`. */
  readonly #exact = new Map<string, number>();
  readonly #ranges = new Set<Range>();
  /** The host names among the rules; a guard and its children share them. */
  readonly #names: HostNames;

  /** What `egress.allow` lists. */
  #allowed: DisposableStack;

  /** The setting that lists addresses with their port, where it isn't `egress.allow`: refusals name it. */
  readonly #setting: string | undefined;
  /** What holds for everybody. */
  readonly #parent: Egress | undefined;

  /** @throws {ConfigError} on an entry that can't be read */
  constructor({ allow, setting, parent }: EgressOptions) {
    this.#setting = setting;
    this.#parent = parent;
    this.#names = parent ? parent.#names : new HostNames();
    this.#allowed = this.#grantAll(allow);
  }

  /** A guard that lets through what this one does, and what is granted to it alone. */
  child(): Egress {
    return new Egress({ allow: [], setting: this.#setting, parent: this });
  }

  /** Allows what is granted to `grant` too. What is no grant of the kernel's allows nothing: plugins hand it over. */
  with(grant: EgressGrant | undefined): Pick<Egress, "check"> {
    if (!(grant instanceof Egress)) return this;
    return { check: (address, from) => grant.check(address, from) && this.check(address, from) };
  }

  /**
   * Allows what another `egress.allow` lists, beside the present one until either is dropped.
   *
   * @throws {ConfigError} on an entry that can't be read
   */
  stage(allow: readonly string[]): { commit(): void; abort(): void } {
    const staged = this.#grantAll(allow);
    return {
      commit: () => {
        this.#allowed.dispose();
        this.#allowed = staged;
      },
      abort: () => staged.dispose(),
    };
  }

  /** Why `address` may not be connected to, naming the setting that would allow it; undefined when it may. */
  check(address: PeerAddress, from: EgressSource = {}): string | undefined {
    const { ip, port } = address;
    const scope = ipScope(ip);
    const nearness = METADATA.has(ip) ? undefined : NEARNESS[scope];
    if (nearness === 0 || this.#listed("ip", ip, port)) return undefined;
    if (nearness === undefined) {
      const what = METADATA.has(ip) ? "a metadata address" : SCOPE_WORDS[scope];
      return `Cannot connect to ${address.key}: ${what} is not allowed; ${this.#remedy(address, ip)}`;
    }
    if (nearness <= sourceNearness(from) || this.#listed("scope", scope, port) || this.#covered(address)) {
      return undefined;
    }
    return `Cannot connect to ${address.key}: ${SCOPE_WORDS[scope]} is not allowed here; ` +
      this.#remedy(address, scope, ip);
  }

  #remedy({ key }: PeerAddress, ...words: readonly string[]): string {
    if (this.#setting !== undefined) return `list ${quote(key)} under ${this.#setting}`;
    return `list ${words.map(quote).join(" or ")} under egress.allow`;
  }

  /** Allows what the user named (in the words of `egress.allow`) until disposed of; each grant counts for itself. */
  grant(target: string | PeerAddress): Disposable {
    const rule = parseRule(typeof target === "string" ? target : target.key);
    if (typeof rule !== "string") {
      this.#ranges.add(rule);
      return { [Symbol.dispose]: () => void this.#ranges.delete(rule) };
    }
    const name = hostOf(rule);
    this.#exact.set(rule, (this.#exact.get(rule) ?? 0) + 1);
    if (name !== undefined) this.#names.add(name);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const left = this.#exact.get(rule)! - 1;
        if (left > 0) this.#exact.set(rule, left);
        else this.#exact.delete(rule);
        if (name !== undefined) this.#names.remove(name);
      },
    };
  }

  /** Tells the guard what a name resolved to, so that a rule with that name allows those addresses. */
  resolved(name: string, ips: readonly string[]): void {
    this.#names.resolved(name.toLowerCase(), ips);
  }

  #grantAll(targets: readonly string[]): DisposableStack {
    using stack = new DisposableStack();
    for (const target of targets) stack.use(this.grant(target));
    return stack.move();
  }

  #listed(kind: "ip" | "scope" | "host", name: string, port: number): boolean {
    return this.#exact.has(`${kind} ${name}`) || this.#exact.has(`${kind} ${name}:${port}`) ||
      (this.#parent !== undefined && this.#parent.#listed(kind, name, port));
  }

  #covered(address: PeerAddress): boolean {
    const { ip, port } = address;
    for (const name of this.#names.of(ip)) if (this.#listed("host", name, port)) return true;
    return this.#inRanges(parseIp(ip)!.bytes, port);
  }

  #inRanges(bytes: Uint8Array, port: number): boolean {
    for (const range of this.#ranges) if ((range.port ?? port) === port && within(bytes, range)) return true;
    return this.#parent !== undefined && this.#parent.#inRanges(bytes, port);
  }
}

/** Host names that the user wrote, and what they resolved to: only these are kept, so strangers' can't fill memory. */
class HostNames {
  readonly #rules = new Map<string, number>();
  readonly #ips = new Map<string, readonly string[]>();

  /** Another rule has this name. */
  add(name: string): void {
    this.#rules.set(name, (this.#rules.get(name) ?? 0) + 1);
  }

  /** A rule with this name is gone. */
  remove(name: string): void {
    const left = this.#rules.get(name)! - 1;
    if (left > 0) return void this.#rules.set(name, left);
    this.#rules.delete(name);
    this.#ips.delete(name);
  }

  resolved(name: string, ips: readonly string[]): void {
    if (this.#rules.has(name)) this.#ips.set(name, ips);
  }

  /** The names that an IP is behind. */
  *of(ip: string): Iterable<string> {
    for (const [name, ips] of this.#ips) if (ips.includes(ip)) yield name;
  }
}

/** The name of a rule about a host. */
function hostOf(rule: string): string | undefined {
  return /^host ([^:]+)/.exec(rule)?.[1];
}

function sourceNearness({ namedBy, trusted }: EgressSource): number {
  if (trusted) return NEARNESS.loopback!;
  if (namedBy === undefined || !parseIp(namedBy)) return NEARNESS.public!;
  const scope = ipScope(namedBy);
  // A neighbour on the link is on our network, as one with a private address is.
  return scope === "linkLocal" ? NEARNESS.private! : NEARNESS[scope] ?? NEARNESS.public!;
}

/** A rule's key, or its range. Brackets set off an IPv6 address from a port; without them all its colons are its own. */
function parseRule(text: string): string | Range {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const body = (bracketed ?? plain ?? text).toLowerCase();
  const port = digits === undefined ? undefined : Number(digits);
  const suffix = port === undefined ? "" : `:${port}`;
  const [base, bits] = body.split("/", 2);
  const ip = parseIp(base);
  if (port === undefined || port > 0 && port < 65536) {
    if (body === "loopback" || body === "private") return `scope ${body}${suffix}`;
    if (ip && bits === undefined) return `ip ${ip.text}${suffix}`;
    if (ip && /^\d{1,3}$/.test(bits)) {
      const mapped = ip.family === 4 && base.includes(":") ? 96 : 0; // the length of ::ffff:0:0/96
      const range = { bytes: ip.bytes, bits: Number(bits) - mapped, port };
      if (range.bits >= 0 && range.bits <= ip.bytes.length * 8) return range;
    }
    // A last label of digits alone is a mistyped IP.
    if (/^(?:[a-z0-9_-]+\.)*(?!\d+$)[a-z0-9_-]+$/.test(body)) return `host ${body}${suffix}`;
  }
  throw new ConfigError([
    `Cannot read egress rule: expected "loopback", "private", an IP, a CIDR range or a host name, perhaps with :port, ` +
    `current value is ${quote(text)}`,
  ]);
}

function within(bytes: Uint8Array, range: Range): boolean {
  if (bytes.length !== range.bytes.length) return false;
  for (let i = 0; i * 8 < range.bits; i++) {
    const mask = 0xff << Math.max(0, 8 - (range.bits - i * 8)) & 0xff;
    if ((bytes[i] & mask) !== (range.bytes[i] & mask)) return false;
  }
  return true;
}
