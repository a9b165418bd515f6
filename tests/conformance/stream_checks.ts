/** What every `ByteStream` owes, whoever gave it: a transport, or encryption over one. @module */
import type { ByteStream } from "../../core/api/mod.ts";
import type { Simulation } from "../../core/host/memory/mod.ts";
import { noise } from "../testing/mod.ts";
import { expect, type Outcome, told, watch } from "./check.ts";

/** Two ends of one stream. */
export interface StreamPair {
  readonly simulation: Simulation;
  readonly ends: readonly [ByteStream, ByteStream];
}

/** One thing that is proven of streams. */
export interface StreamCheck {
  /** As the end of a sentence that begins with `its streams`. */
  readonly name: string;
  run(pair: StreamPair): Promise<void>;
}

// Much more than any window or queue on the way holds.
const BULK = 1024 * 1024;
// No divisor of anything, so that boundaries fall everywhere.
const CHUNK = 10_007;
// More than a stream may take from a writer whom nobody reads: memory would be filled by slow peers.
const MAX_UNREAD = 16 * 1024 * 1024;
// Whatever travels is there by then (ms of simulated time).
const ARRIVAL = 60_000;

/** Checks of streams; each gets a pair of its own. */
export const streamChecks: readonly StreamCheck[] = [
  {
    name: "carry what is written, whole and in order, both ways at once",
    async run({ simulation, ends: [a, b] }) {
      const [up, down] = [noise(BULK, 1), noise(BULK, 2)];
      const work = Promise.all([writeAll(a, up), writeAll(b, down), readExactly(b, BULK), readExactly(a, BULK)]);
      const [, , gotUp, gotDown] = await simulation.complete(work);
      for (const [sent, got] of [[up, gotUp], [down, gotDown]]) {
        const wrong = sent.findIndex((byte, i) => got[i] !== byte);
        expect(
          wrong < 0,
          `gave ${got.length} of ${sent.length} bytes, the first wrong one at ${wrong}`,
          "all bytes as written; a buffer may be used again once its write has settled",
        );
      }
    },
  },
  {
    name: "end one direction and go on in the other",
    async run({ simulation, ends: [a, b] }) {
      await simulation.complete(a.write(Uint8Array.of(1, 2, 3)));
      await simulation.complete(a.closeWrite());
      const got = await within(simulation, readToEnd(b));
      expect(got !== undefined, "did not end for the reader after closeWrite()", "a read of 0");
      expect(got.length === 3, `lost ${3 - got.length} of 3 bytes before closeWrite()`, "what was written to arrive");
      const back = Promise.all([b.write(Uint8Array.of(4, 5)), readExactly(a, 2)]);
      const outcome = await settle(simulation, back);
      expect(
        outcome.state === "resolved" && outcome.value[1].length === 2,
        "carried nothing back after the other direction ended",
        "the other direction to go on",
      );
    },
  },
  {
    name: "close with a reason, once, and tell the other end",
    async run({ simulation, ends: [a, b] }) {
      const reason = new Error("enough");
      const pending = watch(a.read(new Uint8Array(10)));
      const other = watch(b.read(new Uint8Array(10)));
      await simulation.run(100);
      a.close(reason);
      a.close(new Error("again"));
      await simulation.run(ARRIVAL);
      const first = pending();
      expect(
        first.state === "rejected" && first.error === reason,
        `closed, and the pending read ${told(first)}`,
        "a rejection with the reason given to close()",
      );
      const calls: (() => Promise<unknown>)[] = [
        () => a.read(new Uint8Array(1)),
        () => a.write(Uint8Array.of(1)),
        () => a.closeWrite(),
      ];
      for (const call of calls) {
        const late = await settle(simulation, attempt(call));
        expect(
          late.state === "rejected" && late.error === reason,
          `closed, and a later call ${told(late)}`,
          "a rejection with the first reason",
        );
      }
      const end = other();
      expect(
        end.state === "rejected" || end.state === "resolved" && end.value === 0,
        `closed, and a read at the other end ${told(end)}`,
        "0 or a rejection there",
      );
    },
  },
  {
    name: "give back what was unread, first and as a copy",
    async run({ simulation, ends: [a, b] }) {
      await simulation.complete(a.write(Uint8Array.of(1, 2, 3, 4, 5, 6)));
      const got = await simulation.complete(readExactly(b, 4));
      b.unread(got.subarray(2));
      b.unread(got.subarray(0, 2));
      got.fill(99);
      const again = await within(simulation, readExactly(b, 6));
      expect(
        again?.join() === "1,2,3,4,5,6",
        `gave ${again?.join() ?? "nothing"} after 3, 4 and then 1, 2 were unread`,
        "1,2,3,4,5,6",
      );
    },
  },
  {
    name: "hold their writer back while nobody reads",
    async run({ simulation, ends: [a, b] }) {
      const chunk = new Uint8Array(64 * 1024);
      let written = 0;
      let writing = watch(a.write(chunk));
      for (;;) {
        await simulation.run(2_000);
        const outcome = writing();
        if (outcome.state === "pending") break;
        expect(outcome.state === "resolved", `failed while nobody read: a write ${told(outcome)}`, "that it waits");
        written += chunk.length;
        expect(
          written <= MAX_UNREAD,
          `took ${written} bytes that nobody read`,
          `that write() waits, before ${MAX_UNREAD} bytes`,
        );
        writing = watch(a.write(chunk));
      }
      const rest = await within(simulation, readExactly(b, written + chunk.length));
      expect(
        rest?.length === written + chunk.length && writing().state === "resolved",
        "did not go on when it was read again",
        "the write that waited to end",
      );
    },
  },
];

/** Writes everything, from one buffer that is used again and again. */
async function writeAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const part = bytes.subarray(at, at + CHUNK);
    buffer.set(part);
    await stream.write(buffer.subarray(0, part.length));
  }
}

/** Reads `length` bytes, or fewer where the stream ends. */
export async function readExactly(stream: ByteStream, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = await stream.read(bytes.subarray(filled, filled + 4096));
    if (got === 0) break;
    filled += got;
  }
  return bytes.subarray(0, filled);
}

async function readToEnd(stream: ByteStream): Promise<Uint8Array> {
  return await readExactly(stream, BULK);
}

async function attempt<T>(call: () => Promise<T>): Promise<T> {
  return await call();
}

/** What becomes of `work` within `limit` milliseconds of simulated time; what travels has arrived by then. */
export async function settle<T>(simulation: Simulation, work: Promise<T>, limit = ARRIVAL): Promise<Outcome<T>> {
  const outcome = watch(work);
  const until = simulation.now + limit;
  while (outcome().state === "pending" && simulation.now < until) await simulation.run(100);
  return outcome();
}

async function within<T>(simulation: Simulation, work: Promise<T>): Promise<T | undefined> {
  const outcome = await settle(simulation, work);
  return outcome.state === "resolved" ? outcome.value : undefined;
}
