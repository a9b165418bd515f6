/** One connection under a seed: cut, damaged, or ended where it pleases. For tests and `scripts/seeds.ts`. @module */
import { bytesEqual, type ByteStream, NetError, type OpenedStream, peerAddress, ProtocolError } from "weft";
import { createSimulation, watchHost } from "weft/testing";
import { SeededRandom } from "../../core/host/memory/random.ts";
import type { Cipher } from "./handshake.ts";
import { openAccepted, openDialed } from "./open.ts";
import { infoHash, otherHash, secretOf } from "./test_ends.ts";
import { WriteBuffers } from "./write_buffers.ts";

/** What happens to what the dialer sends. */
const FAULTS = ["none", "end", "flip", "insert", "drop", "garbage"] as const;
type Fault = typeof FAULTS[number];

const PORT = 6881;
// As the kernel bounds a handshake (ms).
const HANDSHAKE_TIMEOUT = 10_000;
// Longer than that, and than what follows it (ms of simulated time).
const LIMIT = 30_000;
// Handshakes are 130 to 1,300 bytes: faults fall into them, and into what follows.
const FAULT_WITHIN = 2_000;
const MOST_PAYLOAD = 3_000;
const CIPHERS: readonly (readonly Cipher[])[] = [["rc4"], ["plaintext"], ["rc4", "plaintext"], ["plaintext", "rc4"]];

/** How a seed ended. */
export interface SeedOutcome {
  readonly fault: Fault;
  /** Both ends agreed, and all that was sent came. */
  readonly whole: boolean;
}

/**
 * Connects two ends, and lets both send something and end.
 *
 * @throws {Error} what is wrong: bytes that came out of order, an error that blames the wrong one, an end that waits for
 * ever, or something left open
 */
export async function trySeed(seed: number): Promise<SeedOutcome> {
  using simulation = createSimulation({ seed });
  const random = new SeededRandom(`seed ${seed}`);
  const fault = FAULTS[random.below(FAULTS.length)];
  const there = simulation.host("b");
  const [a, b] = [watchHost(simulation.host("a")), watchHost(there)];
  const listener = await simulation.complete(b.host.net.listen({ ip: "0.0.0.0", port: PORT }));
  const connecting = a.host.net.connect(peerAddress(there.ip, PORT));
  const [dialed, accepted] = await simulation.complete(Promise.all([connecting, listener.accept()]));
  listener.close();

  const buffers = new WriteBuffers();
  const { signal } = new AbortController();
  const pick = (): readonly Cipher[] => CIPHERS[random.below(CIPHERS.length)];
  const swarms = random.below(20) === 0 ? [otherHash] : [otherHash, infoHash];
  const [offered, taken] = [pick(), pick()];
  const payloads = [random.bytes(random.below(MOST_PAYLOAD)), random.bytes(random.below(MOST_PAYLOAD))];
  const damagedStream = damaged(cut(dialed, random), fault, random);
  const dialer = exchange(
    damagedStream,
    () => openDialed(damagedStream, { infoHash, ciphers: offered, random }, buffers, signal),
    payloads[0],
  );
  const acceptedStream = cut(accepted, random);
  const options = { secretOf: secretOf(swarms), ciphers: taken, random };
  const acceptor = exchange(
    acceptedStream,
    () => openAccepted(acceptedStream, options, buffers, signal),
    payloads[1],
  );
  const timers = [dialed, accepted].map((stream, k) =>
    [a, b][k].host.clock.after(HANDSHAKE_TIMEOUT, () => stream.close(new ProtocolError("nothing within 10 s")))
  );
  const ends = await simulation.complete(Promise.all([dialer, acceptor]), { limitMs: LIMIT });
  for (const timer of timers) timer.cancel();

  const could = swarms.includes(infoHash) && offered.some((cipher) => taken.includes(cipher));
  ends.forEach(({ received, error }, k) => {
    const sent = payloads[1 - k];
    const blameless = error === undefined || error instanceof ProtocolError || error instanceof NetError;
    if (!blameless) throw new Error(`end ${k} failed by itself: ${error}`, { cause: error });
    // What the dialer sends may be damaged; what came to it may only be cut.
    const inOrder = received.length <= sent.length && bytesEqual(received, sent.subarray(0, received.length));
    if (!inOrder && (k === 0 || fault === "none" || fault === "end")) {
      throw new Error(`end ${k} got other bytes than were sent`);
    }
  });
  const whole = ends.every(({ received, error }, k) => !error && bytesEqual(received, payloads[1 - k]));
  if (fault === "none" && whole !== could) throw new Error(could ? "they did not agree" : "they agreed on nothing");
  const left = [...a.open(), ...b.open()];
  if (left.length > 0) throw new Error(`left open: ${left.join(", ")}`);
  return { fault, whole };
}

/** Opens, sends, ends, and reads until the other side ends; then closes. */
async function exchange(
  raw: ByteStream,
  open: () => Promise<OpenedStream>,
  payload: Uint8Array,
): Promise<{ received: Uint8Array; error?: unknown }> {
  const into = new Uint8Array(2 * MOST_PAYLOAD);
  let length = 0;
  try {
    const { stream } = await open();
    await stream.write(payload);
    await stream.closeWrite();
    for (let got; (got = await stream.read(into.subarray(length))) > 0;) length += got;
    stream.close();
    return { received: into.subarray(0, length) };
  } catch (error) {
    raw.close();
    return { received: into.subarray(0, length), error };
  }
}

/** The stream whose reads give as little as they please. */
function cut(stream: ByteStream, random: SeededRandom): ByteStream {
  const most = 1 + random.below(random.below(2) === 0 ? 16 : 2_000);
  return over(stream, {
    read: (into) => stream.read(into.subarray(0, 1 + random.below(Math.min(most, into.length)))),
  });
}

/** The stream with a fault somewhere in what is written. */
function damaged(stream: ByteStream, fault: Fault, random: SeededRandom): ByteStream {
  let at = random.below(FAULT_WITHIN);
  let happened = false;
  return over(stream, {
    async write(bytes) {
      if (happened || fault === "none") return await stream.write(bytes);
      if (at >= bytes.length) {
        at -= bytes.length;
        return await stream.write(bytes);
      }
      happened = true;
      const [before, after] = [bytes.slice(0, at), bytes.slice(at)];
      if (before.length > 0) await stream.write(before);
      const noise = random.bytes(1 + random.below(1_000));
      if (fault === "end") await stream.closeWrite();
      else if (fault === "garbage") await stream.write(noise);
      else if (fault === "drop") await stream.write(after.subarray(Math.min(after.length, noise.length)));
      else if (fault === "insert") await stream.write(Uint8Array.of(...noise, ...after));
      else {
        after[0] ^= 1 << random.below(8);
        await stream.write(after);
      }
    },
  });
}

function over(stream: ByteStream, change: Partial<ByteStream>): ByteStream {
  return {
    local: stream.local,
    remote: stream.remote,
    read: (into) => stream.read(into),
    unread: (bytes) => stream.unread(bytes),
    write: (bytes) => stream.write(bytes),
    closeWrite: () => stream.closeWrite(),
    close: (reason) => stream.close(reason),
    ...change,
  };
}
