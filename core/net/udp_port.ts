/**
 * The UDP port that plugins share: one socket for each address that peers are accepted on, and claims by first byte.
 *
 * @module
 */
import {
  type BindAddress,
  type DatagramSocket,
  errorText,
  type HostNet,
  NetError,
  PluginError,
  type UdpPort,
} from "../api/mod.ts";
import type { PeerAddress } from "../wire/mod.ts";
import type { Egress } from "./egress.ts";

// The largest datagram there is.
const MAX_DATAGRAM = 65_536;
// What a message of the DHT begins with, "d" (BEP 5): private swarms are not in it (BEP 27).
const DHT_BYTE = 0x64;
// Datagrams taken in a row before everybody else has a turn: a flood must not hold up what it has nothing to do with.
const RUN = 64;

/** Who may claim, and when its claims count. */
export interface Claimant {
  readonly name: string;
  /** It was committed, and has not been disposed of. */
  readonly live: boolean;
  /** It may see what is of private swarms, as the datagrams of peers and trackers may be. */
  readonly seesPrivate: boolean;
  /** It failed to take a datagram. */
  failed(failure: PluginError): void;
}

interface Claim {
  readonly claimant: Claimant;
  /** It is asked after those that are not. */
  readonly last: boolean;
  take(bytes: Uint8Array, from: PeerAddress): boolean;
}

interface Bound {
  readonly at: BindAddress;
  readonly socket: DatagramSocket;
}

/** What {@link SharedUdp} needs. */
export interface SharedUdpOptions {
  readonly net: Pick<HostNet, "datagrams">;
  /** See {@link Clock.turn}. */
  readonly turn: () => Promise<void>;
  /** Something that nobody waits for failed. */
  readonly failed: (error: unknown) => void;
  /** A socket that had made room for others could not be bound again when those were given up. */
  readonly lost: (error: unknown) => void;
}

/** Sockets that are bound beside those in use. */
export interface StagedUdp {
  commit(): void;
  /** Closes them; those in use go on. */
  abort(): Promise<void>;
}

export class SharedUdp {
  readonly #options: SharedUdpOptions;
  /** By first byte; the newest claim first, but those that are to be asked last. */
  readonly #claims: Claim[][] = Array.from({ length: 256 }, () => []);
  #count = 0;
  /** Whom it tells that it is bound somewhere else. */
  readonly #told = new Set<() => void>();
  #bound: readonly Bound[] = [];
  #wanted: readonly BindAddress[] = [];
  #binding: Promise<void> | undefined;
  /** Who wrote the datagram that is being taken: answering it needs no permission. */
  #answering: string | undefined;
  #pending = 0;

  constructor(options: SharedUdpOptions) {
    this.#options = options;
  }

  /** The port as one claimant sees it. */
  for(claimant: Claimant, egress: Pick<Egress, "with">): UdpPort & Disposable {
    const own = new Set<Disposable>();
    const addresses = (): readonly PeerAddress[] => this.#bound.map(({ socket }) => socket.address);
    const pending = (): number => this.#pending;
    return {
      get addresses() {
        return addresses();
      },
      onBound: (run) => {
        const tell = (): void => {
          try {
            if (this.#told.has(tell) && this.#bound.length > 0) run();
          } catch (error) {
            claimant.failed(new PluginError(claimant.name, "udp", errorText(error), { cause: error }));
          }
        };
        this.#told.add(tell);
        if (this.#bound.length > 0) void this.#options.turn().then(tell);
        const told = { [Symbol.dispose]: () => void this.#told.delete(tell) };
        own.add(told);
        return told;
      },
      claim: (firstBytes, take, { last = false } = {}) => {
        if (!claimant.seesPrivate && firstBytes.some((byte) => byte !== DHT_BYTE)) {
          throw new Error(
            'Cannot claim datagrams: they may be of private swarms; add wants: ["private"] to the plugin, or claim the ' +
              `DHT's alone (${DHT_BYTE})`,
          );
        }
        const claim = this.#claim(firstBytes, { claimant, last, take });
        own.add(claim);
        return claim;
      },
      send: (bytes, to, grant) => this.#allows(to, egress.with(grant)) && this.#send(bytes, to),
      get pending() {
        return pending();
      },
      open: (to, grant) =>
        this.#allows(to, egress.with(grant)) ? { to, send: (bytes) => this.#send(bytes, to) } : undefined,
      [Symbol.dispose]: () => {
        for (const claim of own) claim[Symbol.dispose]();
      },
    };
  }

  /**
   * Binds these addresses if anybody claims anything, also those who are not live yet. What is bound already is kept.
   *
   * @throws {NetError} when one can't be bound, naming the address; what was in use before is in use then
   */
  async stage(addresses: readonly BindAddress[]): Promise<StagedUdp> {
    await this.#binding;
    const wanted = this.#count > 0 ? addresses : [];
    const kept = new Map(wanted.map((at) => [at, this.#bound.find((bound) => sameAddress(bound.at, at))]));
    const leaving = this.#bound.filter((bound) => ![...kept.values()].includes(bound));
    const opened: Bound[] = [];
    const closedEarly: Bound[] = [];
    const abort = async (): Promise<void> => {
      for (const { socket } of opened) socket.close();
      for (const { at } of closedEarly) await this.#reopen(at);
    };
    try {
      const next: Bound[] = [];
      for (const [at, bound] of kept) {
        if (!bound) opened.push(await this.#openOne(at, leaving, closedEarly));
        next.push(bound ?? opened.at(-1)!);
      }
      return {
        commit: () => {
          this.#bound = next;
          this.#wanted = addresses;
          for (const { socket } of leaving) socket.close();
          for (const { socket } of opened) void this.#receive(socket);
          if (opened.length + leaving.length > 0) [...this.#told].forEach((tell) => tell());
        },
        abort,
      };
    } catch (error) {
      await abort();
      throw error;
    }
  }

  close(): void {
    for (const { socket } of this.#bound) socket.close();
    this.#bound = [];
    this.#wanted = [];
  }

  #claim(firstBytes: readonly number[], claim: Claim): Disposable {
    for (const byte of firstBytes) {
      const claims = [claim, ...this.#claims[byte]];
      this.#claims[byte] = [...claims.filter(({ last }) => !last), ...claims.filter(({ last }) => last)];
    }
    this.#count++;
    // After the start: the first one to claim anything has the port bound.
    if (this.#bound.length === 0 && this.#wanted.length > 0) this.#bindLate();
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#count--;
        for (const byte of firstBytes) this.#claims[byte] = this.#claims[byte].filter((each) => each !== claim);
      },
    };
  }

  /** Binds one; where one of ours that leaves stands in its way, that one is closed first. */
  async #openOne(at: BindAddress, leaving: readonly Bound[], closedEarly: Bound[]): Promise<Bound> {
    const { net } = this.#options;
    try {
      return { at, socket: await net.datagrams(at) };
    } catch (error) {
      const rivals = leaving.filter((bound) => bound.socket.address.port === at.port && !closedEarly.includes(bound));
      if (!(error instanceof NetError && error.fault === "inUse") || rivals.length === 0) throw error;
      this.#bound = this.#bound.filter((bound) => !rivals.includes(bound));
      for (const { socket } of rivals) socket.close();
      closedEarly.push(...rivals);
      return { at, socket: await net.datagrams(at) };
    }
  }

  async #reopen(at: BindAddress): Promise<void> {
    try {
      const socket = await this.#options.net.datagrams(at);
      this.#bound = [...this.#bound, { at, socket }];
      void this.#receive(socket);
    } catch (error) {
      this.#options.lost(error);
    }
  }

  #bindLate(): void {
    this.#binding ??= this.stage(this.#wanted).then((staged) => staged.commit()).catch(this.#options.failed)
      .finally(() => this.#binding = undefined);
  }

  async #receive(socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(MAX_DATAGRAM);
    for (let run = 1;; run++) {
      try {
        const { bytes, from } = await socket.receive(buffer);
        if (bytes.length > 0) this.#offer(bytes, from);
      } catch (error) {
        if (!this.#bound.some((bound) => bound.socket === socket)) return;
        // Such as what an earlier datagram met on its way: it says nothing of the socket.
        this.#options.failed(error);
        await this.#options.turn();
      }
      if (run % RUN === 0) await this.#options.turn();
    }
  }

  #offer(bytes: Uint8Array, from: PeerAddress): void {
    this.#answering = from.key;
    try {
      for (const { claimant, take } of this.#claims[bytes[0]]) {
        if (!claimant.live) continue;
        try {
          if (take(bytes, from)) return;
        } catch (error) {
          claimant.failed(new PluginError(claimant.name, "udp", errorText(error), { cause: error }));
        }
      }
    } finally {
      this.#answering = undefined;
    }
  }

  #allows(to: PeerAddress, egress: Pick<Egress, "check">): boolean {
    return to.key === this.#answering || egress.check(to) === undefined;
  }

  #send(bytes: Uint8Array, to: PeerAddress): boolean {
    const bound = this.#bound.find(({ socket }) => socket.address.family === to.family) ??
      this.#bound.find(({ at }) => at.ip === "::");
    if (!bound) return false;
    this.#pending++;
    bound.socket.send(bytes, to).then(this.#left, this.#left); // where it fails it is lost, as datagrams are
    return true;
  }

  readonly #left = (): void => void this.#pending--;
}

function sameAddress(a: BindAddress, b: BindAddress): boolean {
  return a.ip === b.ip && a.port === b.port;
}
