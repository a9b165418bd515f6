/** Peers that break every promise of `ut_metadata`, as a seed has it. For tests. @module */
import type { Clock, ExtensionPeer, WireExtension } from "weft";
import type { SeededRandom } from "weft/testing";
import { decodeMetadataMessage, encodeMetadataMessage, METADATA_PIECE } from "./codec.ts";

/** What a liar may answer. */
const HABITS = [
  "truth",
  "false bytes",
  "other size",
  "short",
  "reject",
  "silence",
  "late",
  "twice",
  "unasked",
  "garbage",
  "asking back",
] as const;
export type Habit = typeof HABITS[number];

// Late answers come within this time (ms): before and after the machine has given them up.
const LATE = 40_000;
// More than is forgiven.
const MOST_UNASKED = 30;
const MOST_GARBAGE = 200;

/** Some habits of a liar. */
export function someHabits(random: SeededRandom): Habit[] {
  return Array.from({ length: 1 + random.below(3) }, () => HABITS[random.below(HABITS.length)]);
}

/** An extension with these habits, that takes its bytes from `truth`. */
export function liar(
  habits: readonly Habit[],
  truth: Uint8Array,
  random: SeededRandom,
): (clock: Clock) => WireExtension["join"] {
  return (clock) => (peer) => ({
    peerHandshake() {
      if (habits.includes("unasked") && random.below(4) === 0) send(peer, "unasked", 0);
    },
    message(payload) {
      const message = decodeMetadataMessage(payload);
      if (message?.type !== "request") return;
      const habit = habits[random.below(habits.length)];
      if (habit === "late") clock.after(random.below(LATE), () => send(peer, "truth", message.piece));
      else send(peer, habit, message.piece);
    },
  });

  function send(peer: ExtensionPeer, habit: Habit, piece: number): void {
    const totalSize = peer.metadata()!.length;
    // It may have said another size when it was asked.
    const bytes = new Uint8Array(Math.max(1, Math.min(METADATA_PIECE, totalSize - piece * METADATA_PIECE)));
    bytes.set(truth.subarray(piece * METADATA_PIECE, piece * METADATA_PIECE + bytes.length));
    const data = (more: { piece?: number; totalSize?: number; bytes?: Uint8Array } = {}): void =>
      peer.send(encodeMetadataMessage({ type: "data", piece, totalSize, bytes, ...more }));
    switch (habit) {
      case "truth":
        return data();
      case "false bytes":
        bytes[random.below(bytes.length)] ^= 1 << random.below(8);
        return data();
      case "other size":
        return data({ totalSize: random.below(2 * totalSize) });
      case "short":
        return data({ bytes: bytes.subarray(random.below(bytes.length)) });
      case "reject":
        return peer.send(encodeMetadataMessage({ type: "reject", piece: random.below(3) === 0 ? piece + 1 : piece }));
      case "twice":
        data();
        return data();
      case "unasked":
        for (let left = random.below(MOST_UNASKED); left >= 0; left--) {
          data({ piece: random.below(10), bytes: bytes.subarray(0, 100) });
        }
        return data();
      case "garbage":
        return peer.send(random.bytes(random.below(MOST_GARBAGE)));
      case "asking back":
        for (let left = random.below(5); left >= 0; left--) {
          peer.send(encodeMetadataMessage({ type: "request", piece: random.below(1_000) }));
        }
    }
  }
}
