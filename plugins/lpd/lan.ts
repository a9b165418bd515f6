import type { DatagramSocket, NetworkInterface, PeerAddress, PluginScope } from "weft";
import { NetError, peerAddress } from "weft";
import { encodeAnnounce, groups, type LpdAnnounce } from "./codec.ts";

// Networks come and go (a cable, a wireless network): how often to look (ms).
const LOOK_INTERVAL = 60_000;
// An announce of whatever client fits; what is longer is cut, and then no announce.
const BUFFER = 2048;
// So many datagrams are taken before everybody else has a turn.
const RUN = 32;

/** What {@link Lan} tells. */
export interface LanEvents {
  /** A datagram came; `bytes` holds only during the call. */
  heard(bytes: Uint8Array, from: PeerAddress): void;
  /** There are other networks than before, so neighbours may be others. */
  changed(): void;
}

/** The groups of both families, joined on the interfaces that there are. */
export class Lan {
  readonly #plugin: Pick<PluginScope, "net" | "clock" | "log" | "signal">;
  readonly #names: readonly string[];
  readonly #events: LanEvents;
  readonly #sockets = new Map<4 | 6, { readonly socket: DatagramSocket; readonly joined: string }>();
  readonly #said = new Set<string>();
  #looked = false;

  /** `names` are the interfaces to use; without any, those that have neighbours. */
  constructor(
    plugin: Pick<PluginScope, "net" | "clock" | "log" | "signal">,
    names: readonly string[],
    events: LanEvents,
  ) {
    this.#plugin = plugin;
    this.#names = names;
    this.#events = events;
  }

  /** Whether anybody could hear. */
  get joined(): boolean {
    return this.#sockets.size > 0;
  }

  /** Joins, and looks again from time to time until the entry is retired. Resolves after the first look. */
  async run(): Promise<void> {
    const { net, clock, log, signal } = this.#plugin;
    if (signal.aborted) return;
    try {
      const interfaces = this.#choose(await net.interfaces());
      for (const family of [4, 6] as const) await this.#join(family, interfaces.filter((each) => speaks(each, family)));
    } catch (error) {
      if (signal.aborted) return;
      this.#sayOnce(`Cannot look for networks: ${error instanceof Error ? error.message : error}`, log.warn);
    }
    this.#looked = true;
    clock.after(LOOK_INTERVAL, () => void this.run());
  }

  /** Sends an announce to both groups. */
  send(announce: LpdAnnounce): void {
    for (const [family, { socket }] of this.#sockets) {
      socket.send(encodeAnnounce(family, announce), socket.address).catch((error) => {
        if (!this.#plugin.signal.aborted) this.#sayOnce(`Cannot announce: ${error.message}`, this.#plugin.log.info);
      });
    }
  }

  #choose(interfaces: readonly NetworkInterface[]): NetworkInterface[] {
    const { log } = this.#plugin;
    const chosen = suitable(interfaces, this.#names);
    const unlisted = chosen.some(({ name }) => name === "");
    if (unlisted) {
      const why = this.#names.length > 0 ? ` instead of ${this.#names.map((name) => `"${name}"`).join(", ")}` : "";
      this.#sayOnce(
        `Uses the interface of the default route${why}: others may not be listed without --allow-sys=networkInterfaces`,
        log.info,
      );
    }
    for (const name of unlisted ? [] : this.#names) {
      if (chosen.some((each) => each.name === name)) continue;
      const known = interfaces.map(({ name }) => `"${name}"`).join(", ");
      this.#sayOnce(`Cannot use interface "${name}": it is not up, there are ${known}`, log.warn);
    }
    return chosen;
  }

  /** Has the family's group joined on these interfaces and no others. */
  async #join(family: 4 | 6, interfaces: readonly NetworkInterface[]): Promise<void> {
    const { net, log, signal } = this.#plugin;
    const before = this.#sockets.get(family);
    const joined = JSON.stringify(interfaces.map(({ name, ips }) => [name, [...ips].sort()]));
    if (before?.joined === joined) return;
    this.#sockets.delete(family);
    before?.socket.close();
    if (interfaces.length === 0) return;
    const { ip: group, port } = groups[family];
    try {
      const socket = await net.multicast({ group, port, interfaces });
      if (signal.aborted) return socket.close();
      this.#sockets.set(family, { socket, joined });
      void this.#listen(family, socket);
      if (this.#looked) this.#events.changed();
    } catch (error) {
      if (signal.aborted) return;
      // What the user forbade, or the network doesn't have, is no surprise.
      const expected = error instanceof NetError && (error.fault === "denied" || error.fault === "unreachable");
      const message = `Cannot hear neighbours: ${error instanceof Error ? error.message : error}`;
      this.#sayOnce(message, expected ? log.info : log.warn);
    }
  }

  async #listen(family: 4 | 6, socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(BUFFER);
    try {
      for (let run = 1;; run++) {
        const { bytes, from } = await socket.receive(buffer);
        this.#events.heard(bytes, from);
        if (run % RUN === 0) await this.#plugin.clock.turn();
      }
    } catch (error) {
      if (!(error instanceof NetError)) this.#plugin.log.error(`Cannot take an announce: ${error}`);
      // Closed by us, or broken: then the next look opens another.
      if (this.#sockets.get(family)?.socket === socket) this.#sockets.delete(family);
      socket.close();
    }
  }

  #sayOnce(message: string, say: (message: string) => void): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    say.call(this.#plugin.log, message);
  }
}

/** The interfaces that have neighbours, or this machine's own when there is no other; those named, if any are. */
export function suitable(interfaces: readonly NetworkInterface[], names: readonly string[]): NetworkInterface[] {
  const unlisted = interfaces.filter(({ name }) => name === "");
  if (unlisted.length > 0) return unlisted;
  if (names.length > 0) return interfaces.filter(({ name }) => names.includes(name));
  const lans = interfaces.filter(({ loopback, tunnel }) => !loopback && !tunnel);
  return lans.length > 0 ? lans : interfaces.filter(({ loopback }) => loopback);
}

function speaks({ name, ips }: NetworkInterface, family: 4 | 6): boolean {
  return name === "" || ips.some((ip) => peerAddress(ip, 1).family === family);
}
