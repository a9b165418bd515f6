import { type PeerAddress, peerAddress } from "../../wire/mod.ts";

// How long a router remembers whom a port wrote to. RFC 4787 asks for two minutes at least; many take less (ms).
const MEMORY = 60_000;
// Where translated ports begin.
const FIRST_PORT = 40_000;

/** How a router translates. */
export interface NatOptions {
  /** Whether the outside sees the port that a host bound, or another; kept if not given. */
  readonly ports?: "kept" | "changed";
}

/**
 * A router in front of a host that lets in only what answers it: a datagram must come from the very address and port
 * that was written to within a minute, and no connection can be made to the host. Its ports look the same from
 * everywhere (RFC 4787's endpoint-independent mapping and address- and port-dependent filtering).
 */
export class Nat {
  readonly #changed: boolean;
  /** Ports as seen outside, by the host's own; and back. */
  readonly #outside = new Map<number, number>();
  readonly #inside = new Map<number, number>();
  /** When a port wrote to an address last. */
  readonly #written = new Map<string, number>();

  constructor({ ports = "kept" }: NatOptions) {
    this.#changed = ports === "changed";
  }

  /** A datagram leaves the host: where it seems to come from. */
  leave(now: number, from: PeerAddress, to: PeerAddress): PeerAddress {
    this.#written.set(`${from.port} ${to.key}`, now);
    if (!this.#changed) return from;
    let port = this.#outside.get(from.port);
    if (port === undefined) {
      port = FIRST_PORT + this.#outside.size;
      this.#outside.set(from.port, port);
      this.#inside.set(port, from.port);
    }
    return peerAddress(from.ip, port);
  }

  /** A datagram comes to a port as seen outside: the host's own port that it goes to, or undefined when it is kept out. */
  enter(now: number, from: PeerAddress, port: number): number | undefined {
    const own = this.#changed ? this.#inside.get(port) : port;
    const written = own === undefined ? undefined : this.#written.get(`${own} ${from.key}`);
    return written !== undefined && now - written <= MEMORY ? own : undefined;
  }
}
