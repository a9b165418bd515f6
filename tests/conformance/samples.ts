/** Small plugins of every kind that keep to the contract, each with a part to replace by a bad one. @module */
import {
  acceptPeer,
  type AdmitAnswer,
  admitPeers,
  type AdmitRequest,
  type ByteStream,
  definePlugin,
  dialPeer,
  discoverPeers,
  type DiscoverRequest,
  type ExtensionPeer,
  type Handler,
  list,
  object,
  type OpenedStream,
  parsePeerAddress,
  type PeerCandidate,
  type PeerExtension,
  type Plugin,
  type PluginScope,
  ProtocolError,
  string,
  type TrackerClient,
  trackerClients,
  type Transport,
  transports,
  url,
  wireExtensions,
} from "weft";
import { tcpTransport } from "../../plugins/tcp/mod.ts";
import { httpTracker } from "../../plugins/tracker_http/mod.ts";

/** A plugin with nothing in it but what `setup` does. */
export function bare(setup: Plugin["setup"], more: Partial<Plugin> = {}): Plugin {
  return definePlugin({ name: "sample", config: object({}), example: {}, setup, ...more }) as Plugin;
}

/** A source of peers, as the README shows it; `discover` may take its place. */
export function roster(
  discover?: (scope: PluginScope<{ url: string }>) => Handler<"gather", DiscoverRequest, PeerCandidate>,
): Plugin {
  return definePlugin({
    name: "roster",
    config: object({ url: url(), tags: list(string(), { default: [] }) }),
    example: { url: "https://peers.example/list" },
    provides: ["peers.discover"],
    setup(plugin: PluginScope<{ url: string }>) {
      plugin.on(
        discoverPeers,
        discover?.(plugin) ?? (async function* (_, signal) {
          const answer = await plugin.net.fetch(plugin.config.url, { signal });
          for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
          return { again: 60_000 };
        }),
      );
    },
  }) as unknown as Plugin;
}

/** A filter of ports below 1024; `admit` may take its place. */
export function filter(
  admit: Handler<"every", AdmitRequest, AdmitAnswer> = ({ addresses }) => addresses.map(({ port }) => port >= 1024),
): Plugin {
  return bare((scope) => void scope.on(admitPeers, admit));
}

/** TCP under another name, with what `change` makes of it. */
export function transport(change: (tcp: Transport, scope: PluginScope) => Partial<Transport> = () => ({})): Plugin {
  return bare((scope) => {
    const tcp = tcpTransport(scope.net);
    scope.provide(transports, "sample", { ...tcp, ...change(tcp, scope) });
  }, { provides: ["transports"] });
}

/** A transport whose streams `change` makes worse. */
export function streams(change: (stream: ByteStream) => void): Plugin {
  const changed = (stream: ByteStream): ByteStream => {
    change(stream);
    return stream;
  };
  return transport((tcp) => ({
    dial: async (address, signal, grant) => changed(await tcp.dial(address, signal, grant)),
    listen: (at, accept) => tcp.listen(at, (stream) => accept(changed(stream))),
  }));
}

// What the dialing end of the sample encryption sends first.
const MAGIC = new TextEncoder().encode("XORED");

/** Encryption for tests: a magic word, then every byte inverted. `change` may replace its ends. */
export function encryption(change: { dial?: Wrap; accept?: Wrap } = {}): Plugin {
  return bare((scope) => {
    scope.on(dialPeer, async (request, next) => await (change.dial ?? greet)((await next(request)).stream));
    scope.on(acceptPeer, async (request, next) => await (change.accept ?? answer)((await next(request)).stream));
  }, { wants: ["private"] });
}

/** One end of an encrypted stream, from the raw one. */
export type Wrap = (stream: ByteStream) => Promise<OpenedStream>;

/** The dialing end. */
export async function greet(stream: ByteStream): Promise<OpenedStream> {
  await stream.write(MAGIC);
  const got = await readUpTo(stream, MAGIC.length);
  if (!startsWithMagic(got)) throw new ProtocolError("Cannot encrypt: the peer does not answer");
  return { stream: inverted(stream), encryption: "rc4" };
}

/** The accepting end: what isn't encrypted goes through as it is. */
export async function answer(stream: ByteStream): Promise<OpenedStream> {
  const got = await readUpTo(stream, MAGIC.length);
  if (!startsWithMagic(got)) {
    stream.unread(got);
    return { stream, encryption: "none" };
  }
  await stream.write(MAGIC);
  return { stream: inverted(stream), encryption: "rc4" };
}

/** The stream with every byte inverted. */
function inverted(stream: ByteStream): ByteStream {
  const invert = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 255);
  return {
    local: stream.local,
    remote: stream.remote,
    async read(into) {
      const length = await stream.read(into);
      into.set(invert(into.subarray(0, length)));
      return length;
    },
    unread: (bytes) => stream.unread(invert(bytes)),
    write: (bytes) => stream.write(invert(bytes)),
    closeWrite: () => stream.closeWrite(),
    close: (reason) => stream.close(reason),
  };
}

/** Reads until the magic word is there, can't be any more, or the stream ends. */
async function readUpTo(stream: ByteStream, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = await stream.read(bytes.subarray(filled));
    if (got === 0) break;
    filled += got;
  }
  return bytes.subarray(0, filled);
}

function startsWithMagic(bytes: Uint8Array): boolean {
  return bytes.length === MAGIC.length && bytes.every((byte, i) => byte === MAGIC[i]);
}

/** An extension that counts and answers; `change` may replace its parts. */
export function extension(
  change: (peer: ExtensionPeer, scope: PluginScope) => Partial<PeerExtension> = () => ({}),
  { declines = true }: { readonly declines?: boolean } = {},
): Plugin {
  return bare((scope) => {
    scope.provide(wireExtensions, "ut_pex", {
      join: (peer) => {
        if (peer.private && declines) return undefined;
        let over = false;
        return {
          message(payload) {
            if (over) return;
            if (payload.length > 1_000) throw new ProtocolError("Cannot read message: it is too long");
            if (payload.length === 3) peer.close(new ProtocolError("Cannot read message: it is too short"));
            peer.send(payload.slice());
          },
          closed: () => void (over = true),
          ...change(peer, scope),
        };
      },
    });
  }, { provides: ["wire.extension:ut_pex"] });
}

/** A client of HTTP trackers; `change` may replace its parts. */
export function tracker(
  change: (client: TrackerClient, scope: PluginScope) => Partial<TrackerClient> = () => ({}),
): Plugin {
  return bare((scope) => {
    const config = { timeout: 30_000, user_agent: "sample", numwant: 50 };
    const client = httpTracker({ net: scope.net, clock: scope.clock, config });
    scope.provide(trackerClients, "http", { ...client, ...change(client, scope) });
  });
}
