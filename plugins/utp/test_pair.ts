/** Two connections over a link that a seed decides on, in simulated time. @module */
import { Connection } from "./connection.ts";
import { PacketType, readPacket } from "./packet.ts";
import { SegmentPool } from "./segment.ts";

/** What the link does to datagrams. */
export interface Weather {
  /** Milliseconds one way, and how much more at random, which reorders them. */
  readonly delay: number;
  readonly jitter: number;
  /** Shares, 0 to 1. */
  readonly loss: number;
  readonly duplicate: number;
  /** Bytes of the largest datagram that arrives. */
  readonly mtu: number;
}

/** What became of a conversation. */
export interface Outcome {
  /** Milliseconds that it took. */
  readonly time: number;
  /** What went wrong that must not: nothing, if all is well. */
  readonly fault: string | undefined;
  /** All bytes arrived, both ways. */
  readonly complete: boolean;
}

interface End {
  connection: Connection;
  readonly sends: Uint8Array;
  readonly expects: Uint8Array;
  written: number;
  got: number;
  wrong: boolean;
  proven: boolean;
}

// What gets no further for so long (ms) hangs: the timeouts of a dead connection are shorter.
const LIMIT = 600_000;

/** Random numbers from 0 to 1 that follow from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Weather as bad as the seed makes it. */
export function weatherOf(random: () => number): Weather {
  return {
    delay: random() * 150,
    jitter: random() < 0.5 ? 0 : random() * 50,
    loss: random() < 0.2 ? 0 : random() ** 2 * 0.5,
    duplicate: random() < 0.5 ? 0 : random() * 0.3,
    mtu: random() < 0.3 ? 548 + Math.floor(random() * 925) : 1_472,
  };
}

/** Has two ends dial, write all at once both ways, and close; checks what comes. */
export function converse(seed: number, weather?: Weather): Outcome {
  const random = seeded(seed);
  const { delay, jitter, loss, duplicate, mtu } = weather ?? weatherOf(random);
  const pool = new SegmentPool(() => true);
  const sizes = [0, 1].map(() => Math.floor(random() ** 4 * 300_000));
  const [up, down] = sizes.map((size) => new Uint8Array(size).map(() => Math.floor(random() * 256)));
  const seq = Math.floor(random() * 0x10000);
  const path: { readonly at: number; readonly order: number; readonly to: number; readonly bytes: Uint8Array }[] = [];
  let [now, order] = [Math.floor(random() * 1e9), 0];
  const began = now;
  const ends: (End | undefined)[] = [
    end(new Connection({ now, family: 4, receiveId: 7, sendId: 8, seq, pool }), up, down, true),
    undefined,
  ];
  const send = (from: number, bytes: Uint8Array): void => {
    if (bytes.length > mtu || random() < loss) return;
    for (let copies = random() < duplicate ? 2 : 1; copies > 0; copies--) {
      path.push({ at: now + delay + random() * jitter, order: order++, to: 1 - from, bytes: bytes.slice() });
    }
    path.sort((a, b) => a.at - b.at || a.order - b.order);
  };
  const into = new Uint8Array(1 + Math.floor(random() * 20_000));
  const work = (side: number): void => {
    const it = ends[side];
    if (!it) return;
    const { connection } = it;
    // As the endpoint has it: who dialed is answered with data once it has shown that it gets our answers.
    if (it.proven && it.written < it.sends.length) it.written += connection.write(it.sends.subarray(it.written));
    if (it.proven && it.written === it.sends.length) connection.finish();
    while (connection.readable > 0) {
      const count = connection.read(into);
      for (let i = 0; i < count; i++) it.wrong ||= into[i] !== it.expects[it.got + i];
      it.got += count;
    }
    if (connection.ended && it.written === it.sends.length) connection.close(now);
    for (let bytes = connection.pollTransmit(now); bytes; bytes = connection.pollTransmit(now)) send(side, bytes);
  };
  // Whom nobody has answered is known to no endpoint.
  const over = (): boolean => ends.every((it) => !it?.proven || it.connection.state === "closed");
  let [progress, progressAt] = [0, now];
  while (!over() || path.length > 0) {
    work(0);
    work(1);
    const timers = ends.map((it) => it?.connection.pollTimeout() ?? Infinity);
    const next = Math.min(path[0]?.at ?? Infinity, ...timers);
    if (next === Infinity) break;
    now = Math.max(now, next);
    const reached = ends.reduce((sum, it) => sum + (it ? it.got + it.written + Number(it.proven) : 0), 0);
    if (reached !== progress) [progress, progressAt] = [reached, now];
    if (now - progressAt > LIMIT) return { time: now - began, fault: "it hangs", complete: false };
    if (path.length > 0 && path[0].at <= now) {
      const { to, bytes } = path.shift()!;
      const packet = readPacket(bytes);
      if (!packet) return { time: now - began, fault: "a packet that can't be read", complete: false };
      if (to === 1 && !ends[1] && packet.type === PacketType.syn) {
        const accepted = { seq: packet.seq + 1 & 0xffff, window: packet.window };
        const connection = new Connection({
          now,
          family: 4,
          receiveId: 8,
          sendId: 7,
          seq: ~seq & 0xffff,
          pool,
          accepted,
        });
        ends[1] = end(connection, down, up, false);
      }
      if (ends[to] && packet.type !== PacketType.syn) ends[to].proven = true;
      ends[to]?.connection.handlePacket(now, packet, bytes);
    } else {
      for (const it of ends) if (it && it.connection.pollTimeout() <= now) it.connection.handleTimeout(now);
    }
  }
  const [a, b] = ends;
  const complete = b !== undefined && a!.got === down.length && b.got === up.length;
  const failed = ends.some((it) => !it?.proven || it.connection.error !== undefined);
  const fault = ends.some((it) => it?.wrong)
    ? "bytes are wrong"
    : pool.used !== 0
    ? `${pool.used} packets leak`
    : !complete && !failed
    ? `it ended without an error, ${a!.got} of ${down.length} and ${b?.got} of ${up.length} bytes there`
    : undefined;
  return { time: now - began, fault, complete };
}

function end(connection: Connection, sends: Uint8Array, expects: Uint8Array, proven: boolean): End {
  return { connection, sends, expects, written: 0, got: 0, wrong: false, proven };
}
