/**
 * Holepunching: peers behind routers that let nobody in dial each other at the same time, as a third one tells them to
 * (BEP 55).
 *
 * @module
 */
import {
  definePlugin,
  type ExtensionPeer,
  object,
  type PeerAddress,
  type PeerExtension,
  peerUnreachable,
  type PluginScope,
  swarmRemoved,
  type Timer,
  wireExtensions,
} from "weft";
import { decodeHolepunch, encodeHolepunch } from "./codec.ts";
import { Punch, type PunchOrder } from "./punch.ts";

type Scope = PluginScope<Readonly<Record<never, never>>>;

export default definePlugin({
  name: "holepunch",
  summary: "Reaches peers behind routers that let nobody in, by way of peers connected to both",
  config: object({}),
  example: {},
  needs: ["transports:utp"],
  provides: ["wire.extension", "wire.extension:ut_holepunch"],
  setup(plugin: Scope) {
    const meetings = new Meetings(plugin);
    plugin.provide(wireExtensions, "ut_holepunch", {
      publicOnly: true,
      join: (peer) => peer.private ? undefined : meetings.join(peer),
    });
    plugin.on(swarmRemoved, ({ id }) => meetings.forget(id.wireIds[0].hex));
    plugin.on(
      peerUnreachable,
      ({ id, address, namedBy }) =>
        meetings.follow(id.wireIds[0].hex, (punch, now) => punch.handleUnreachable(now, address, namedBy)),
    );
  },
});

/** The machines of all swarms, and the timer that drives them. */
class Meetings {
  readonly #scope: Scope;
  readonly #swarms = new Map<string, Punch<ExtensionPeer>>();
  #timer: Timer | undefined;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  join(peer: ExtensionPeer): PeerExtension {
    const now = this.#scope.clock.now();
    const id = peer.id.wireIds[0].hex;
    const punch = this.#swarms.get(id) ?? new Punch<ExtensionPeer>(now);
    this.#swarms.set(id, punch);
    punch.join(now, peer);
    return {
      peerHandshake: (offered) => punch.handleOffer(peer, offered),
      message: (payload) => {
        const message = decodeHolepunch(payload);
        if (message) this.follow(id, (punch, now) => punch.handleMessage(now, peer, message, this.#isOwn));
      },
      closed: () => this.follow(id, (punch, now) => punch.leave(now, peer)),
    };
  }

  /** A swarm is gone. While it is here its machine stays: whoever leaves and comes back finds no new allowances. */
  forget(id: string): void {
    this.#swarms.delete(id);
  }

  /** Does what a swarm's machine says. Of private swarms, one whose metadata came late perhaps, it says nothing. */
  follow(id: string, ask: (punch: Punch<ExtensionPeer>, now: number) => readonly PunchOrder<ExtensionPeer>[]): void {
    const { clock, swarms, log } = this.#scope;
    const punch = this.#swarms.get(id);
    if (!punch) return;
    const orders = ask(punch, clock.now());
    if (orders.length > 0 && swarms.get(id)) {
      for (const order of orders) {
        if ("dial" in order) {
          log.debug(`Dials ${order.dial.key}, as ${order.peer.address.key} says`);
          order.peer.dialNow(order.dial, "utp");
        } else order.peer.send(encodeHolepunch(order.send));
      }
    }
    this.#arm();
  }

  readonly #isOwn = ({ key }: PeerAddress): boolean => this.#scope.udp.addresses.some((own) => own.key === key);

  #arm(): void {
    const { clock } = this.#scope;
    this.#timer?.cancel();
    this.#timer = undefined;
    let due = Infinity;
    for (const punch of this.#swarms.values()) due = Math.min(due, punch.pollTimeout());
    if (due === Infinity) return;
    this.#timer = clock.after(Math.max(0, due - clock.now()), () => {
      for (const id of [...this.#swarms.keys()]) this.follow(id, (punch, now) => punch.handleTimeout(now));
    });
  }
}
