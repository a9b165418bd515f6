/** Watches what a host is used for: what is open, so that what a plugin leaves is found, and what is sent. @module */
import type { Clock, DatagramSocket, Host, HostNet, Timer } from "../../core/api/mod.ts";

/** A host whose timers, sockets and requests are counted. */
export interface WatchedHost {
  readonly host: Host;
  /** What is open or pending now, in words, in the order in which it was begun. */
  open(): readonly string[];
}

// A loop over clock.turn() would hold simulated time still for good. So many turns are free ...
const FREE_TURNS = 1_000;
// ... and then each takes so long (ms), in which another one is earned.
const TURN_COST = 100;

type Own = <R extends { close(...args: never): unknown }>(what: string, resource: R) => R;
type During = <T>(what: string, work: Promise<T>) => Promise<T>;

/**
 * Wraps a host so that what is opened through it, and not closed, can be named.
 *
 * @param sent gets every URL that is asked for, and every datagram and piece of a stream that is sent
 */
export function watchHost(host: Host, sent: (what: URL | Uint8Array) => void = () => {}): WatchedHost {
  const open = new Set<{ readonly what: string }>();
  const begin = (what: string): () => void => {
    const entry = { what };
    open.add(entry);
    return () => void open.delete(entry);
  };
  const own: Own = (what, resource) => {
    const end = begin(what);
    const close = resource.close as (...args: unknown[]) => unknown;
    resource.close = ((...args: unknown[]) => {
      end();
      return close.apply(resource, args);
    }) as typeof resource.close;
    return resource;
  };
  const during: During = async (what, work) => {
    const end = begin(what);
    try {
      return await work;
    } finally {
      end();
    }
  };
  return {
    host: {
      random: host.random,
      disk: host.disk,
      db: host.db,
      clock: watchTimers(host.clock, begin, during),
      net: watchNet(host.net, own, during, sent),
    },
    open: () => [...open].map(({ what }) => what),
  };
}

function watchTimers(clock: Clock, begin: (what: string) => () => void, during: During): Clock {
  let [turns, last] = [FREE_TURNS, clock.now()];
  const turn = async (): Promise<void> => {
    turns = Math.min(FREE_TURNS, turns + (clock.now() - last) / TURN_COST);
    last = clock.now();
    if (turns-- >= 1) return await clock.turn();
    turns = 0;
    await new Promise<void>((resolve) => void clock.after(TURN_COST, resolve));
  };
  const after = (milliseconds: number, run: () => void): Timer => {
    const end = begin(`a timer of ${milliseconds} ms`);
    const timer = clock.after(milliseconds, () => {
      end();
      run();
    });
    return {
      cancel: () => {
        end();
        timer.cancel();
      },
    };
  };
  return { now: () => clock.now(), wall: () => clock.wall(), after, turn: () => during("a turn of the clock", turn()) };
}

function watchNet(net: HostNet, own: Own, during: During, sent: (what: URL | Uint8Array) => void): HostNet {
  const ownStream: Own = (what, stream) => {
    const writer = stream as unknown as { write(bytes: Uint8Array): Promise<void> };
    const write = writer.write.bind(stream);
    writer.write = (bytes) => {
      sent(bytes);
      return write(bytes);
    };
    return own(what, stream);
  };
  const ownSocket = (socket: DatagramSocket): DatagramSocket => {
    const send = socket.send.bind(socket);
    socket.send = (bytes, to) => {
      sent(bytes);
      return send(bytes, to);
    };
    return own(`a UDP socket on ${socket.address.key}`, socket);
  };
  return {
    async connect(to, options) {
      const stream = await during(`a connection being opened to ${to.key}`, net.connect(to, options));
      return ownStream(`a stream to ${to.key}`, stream);
    },
    async listen(at, options) {
      const listener = await net.listen(at, options);
      const accept = listener.accept.bind(listener);
      listener.accept = async () => {
        const stream = await accept();
        return ownStream(`a stream accepted from ${stream.remote.key}`, stream);
      };
      return own(`a listener on ${listener.address.key}`, listener);
    },
    datagrams: async (at) => ownSocket(await net.datagrams(at)),
    interfaces: () => net.interfaces(),
    multicast: async (options) => ownSocket(await net.multicast(options)),
    resolve: (name) => net.resolve(name),
    http(request) {
      sent(request.url);
      return during(`a request for ${request.url}`, net.http(request));
    },
    async serve(at, handler) {
      const server = await net.serve(at, handler);
      return own(`an HTTP server on ${server.address?.key ?? ("path" in at ? at.path : at.ip)}`, server);
    },
  };
}
