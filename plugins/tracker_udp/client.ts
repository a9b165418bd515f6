/**
 * A tracker client over UDP: drives a {@link UdpExchange} on the shared port, and asks each tracker over both families
 * of addresses that it has.
 *
 * @module
 */
import {
  type AnnounceAnswer,
  type AnnounceRequest,
  type Clock,
  errorText,
  ipScope,
  MAX_UDP_SCRAPE,
  parseIp,
  type PeerAddress,
  peerAddress,
  type PluginNet,
  type Random,
  type ScrapeAnswer,
  type ScrapeRequest,
  type Timer,
  type TrackerClient,
  TrackerError,
  type UdpAnnounceReply,
  type UdpFlow,
  type UdpPort,
  type UdpScrapeReply,
  withoutUndefined,
} from "weft";
import { UdpExchange, type UdpOutcome, type UdpQuery } from "./exchange.ts";

/** What a client needs. */
export interface UdpTrackerOptions {
  readonly clock: Clock;
  readonly random: Pick<Random, "below">;
  readonly net: Pick<PluginNet, "resolve">;
  readonly udp: Pick<UdpPort, "addresses" | "open">;
  /** Keeps the plugin while something is under way, should it be replaced meanwhile. */
  readonly hold: () => Disposable;
  /** How long a tracker may take to answer, in milliseconds. */
  readonly timeout: number;
  /** The most peers to ask for in one announce. */
  readonly numwant: number;
}

// A tracker's other address may answer this much later than the first (ms) and still have its peers used: a machine
// whose IPv6 leads nowhere must not wait for it.
const GRACE = 1_000;
// Ten times what is asked for: a tracker that answers more can't flood the peer pool.
const MAX_PEERS = 2_000;
const SECOND = 1_000;

interface Waiting {
  readonly tracker: URL;
  readonly to: PeerAddress;
  resolve(reply: UdpAnnounceReply | UdpScrapeReply): void;
  reject(error: Error): void;
}

/** The client for `udp:` URLs. */
export class UdpTrackerClient implements TrackerClient {
  readonly #options: UdpTrackerOptions;
  readonly #exchange: UdpExchange;
  readonly #waiting = new Map<number, Waiting>();
  /** To the addresses of what waits: queries to one address share a connection id, whichever of them sends for it. */
  readonly #flows = new Map<string, UdpFlow>();
  #timer: Timer | undefined;

  constructor(options: UdpTrackerOptions) {
    this.#options = options;
    this.#exchange = new UdpExchange(options);
  }

  /** Takes a datagram of the shared port if it answers something that was asked. */
  take(bytes: Uint8Array, from: PeerAddress): boolean {
    const taken = this.#exchange.handleDatagram(this.#options.clock.now(), bytes, from);
    if (taken) this.#drive();
    return taken;
  }

  async announce(request: AnnounceRequest, signal: AbortSignal): Promise<AnnounceAnswer> {
    using _held = this.#options.hold();
    const { url, infoHash, peerId, downloaded, left, uploaded, event, key, port, wanted } = request;
    const urlData = url.pathname === "/" && !url.search ? "" : url.pathname + url.search;
    const query: UdpQuery = {
      action: "announce",
      ...{ infoHash, peerId, downloaded, left, uploaded, port },
      ...(event && { event }),
      key: key >>> 0,
      wanted: Math.min(wanted, this.#options.numwant),
      ...(urlData && { urlData }),
    };
    const addresses = await abortable(signal, this.#addresses(url));
    const [four, six] = [4, 6].map((family) => addresses.find((address) => address.family === family));
    const targets = [four, six].filter((address) => address !== undefined);
    return await this.#announceTo(targets.map((to) => this.#ask(request, to, query, signal)), targets);
  }

  async scrape(
    request: ScrapeRequest,
    signal: AbortSignal,
  ): Promise<readonly (ScrapeAnswer | undefined)[]> {
    using _held = this.#options.hold();
    const { url, infoHashes } = request;
    const [to] = await abortable(signal, this.#addresses(url));
    const answers: (ScrapeAnswer | undefined)[] = [];
    for (let i = 0; i < infoHashes.length; i += MAX_UDP_SCRAPE) {
      const some = infoHashes.slice(i, i + MAX_UDP_SCRAPE);
      const reply = await this.#ask(request, to, { action: "scrape", infoHashes: some }, signal);
      answers.push(...some.map((_, j) => reply.action === "scrape" ? reply.swarms[j] : undefined));
    }
    return answers;
  }

  /** Ends everything with `reason`. */
  close(reason: Error): void {
    this.#timer?.cancel();
    for (const [query, { reject }] of [...this.#waiting]) {
      this.#exchange.cancel(query);
      reject(reason);
    }
    this.#waiting.clear();
  }

  /** The addresses of a tracker, those first that were not silent lately. */
  async #addresses(url: URL): Promise<PeerAddress[]> {
    // As an http URL its host is read as every other one: canonical, and names beyond ASCII encoded for the resolver.
    const httpUrl = `http${url.href.slice(url.protocol.length - 1)}`;
    const port = Number(url.port);
    if (!port || !URL.canParse(httpUrl)) {
      throw new TrackerError(`Cannot ask tracker "${url.host}": its URL must have a host and a port`);
    }
    const name = new URL(httpUrl).hostname.replace(/^\[|\]$/g, "");
    const literal = parseIp(name)?.text;
    let ips: readonly string[];
    try {
      ips = literal ? [literal] : await this.#options.net.resolve(name);
    } catch (error) {
      throw new TrackerError(`Cannot ask tracker "${url.host}": ${errorText(error)}`, { cause: error });
    }
    if (ips.length === 0) throw new TrackerError(`Cannot ask tracker "${url.host}": its name has no address`);
    const silentAt = (address: PeerAddress): number => this.#exchange.silentAt(address);
    return ips.map((ip) => peerAddress(ip, port))
      .sort((a, b) => silentAt(a) === silentAt(b) ? 0 : silentAt(a) - silentAt(b));
  }

  /** What the first to answer says, with the peers of the other one if that answers soon too (BEP 7). */
  async #announceTo(
    replies: readonly Promise<UdpAnnounceReply | UdpScrapeReply>[],
    targets: readonly PeerAddress[],
  ): Promise<AnnounceAnswer> {
    const { clock } = this.#options;
    const answers: { reply: UdpAnnounceReply; from: string }[] = [];
    const failures: unknown[] = [];
    await new Promise<void>((resolve) => {
      let grace: Timer | undefined;
      const settled = (): void => {
        if (answers.length + failures.length === replies.length) {
          grace?.cancel();
          resolve();
        } else if (answers.length > 0) grace = clock.after(GRACE, resolve);
      };
      replies.forEach((reply, i) =>
        reply.then((reply) => {
          if (reply.action === "announce") answers.push({ reply, from: targets[i].ip });
        }, (error) => void failures.push(error)).then(settled)
      );
    });
    if (answers.length === 0) throw failures[0];
    return merge(answers);
  }

  /** Asks one address; its answer, or a TrackerError, or the signal's reason. */
  #ask(
    { url: tracker, grant }: Pick<ScrapeRequest, "url" | "grant">,
    to: PeerAddress,
    query: UdpQuery,
    signal: AbortSignal,
  ): Promise<UdpAnnounceReply | UdpScrapeReply> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const flow = this.#options.udp.open(to, grant);
      if (!flow) throw new TrackerError(this.#refusal(to));
      this.#flows.set(to.key, flow);
      const id = this.#exchange.ask(this.#options.clock.now(), to, query);
      const abort = (): void => {
        this.#exchange.cancel(id);
        this.#waiting.delete(id);
        this.#drive();
        reject(signal.reason);
      };
      const over = (): void => signal.removeEventListener("abort", abort);
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.set(id, {
        ...{ tracker, to },
        resolve: (reply) => (over(), resolve(reply)),
        reject: (error) => (over(), reject(error)),
      });
      this.#drive();
    });
  }

  #drive(): void {
    const { clock } = this.#options;
    const now = clock.now();
    for (let next; (next = this.#exchange.pollTransmit(now));) {
      if (!this.#flows.get(next.to.key)?.send(next.bytes)) this.#exchange.unreachable(next.to, this.#refusal(next.to));
    }
    for (let next; (next = this.#exchange.pollOutcome());) this.#settle(next);
    if (this.#waiting.size === 0) this.#flows.clear();
    this.#timer?.cancel();
    const next = this.#exchange.pollTimeout(now);
    this.#timer = next === undefined ? undefined : clock.after(Math.max(0, next - now), () => {
      this.#exchange.handleTimeout(clock.now());
      this.#drive();
    });
  }

  #settle(outcome: UdpOutcome): void {
    const waiting = this.#waiting.get(outcome.query);
    if (!waiting) return;
    this.#waiting.delete(outcome.query);
    const { tracker: { host }, to } = waiting;
    if ("reply" in outcome) waiting.resolve(outcome.reply);
    else if ("refusal" in outcome) waiting.reject(new TrackerError(outcome.refusal));
    else {
      const seconds = this.#options.timeout / SECOND;
      const where = host === to.key ? "" : ` (${to.key})`;
      waiting.reject(new TrackerError(`Tracker "${host}"${where} did not answer within ${seconds} s`));
    }
  }

  /** Why the shared port sends nothing there. */
  #refusal({ key, family, ip }: PeerAddress): string {
    const { addresses } = this.#options.udp;
    if (addresses.length === 0) return `Cannot send to ${key}: no UDP port is open, see "listen"`;
    if (!addresses.some((own) => own.family === family || own.ip === "::")) {
      return `Cannot send to ${key}: no IPv${family} address is listened on, see "listen"`;
    }
    const scope = ipScope(ip);
    const words = scope === "loopback" || scope === "private" ? `"${scope}" or "${ip}"` : `"${ip}"`;
    return `Cannot send to ${key}: it is not allowed here; list ${words} under egress.allow`;
  }
}

function merge(answers: readonly { readonly reply: UdpAnnounceReply; readonly from: string }[]): AnnounceAnswer {
  const most = (pick: (reply: UdpAnnounceReply) => number): number =>
    Math.max(...answers.map(({ reply }) => pick(reply)));
  const interval = most(({ interval }) => interval);
  const peers = new Map(answers.flatMap(({ reply }) => reply.peers).map((peer) => [peer.key, peer]));
  // Two addresses of one tracker, one of them more local: what both named together counts as from a stranger.
  const [{ from }, ...others] = answers;
  const same = others.every((other) => ipScope(other.from) === ipScope(from));
  return withoutUndefined({
    peers: [...peers.values()].slice(0, MAX_PEERS),
    interval: interval > 0 ? interval * SECOND : undefined,
    seeders: most(({ seeders }) => seeders),
    leechers: most(({ leechers }) => leechers),
    from: same ? from : undefined,
  });
}

/** Waits for `work` until `signal` aborts. */
function abortable<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
