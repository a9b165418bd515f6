import { type BindAddress, NetError } from "../../api/mod.ts";
import { parseIp, type PeerAddress, peerAddress } from "../../wire/mod.ts";

// Linux's default range of ports that the system chooses.
const FIRST_EPHEMERAL = 32_768;
const LAST_EPHEMERAL = 60_999;

interface Binding<T> {
  readonly ip: string;
  readonly port: number;
  readonly reusePort: boolean;
  readonly holder: T;
}

/** Which ports of a machine are taken, by whom, for one protocol. */
export class PortTable<T> {
  readonly #bindings = new Map<number, Binding<T>[]>();
  #nextEphemeral = FIRST_EPHEMERAL;

  /** Takes the port, or any free one for 0, for what `make` returns. */
  bind<H extends T>(at: BindAddress, make: (address: PeerAddress) => H, reusePort = false): H {
    const ip = parseIp(at.ip)?.text;
    if (!ip) throw new NetError("io", `Cannot listen on "${at.ip}": it is no IP address`);
    const port = at.port || this.ephemeral();
    const taken = this.#bindings.get(port) ?? [];
    if (taken.some((other) => overlap(other.ip, ip) && !(other.reusePort && reusePort))) {
      throw new NetError("inUse", `Cannot listen on "${ip}" port ${port}: the address is already in use`);
    }
    const holder = make(peerAddress(ip, port));
    this.#bindings.set(port, [...taken, { ip, port, reusePort, holder }]);
    return holder;
  }

  release(port: number, holder: T): void {
    const left = (this.#bindings.get(port) ?? []).filter((binding) => binding.holder !== holder);
    if (left.length > 0) this.#bindings.set(port, left);
    else this.#bindings.delete(port);
  }

  /** Who hears what comes to this address: several, when they share the port. */
  find(ip: string, port: number): T[] {
    return (this.#bindings.get(port) ?? []).filter((binding) => overlap(binding.ip, ip)).map(({ holder }) => holder);
  }

  /** A port that nobody has bound. */
  ephemeral(): number {
    for (let tried = FIRST_EPHEMERAL; tried <= LAST_EPHEMERAL; tried++) {
      const port = this.#nextEphemeral;
      this.#nextEphemeral = port === LAST_EPHEMERAL ? FIRST_EPHEMERAL : port + 1;
      if (!this.#bindings.has(port)) return port;
    }
    throw new NetError("inUse", "Cannot choose a port: all are in use");
  }
}

/** "::" is dual-stack; "0.0.0.0" covers all of IPv4. */
function overlap(a: string, b: string): boolean {
  if (a === b || a === "::" || b === "::") return true;
  return (a === "0.0.0.0" && !b.includes(":")) || (b === "0.0.0.0" && !a.includes(":"));
}
