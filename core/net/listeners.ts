/** Where peers are accepted: one listener for each transport and address, moved without a gap where it can be done. @module */
import {
  type BindAddress,
  type ByteStream,
  type Clock,
  NetError,
  type Transport,
  type TransportListener,
} from "../api/mod.ts";
import type { PeerAddress } from "../wire/mod.ts";
import { withDeadline } from "./deadline.ts";

// Binding a socket takes no time; a transport that never does must not keep the rest from starting (ms).
const LISTEN_TIMEOUT = 10_000;

interface Listening {
  readonly name: string;
  readonly transport: Transport;
  readonly at: BindAddress;
  readonly listener: TransportListener;
}

/** Listeners that are open beside those in use. */
export interface StagedListeners {
  /** The port that trackers will be told. */
  readonly port: number;
  /** They are the ones in use from now on; those that are no longer wanted close. */
  commit(): void;
  /** Closes them; those in use go on. */
  abort(): Promise<void>;
}

/** What {@link Listeners} needs. */
export interface ListenersOptions {
  readonly clock: Clock;
  readonly accept: (transport: string, stream: ByteStream) => void;
  /** One that had made room for others could not be opened again when those were given up. */
  readonly lost: (error: unknown) => void;
}

export class Listeners {
  readonly #options: ListenersOptions;
  #open: readonly Listening[] = [];
  #port = 0;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  get addresses(): readonly PeerAddress[] {
    return this.#open.map(({ listener }) => listener.address);
  }

  /**
   * The port that trackers are told, 0 without a transport. It outlives the listeners, since trackers know by it who
   * leaves.
   */
  get port(): number {
    // One over the shared UDP port is known only once that is bound.
    this.#port ||= portOf(this.#open);
    return this.#port;
  }

  /**
   * Listens at every address over every transport. What listens already, the same way, is kept.
   *
   * @throws {NetError} when one can't, naming the address; what was in use before is in use then
   */
  async stage(
    addresses: readonly BindAddress[],
    transports: ReadonlyMap<string, Transport>,
  ): Promise<StagedListeners> {
    const wanted = [...transports].flatMap(([name, transport]) => addresses.map((at) => ({ name, transport, at })));
    const kept = new Map(wanted.map((want) => [want, this.#open.find((open) => sameListening(open, want))]));
    const leaving = this.#open.filter((open) => ![...kept.values()].includes(open));
    const opened: Listening[] = [];
    const closedEarly: Listening[] = [];
    const abort = async (): Promise<void> => {
      for (const { listener } of opened) listener.close();
      for (const closed of closedEarly) await this.#reopen(closed);
    };
    try {
      const next: Listening[] = [];
      for (const [want, listening] of kept) {
        if (!listening) opened.push(await this.#openOne(want, leaving, closedEarly));
        next.push(listening ?? opened.at(-1)!);
      }
      const port = portOf(next) || this.#port;
      return {
        port,
        commit: () => {
          this.#open = next;
          this.#port = port;
          for (const { listener } of leaving) listener.close();
        },
        abort,
      };
    } catch (error) {
      await abort();
      throw error;
    }
  }

  close(): void {
    for (const { listener } of this.#open) listener.close();
    this.#open = [];
  }

  /** Opens one; where one of ours that leaves stands in its way, that one is closed first. */
  async #openOne(
    { name, transport, at }: Omit<Listening, "listener">,
    leaving: readonly Listening[],
    closedEarly: Listening[],
  ): Promise<Listening> {
    const before = leaving.find((open) => open.name === name && sameAddress(open.at, at));
    // A port that the system chose stays the same.
    const there = before && at.port === 0 ? { ...at, port: before.listener.address.port } : at;
    try {
      return { name, transport, at, listener: await this.#listen(name, transport, there) };
    } catch (error) {
      const rivals = leaving.filter((open) =>
        open.name === name && open.listener.address.port === there.port && !closedEarly.includes(open)
      );
      if (!(error instanceof NetError && error.fault === "inUse") || rivals.length === 0) throw error;
      for (const rival of rivals) rival.listener.close();
      closedEarly.push(...rivals);
      return { name, transport, at, listener: await this.#listen(name, transport, there) };
    }
  }

  async #reopen(closed: Listening): Promise<void> {
    const { name, transport, at, listener: { address: { port } } } = closed;
    try {
      const listener = await this.#listen(name, transport, { ...at, port });
      this.#open = this.#open.map((open) => open === closed ? { ...open, listener } : open);
    } catch (error) {
      this.#open = this.#open.filter((open) => open !== closed);
      this.#options.lost(error);
    }
  }

  #listen(name: string, transport: Transport, at: BindAddress): Promise<TransportListener> {
    const { clock, accept } = this.#options;
    return withDeadline(
      clock,
      LISTEN_TIMEOUT,
      `transport "${name}" did not listen`,
      () => transport.listen(at, (stream) => accept(name, stream)),
    );
  }
}

/** The port that they listen on, 0 while none is known. */
function portOf(listening: readonly Listening[]): number {
  return listening.map(({ listener }) => listener.address.port).find((port) => port > 0) ?? 0;
}

function sameListening(a: Omit<Listening, "listener">, b: Omit<Listening, "listener">): boolean {
  return a.name === b.name && a.transport === b.transport && sameAddress(a.at, b.at);
}

function sameAddress(a: BindAddress, b: BindAddress): boolean {
  return a.ip === b.ip && a.port === b.port;
}
