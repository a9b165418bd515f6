/**
 * The network as plugins see it: every target passes the egress guard, and everything opened is closed with its entry.
 *
 * @module
 */
import { type ByteStream, EgressError, type Host, type PluginNet, type StreamListener } from "../api/mod.ts";
import type { Egress } from "./egress.ts";
import { ipScope, peerAddress, quote } from "../wire/mod.ts";
import { guardedFetch, guardedRequest } from "./fetch.ts";

/** What {@link createPluginNet} needs; `scopeSignal` aborts when the entry is retired. */
export interface PluginNetOptions {
  readonly host: Pick<Host, "net">;
  readonly egress: Egress;
  readonly scopeSignal: AbortSignal;
}

/** Makes one entry's network. When `scopeSignal` aborts, what waits rejects with its reason and what is open closes. */
export function createPluginNet({ host: { net }, egress, scopeSignal }: PluginNetOptions): PluginNet {
  const scope = new NetScope(scopeSignal);
  const resolve = async (name: string): Promise<readonly string[]> => {
    const ips = await net.resolve(name);
    egress.resolved(name, ips);
    return ips;
  };
  return {
    connect: (to, signal, grant) =>
      scope.run(signal, async (signal) => {
        const refusal = egress.with(grant).check(to);
        if (refusal) throw new EgressError(refusal);
        const stream = scope.own(await net.connect(to, { signal }));
        if (signal.aborted) stream.close(); // it came too late for whoever asked
        return stream;
      }),
    listen: async (at) => {
      const listener: StreamListener = scope.own(await net.listen(at));
      const accept = listener.accept.bind(listener);
      listener.accept = async (): Promise<ByteStream> => scope.own(await accept());
      return listener;
    },
    datagrams: async (at) => {
      const socket = scope.own(await net.datagrams(at));
      const send = socket.send.bind(socket);
      const receive = socket.receive.bind(socket);
      let latest: string | undefined;
      socket.receive = async (into) => {
        const received = await receive(into);
        latest = received.from.key;
        return received;
      };
      socket.send = (bytes, to) => {
        // Whoever wrote last may be answered, wherever it is: nobody else named it.
        const refusal = to.key === latest ? undefined : egress.check(to);
        return refusal ? Promise.reject(new EgressError(refusal)) : send(bytes, to);
      };
      return socket;
    },
    interfaces: () => scope.run(undefined, () => net.interfaces()),
    multicast: async (options) => {
      const group = peerAddress(options.group, options.port);
      if (ipScope(group.ip) !== "multicast") {
        throw new EgressError(`Cannot join ${quote(options.group)}: it is no multicast address`);
      }
      const socket = scope.own(await net.multicast(options));
      const send = socket.send.bind(socket);
      // The group was joined on purpose, so nobody can have named it; anything else takes a socket of its own.
      socket.send = (bytes, to) =>
        to.key === group.key ? send(bytes, group) : Promise.reject(
          new EgressError(`Cannot send to ${to.key}: this socket sends to its group ${group.key} alone`),
        );
      return socket;
    },
    fetch: (url, options = {}) =>
      scope.run(options.signal, (signal) => {
        const guard = egress.with(options.grant);
        return guardedFetch({ net, egress: guard, resolve }, url, { ...options, signal });
      }),
    request: (url, options = {}) =>
      scope.run(options.signal, async (signal, until) => {
        const guard = egress.with(options.grant);
        const answer = await guardedRequest({ net, egress: guard, resolve }, url, { ...options, signal });
        const { promise, resolve: ended } = Promise.withResolvers<void>();
        until(promise);
        signal.addEventListener("abort", () => ended(), { once: true });
        return { ...answer, body: watched(answer.body, ended) };
      }),
    resolve: (name) => scope.run(undefined, () => resolve(name)),
    serve: async (at, handler) => scope.own(await net.serve(at, handler)),
  };
}

/** What one entry has open and under way. */
class NetScope {
  readonly #open = new Set<{ close(): unknown }>();
  readonly #pending = new Set<AbortController>();

  constructor(readonly signal: AbortSignal) {
    // One listener for the entry, not one for each call: a long-lived signal retains every one of them.
    signal.addEventListener("abort", () => {
      for (const controller of this.#pending) controller.abort(signal.reason);
      for (const resource of this.#open) void resource.close();
    }, { once: true });
  }

  /**
   * Runs a call that ends when its caller or the entry does, even if what it waits for never settles. What it gives may
   * be under way for longer, `until` a promise settles: the signal holds as long.
   */
  run<T>(
    caller: AbortSignal | undefined,
    call: (signal: AbortSignal, until: (end: Promise<void>) => void) => Promise<T>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.signal.throwIfAborted();
      caller?.throwIfAborted();
      const controller = new AbortController();
      const abort = (): void => controller.abort(caller?.reason);
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
      caller?.addEventListener("abort", abort);
      this.#pending.add(controller);
      let end: Promise<void> | undefined;
      call(controller.signal, (until) => end = until).then(resolve, reject).then(() => end).then(() => {
        caller?.removeEventListener("abort", abort);
        this.#pending.delete(controller);
      });
    });
  }

  /** Closes `resource` with the entry, unless somebody closes it before. */
  own<R extends { close(): unknown }>(resource: R): R {
    const close = resource.close;
    resource.close = (...args: []): unknown => {
      this.#open.delete(resource);
      return close.apply(resource, args);
    };
    this.#open.add(resource);
    if (this.signal.aborted) resource.close();
    return resource;
  }
}

/** The same stream; `ended` is told when it was read to its end, failed, or was cancelled. */
function watched(stream: ReadableStream<Uint8Array>, ended: () => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      ended();
    },
    async cancel(reason) {
      ended();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
