/**
 * PEX on all sessions: who speaks when, and what the sessions of a swarm share.
 *
 * @module
 */
import { type ExtensionPeer, type PeerExtension, type PluginScope, type Timer, TokenBucket } from "weft";
import { Roster } from "./roster.ts";
import { PexSession, type SessionRecord, SWARM_NAMED } from "./session.ts";

// How often it is looked who is due (ms).
const TICK = 1_000;
// Messages of one tick, where many peers came at once: it must not hold up the thread. All have their turn in less than
// the minute that BEP 11 sets.
const LEAST_PER_TICK = 4;
const TICKS_FOR_ALL = 50;

/** What all sessions of one swarm share. */
interface SwarmPex {
  readonly roster: Roster;
  readonly named: TokenBucket;
  /** Sessions that use it. */
  users: number;
  /** When the roster was brought up to date, in milliseconds. */
  lookedAt: number;
}

/** One session, and its swarm. */
interface Speaker {
  readonly peer: ExtensionPeer;
  readonly session: PexSession;
  readonly swarm: SwarmPex;
}

/** What an exchange needs of the plugin's scope. */
export type ExchangeScope = Pick<PluginScope, "clock" | "random" | "log" | "swarms">;

/** Plain data of all sessions, by name, for the next generation of the plugin. */
export type ExchangeRecords = readonly (readonly [name: string, record: SessionRecord])[];

/** All sessions that exchange peers. */
export class Exchange {
  readonly #scope: ExchangeScope;
  readonly #speakers = new Set<Speaker>();
  readonly #swarms = new Map<string, SwarmPex>();
  /** Of sessions that the generation before had, and that didn't begin anew yet. */
  readonly #records: Map<string, SessionRecord>;
  #timer: Timer | undefined;

  /** @param records what the generation before saved: its sessions go on, and hear neither all again nor too soon */
  constructor(scope: ExchangeScope, records: ExchangeRecords = []) {
    this.#scope = scope;
    this.#records = new Map(records);
  }

  /** What the next generation goes on from. */
  save(): ExchangeRecords {
    return [...this.#speakers].map(({ peer, session }) => [nameOf(peer), session.save()]);
  }

  /** Takes part in a session, unless its swarm is private. */
  join(peer: ExtensionPeer): PeerExtension | undefined {
    if (peer.private) return undefined;
    const { clock, random } = this.#scope;
    const name = nameOf(peer);
    const record = this.#records.get(name);
    this.#records.delete(name);
    const session = new PexSession({ now: clock.now(), ip: peer.address.ip, random, record });
    const speaker = { peer, session, swarm: this.#enter(peer.id.hex) };
    this.#speakers.add(speaker);
    this.#timer ??= clock.after(TICK, () => this.#tick());
    return {
      peerHandshake: (offered) => session.handleOffer(clock.now(), offered),
      message: (payload) => this.#hear(speaker, payload),
      closed: () => this.#leave(speaker),
    };
  }

  #enter(id: string): SwarmPex {
    let swarm = this.#swarms.get(id);
    if (!swarm) {
      const named = new TokenBucket(this.#scope.clock.now(), SWARM_NAMED);
      this.#swarms.set(id, swarm = { roster: new Roster(), named, users: 0, lookedAt: -Infinity });
    }
    swarm.users++;
    return swarm;
  }

  #leave(speaker: Speaker): void {
    if (!this.#speakers.delete(speaker)) return;
    const { peer, session: { heard }, swarm } = speaker;
    if (--swarm.users === 0) this.#swarms.delete(peer.id.hex);
    if (this.#speakers.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    if (heard.taken === heard.named && heard.ignored === 0) return;
    this.#scope.log.debug(
      `${peer.address.key} named ${heard.named} peers, of which ${heard.taken} were taken, ` +
        `in ${heard.messages} messages, of which ${heard.ignored} came too soon`,
    );
  }

  #hear(speaker: Speaker, payload: Uint8Array): void {
    if (!this.#speakers.has(speaker)) return;
    const { peer, session, swarm } = speaker;
    const { clock, swarms } = this.#scope;
    const seeding = swarms.get(peer.id.wireIds[0].hex)?.seeding ?? false;
    const found = session.handleMessage(clock.now(), payload, { swarm: swarm.named, seeding });
    if (found.length > 0) peer.found(found);
  }

  #tick(): void {
    const { clock } = this.#scope;
    const now = clock.now();
    this.#timer = clock.after(TICK, () => this.#tick());
    // Sessions that were live at the reload have begun anew by now.
    this.#records.clear();
    let turns = Math.max(LEAST_PER_TICK, Math.ceil(this.#speakers.size / TICKS_FOR_ALL));
    for (const speaker of this.#speakers) {
      if (speaker.session.due > now) continue;
      if (turns-- === 0) break;
      // To the end of the line: the next tick begins with those who had no turn.
      this.#speakers.delete(speaker);
      this.#speakers.add(speaker);
      this.#speak(now, speaker);
    }
  }

  /** Tells a peer what it doesn't know. */
  #speak(now: number, { peer, session, swarm }: Speaker): void {
    if (swarm.lookedAt !== now) {
      swarm.roster.update(peer.connected());
      swarm.lookedAt = now;
    }
    const message = session.poll(now, swarm.roster, peer.listening());
    if (message) peer.send(message);
  }
}

/** A session's name, the same in the next generation. */
function nameOf({ id, address }: ExtensionPeer): string {
  return `${id.hex} ${address.key}`;
}
