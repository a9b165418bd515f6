/**
 * From an address to a peer that has shaken hands: transports are raced, wraps of `dialPeer` run on the one that wins.
 *
 * @module
 */
import {
  type ByteStream,
  dialPeer,
  type EgressGrant,
  errorText,
  type OpenedStream,
  type Timer,
  transports,
} from "../../api/mod.ts";
import { type PeerAddress, ProtocolError, type TorrentId } from "../../wire/mod.ts";
import { type OwnHandshake, type ShakenPeer, shakeOut } from "./handshake.ts";
import { type DialFault, DialRace } from "./dial_race.ts";
import type { Kernel } from "../kernel.ts";

// Longer than two SYN retransmissions; wraps of the stream are counted in (ms).
const DIAL_TIMEOUT = 10_000;

/** A peer to dial, and what is known of it. */
export interface DialTarget {
  readonly address: PeerAddress;
  /** What worked before: preferred to the profile's order. */
  readonly transport?: string;
  /** How the last connection was encrypted: see DialRequest. */
  readonly encryption?: OpenedStream["encryption"];
  /** Its swarm is private; not if not given. */
  readonly private?: boolean;
  /** No other transport is tried. */
  readonly only?: string;
}

/** A peer that was not reached, or did not shake hands. The message has every transport's reason. */
export class DialError extends Error {
  override readonly name = "DialError";

  /** @param reached the peer answered, and what it said was no use: there is no better way to it */
  constructor(readonly faults: readonly DialFault[], readonly reached: boolean) {
    super(faults.map(({ transport, reason }) => `${transport}: ${reason}`).join("; "));
  }
}

/**
 * Dials over the transports that there are until one gets through, and shakes hands. A transport that hangs holds up
 * none of the others.
 *
 * @throws {DialError} when none does; the signal's reason when it aborts
 */
export async function dialAndShake(
  kernel: Kernel,
  id: TorrentId,
  own: OwnHandshake,
  to: DialTarget,
  signal: AbortSignal,
): Promise<ShakenPeer> {
  signal.throwIfAborted();
  const about = { private: to.private ?? false };
  const names = kernel.bus.values(transports, about).map(({ key }) => key)
    .filter((name) => to.only === undefined || name === to.only);
  if (names.length === 0) {
    throw new Error(`No plugin provides a transport; add "- use: ${to.only ?? "tcp"}" to plugins`);
  }
  const order = names.filter((name) => name === to.transport).concat(names.filter((name) => name !== to.transport));
  // The kernel admitted this address: the transports may connect to it until the race is over.
  const grant = kernel.egress.child();
  using _until = grant.grant(to.address);
  return await new Dialing(kernel, id, own, to, new DialRace(order), grant).run(signal);
}

/** One race under way. */
class Dialing {
  readonly #kernel: Kernel;
  readonly #id: TorrentId;
  readonly #own: OwnHandshake;
  readonly #to: DialTarget;
  readonly #race: DialRace;
  readonly #grant: EgressGrant;
  /** Those that run, by transport. One that was stopped is no longer here, whatever it still does. */
  readonly #attempts = new Map<string, AbortController>();
  readonly #done = Promise.withResolvers<ShakenPeer>();
  #timer: Timer | undefined;

  constructor(
    kernel: Kernel,
    id: TorrentId,
    own: OwnHandshake,
    to: DialTarget,
    race: DialRace,
    grant: EgressGrant,
  ) {
    this.#kernel = kernel;
    this.#id = id;
    this.#own = own;
    this.#to = to;
    this.#race = race;
    this.#grant = grant;
  }

  async run(signal: AbortSignal): Promise<ShakenPeer> {
    const stop = (): void => this.#done.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    this.#step();
    try {
      return await this.#done.promise;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#timer?.cancel();
      this.#stopAll(signal.aborted ? signal.reason : new Error("the race is over"));
    }
  }

  /** Starts what is due. */
  #step(): void {
    const { clock } = this.#kernel.host;
    const now = clock.now();
    this.#timer?.cancel();
    for (let name = this.#race.poll(now); name !== undefined; name = this.#race.poll(now)) void this.#try(name);
    const { due } = this.#race;
    if (due < Infinity) this.#timer = clock.after(due - now, () => this.#step());
  }

  async #try(transport: string): Promise<void> {
    const attempt = new AbortController();
    this.#attempts.set(transport, attempt);
    let opened: OpenedStream | undefined;
    try {
      opened = await this.#open(transport, attempt);
      const shaking = shakeOut(this.#kernel.host.clock, opened.stream, this.#own);
      const handshake = await orAborted(shaking, attempt.signal, () => {});
      this.#attempts.delete(transport);
      this.#done.resolve({ ...opened, transport, handshake });
    } catch (error) {
      close(opened?.stream, error);
      if (this.#attempts.get(transport) !== attempt) return;
      this.#attempts.delete(transport);
      this.#race.failed(this.#kernel.host.clock.now(), transport, errorText(error));
      // A peer that answers in this way would do so over any transport.
      const reached = error instanceof ProtocolError;
      if (reached || this.#race.lost) this.#done.reject(new DialError(this.#race.faults, reached));
      else this.#step();
    }
  }

  /** A stream over one transport, wrapped. Settles when the attempt ends, whatever transport and wraps do. */
  async #open(transport: string, attempt: AbortController): Promise<OpenedStream> {
    const { bus, host: { clock } } = this.#kernel;
    const { signal } = attempt;
    const { address, encryption: lastEncryption, private: isPrivate = false } = this.#to;
    const timer = clock.after(
      DIAL_TIMEOUT,
      () => attempt.abort(new Error(`no answer within ${DIAL_TIMEOUT / 1000} s`)),
    );
    let stream: ByteStream | undefined;
    try {
      const request = { id: this.#id, private: isPrivate, address, transport, lastEncryption, signal };
      const wrapped = bus.around(dialPeer, request, async ({ address }) => {
        signal.throwIfAborted();
        const dialed = bus.get(transports, transport, request);
        if (!dialed) throw new Error(`no plugin provides the transport "${transport}" any more`);
        stream = await orAborted(dialed.dial(address, signal, this.#grant), signal, close);
        if (this.#race.opened(transport)) this.#stopAll(new Error("another transport was faster"), attempt);
        return { stream, encryption: "none" as const };
      });
      return await orAborted(wrapped, signal, (late) => close(late.stream));
    } catch (error) {
      close(stream, error);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  #stopAll(reason: unknown, but?: AbortController): void {
    for (const [transport, attempt] of this.#attempts) {
      if (attempt === but) continue;
      this.#attempts.delete(transport);
      attempt.abort(reason);
    }
  }
}

function close(stream: ByteStream | undefined, reason?: unknown): void {
  try {
    stream?.close(reason instanceof Error ? reason : undefined);
  } catch {
    // What a plugin opened may be no stream at all; why the dial failed is told elsewhere.
  }
}

/** What `work` gives, or the signal's reason when that comes first; `drop` gets what comes after it. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal, drop: (late: T) => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  work.then((value) => signal.aborted ? drop(value) : resolve(value)).catch(reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
