/**
 * PEX: peers tell each other whom they are connected to (BEP 11).
 *
 * @module
 */
import {
  definePlugin,
  type ExtensionPeer,
  object,
  type PeerExtension,
  type PluginScope,
  type Timer,
  wireExtensions,
} from "weft";
import { Budget } from "./budget.ts";
import { Roster } from "./roster.ts";
import { PexSession, type SessionRecord, SWARM_NAMED } from "./session.ts";

// How often it is looked who is due (ms).
const TICK = 1_000;
// Messages of one tick, where many peers came at once: it must not hold up the thread. All have their turn in half a
// minute.
const LEAST_PER_TICK = 8;
const TICKS_FOR_ALL = 30;

/** What all sessions of one swarm share. */
interface SwarmPex {
  readonly roster: Roster;
  readonly named: Budget;
  /** Sessions that use it. */
  users: number;
  /** When the roster was brought up to date, in milliseconds. */
  lookedAt: number;
}

/** One session with its swarm. */
interface Speaker {
  readonly peer: ExtensionPeer;
  readonly session: PexSession;
  readonly swarm: SwarmPex;
}

export default definePlugin({
  name: "pex",
  summary: "Exchanges peers with the peers it is connected to",
  config: object({}),
  example: {},
  needs: ["transports"],
  provides: ["wire.extension", "wire.extension:ut_pex"],
  setup(plugin: PluginScope<Readonly<Record<never, never>>>) {
    plugin.provide(wireExtensions, "ut_pex", pexExtension(plugin));
  },
});

function pexExtension(plugin: PluginScope): (peer: ExtensionPeer) => PeerExtension | undefined {
  const { clock, random, log } = plugin;
  const speakers = new Set<Speaker>();
  const swarms = new Map<string, SwarmPex>();
  let timer: Timer | undefined;
  // Peers must hear neither all of it again after a reload, nor two messages within a minute.
  const records = new Map(
    plugin.carry(
      "sessions",
      1,
      () => [...speakers].map(({ peer, session }) => [nameOf(peer), session.save()] as const),
    ),
  );

  const enter = ({ id: { hex } }: ExtensionPeer): SwarmPex => {
    const swarm = swarms.get(hex) ??
      { roster: new Roster(), named: new Budget(clock.now(), SWARM_NAMED), users: 0, lookedAt: -Infinity };
    swarms.set(hex, swarm);
    swarm.users++;
    return swarm;
  };

  const leave = (speaker: Speaker): void => {
    const { peer, session: { heard }, swarm } = speaker;
    if (!speakers.delete(speaker)) return;
    if (--swarm.users === 0) swarms.delete(peer.id.hex);
    if (speakers.size === 0) timer?.cancel();
    if (heard.taken === heard.named && heard.ignored === 0) return;
    log.debug(
      `${peer.address.key} named ${heard.named} peers, of which ${heard.taken} were taken, ` +
        `in ${heard.messages} messages, of which ${heard.ignored} came too soon`,
    );
  };

  const tick = (): void => {
    // Sessions that were live at the reload have begun anew by now.
    records.clear();
    const now = clock.now();
    let turns = Math.max(LEAST_PER_TICK, Math.ceil(speakers.size / TICKS_FOR_ALL));
    for (const speaker of speakers) {
      if (speaker.session.due > now) continue;
      if (turns-- === 0) break;
      // To the end of the line: the next tick begins with those who had no turn.
      speakers.delete(speaker);
      speakers.add(speaker);
      speak(now, speaker);
    }
    timer = clock.after(TICK, tick);
  };

  return (peer) => {
    if (peer.private) return undefined;
    const name = nameOf(peer);
    const record: SessionRecord | undefined = records.get(name);
    records.delete(name);
    const session = new PexSession({ now: clock.now(), ip: peer.address.ip, random, record });
    const speaker = { peer, session, swarm: enter(peer) };
    if (speakers.size === 0) timer = clock.after(TICK, tick);
    speakers.add(speaker);
    return {
      peerHandshake: (offered) => session.handleOffer(clock.now(), offered),
      message(payload) {
        if (!speakers.has(speaker)) return;
        const seeding = plugin.swarms.get(peer.id.wireIds[0].hex)?.seeding ?? false;
        const found = session.handleMessage(clock.now(), payload, { swarm: speaker.swarm.named, seeding });
        if (found.length > 0) peer.found(found);
      },
      closed: () => leave(speaker),
    };
  };
}

/** Tells a peer what it doesn't know. */
function speak(now: number, { peer, session, swarm }: Speaker): void {
  if (swarm.lookedAt !== now) {
    swarm.roster.update(peer.connected());
    swarm.lookedAt = now;
  }
  const message = session.poll(now, swarm.roster, peer.listening());
  if (message) peer.send(message);
}

/** A session's name, the same in the next generation. */
function nameOf({ id, address }: ExtensionPeer): string {
  return `${id.hex} ${address.key}`;
}
