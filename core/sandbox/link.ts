import {
  type Clock,
  errorText,
  formatDuration,
  type HostIsolates,
  type Isolate,
  type IsolateOptions,
  type Timer,
} from "../api/mod.ts";
import { withDeadline } from "../net/mod.ts";
import { LinkCall } from "./link_call.ts";
import { type Carried, type GuestMessage, type HostMessage, MAX_CALLS, readGuestMessage } from "./protocol.ts";
import { Rate } from "./rate.ts";

// How often a guest must show that it is alive, and how often it may fail to (ms): an endless loop ends after three.
const PING_INTERVAL = 1_000;
const MISSED_PINGS = 3;
// How long a retired plugin may take to say goodbye (ms).
const STOP_GRACE = 1_000;
// Messages that nobody asked for (log lines, registrations), at once and a second: further ones are a flood that would
// keep the main thread busy.
const BURST = 2_000;
const PER_SECOND = 500;
// A long message counts as many: so many bytes are one.
const BYTES_PER_MESSAGE = 4 * 1024;

/** What a guest says besides answers. */
export type Notice = Exclude<
  GuestMessage,
  { readonly say: "values" | "done" | "error" | "pong" | "stopped" | "stray" }
>;

/** What {@link Link.start} needs. */
export interface LinkOptions extends Omit<IsolateOptions, "onMessage" | "onEnd"> {
  readonly isolates: HostIsolates;
  readonly clock: Clock;
  readonly onNotice: (notice: Notice) => void;
  /** It ended, and not by `stop`. Told once. */
  readonly onEnd: (reason: Error) => void;
  /** What it would have its next generation find, as of now. */
  readonly onCarried?: (carried: readonly Carried[]) => void;
  /** Before each ping: what shall go with it. */
  readonly onPing?: () => void;
}

/** It stopped answering: it may loop for ever. */
export class HangError extends Error {
  override readonly name = "HangError";

  /** @param gone whether it ended when it was killed */
  constructor(message: string, readonly gone: () => Promise<boolean>) {
    super(message);
  }
}

/**
 * Weft's end of one guest's life: sends messages, checks what comes, numbers calls, and ends a guest that hangs or
 * breaks the rules.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #calls = new Map<number, LinkCall>();
  readonly #rate: Rate;
  #isolate: Isolate | undefined;
  #nextCall = 1;
  #pings = 0;
  #missed = 0;
  #timer: Timer | undefined;
  #stopped: (() => void) | undefined;
  #ended: Error | undefined;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#rate = new Rate(options.clock, BURST, PER_SECOND);
  }

  /** Starts a guest. Rejects when it can't be started, with what to do. */
  static async start(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    const { isolates, kind, permissions, memory, code } = options;
    const isolate = await isolates.start({
      kind,
      permissions,
      memory,
      code,
      onMessage: (message) => link.#receive(message),
      onEnd: (reason) => link.end(reason),
    });
    link.#isolate = isolate;
    if (link.#ended) {
      isolate.kill();
      throw link.#ended;
    }
    link.#beat();
    return link;
  }

  /** Sends a message; nothing happens once it ended. */
  post(message: HostMessage): void {
    if (!this.#ended) this.#isolate?.post(message);
  }

  /**
   * Begins a call; undefined when too many are under way.
   *
   * @throws {Error} why the guest ended, if it did
   */
  call(registration: number, input: unknown): LinkCall | undefined {
    if (this.#ended) throw this.#ended;
    if (this.#calls.size >= MAX_CALLS) return undefined;
    const id = this.#nextCall++;
    const call = new LinkCall({
      credit: (count) => this.post({ do: "credit", call: id, count }),
      leave: (settled) => {
        if (this.#calls.delete(id) && !settled) this.post({ do: "cancel", call: id });
      },
    });
    this.#calls.set(id, call);
    this.post({ do: "call", call: id, registration, input });
    return call;
  }

  /** Lets the guest clean up for a moment, and ends it. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    this.post({ do: "stop" });
    const stopped = new Promise<void>((resolve) => this.#stopped = resolve);
    await withDeadline(this.#options.clock, STOP_GRACE, "it did not stop", () => stopped).catch(() => {});
    this.#finish(new Error("it was stopped"));
  }

  /** Ends the guest, as a fault of its own. Only the first reason counts. */
  end(reason: Error): void {
    if (this.#ended) return;
    this.#finish(reason);
    // Before it started there is nobody who would know what to do: `start` rejects instead.
    if (this.#isolate) this.#options.onEnd(reason);
  }

  #finish(reason: Error): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#timer?.cancel();
    this.#stopped?.();
    this.#isolate?.kill();
    for (const call of this.#calls.values()) call.fail(reason);
    this.#calls.clear();
  }

  #receive(raw: unknown): void {
    if (this.#ended) return; // what was still under way from a guest that is gone
    try {
      const size = { bytes: 0 };
      this.#take(readGuestMessage(raw, size), 1 + Math.floor(size.bytes / BYTES_PER_MESSAGE));
    } catch (error) {
      this.end(new Error(`it broke the rules of the sandbox: ${errorText(error)}`));
    }
  }

  #take(message: GuestMessage, cost: number): void {
    if ("call" in message) {
      const call = this.#calls.get(message.call);
      if (call) {
        call.take(message);
        if (message.say !== "values") this.#calls.delete(message.call);
        return;
      }
      // One that was left may still be answered; one that never was can't.
      if (message.call >= this.#nextCall) throw new Error(`there is no call ${message.call}`);
    }
    if (!this.#rate.take(cost)) {
      throw new Error(
        `more than ${BURST} messages at once, or ${PER_SECOND} a second, counting ${BYTES_PER_MESSAGE} bytes as one`,
      );
    }
    if ("call" in message) return;
    if (message.say === "pong") {
      if (message.ping === this.#pings) this.#missed = 0;
      if (message.carried) this.#options.onCarried?.(message.carried);
    } else if (message.say === "stopped") this.#stopped?.();
    else if (message.say === "stray") this.end(new Error(`it failed with nobody to catch it: ${message.message}`));
    else this.#options.onNotice(message);
  }

  /** Asks whether it is alive, and ends it when it did not answer for too long. */
  #beat(): void {
    this.#options.onPing?.();
    this.#missed++;
    this.post({ do: "ping", ping: ++this.#pings });
    this.#timer = this.#options.clock.after(PING_INTERVAL, async () => {
      // Its answer may be here already, and only wait for its turn behind a main thread that was busy.
      if (this.#missed >= MISSED_PINGS) await this.#options.clock.turn();
      if (this.#ended) return;
      if (this.#missed < MISSED_PINGS) return this.#beat();
      const reason = `it did not answer for ${formatDuration(MISSED_PINGS * PING_INTERVAL)}`;
      this.end(new HangError(reason, () => this.#isolate!.gone()));
    });
  }
}
