/**
 * Fifty peers that send one kind of message without end, beside an honest peer that takes 24 MiB/s from the same seed.
 * For each kind: what the honest peer gets, and the longest stall of the seed's main thread. An attack may cost the
 * honest no more than 15 %, nor stall the seed for more than 20 ms.
 *
 * `deno task hostile messages [KIND ...]`
 *
 * @module
 */
import { encode, type MessageWriter } from "../../core/wire/mod.ts";
import { sleep } from "../bench/swarm.ts";
import { makeZeros, rateSince, RawPeer, seedZeros, takeZeros, worstStall } from "./victim.ts";

const ATTACKERS = 50;
const RATE = 24 * 1024 * 1024;
// Bytes a second of one attacker, 5 MB/s in all.
const ATTACK_RATE = 100_000;
const SETTLE = 2_500;
const MEASURE = 4_000;
const LEAST_SHARE = 0.85;
const WORST_STALL = 20;

const pex = encode({ added: new Uint8Array(6 * 50).map((_, i) => 1 + i % 200), "added.f": new Uint8Array(50) });

/** What an attacker writes, again and again. */
const kinds: Readonly<Record<string, (writer: MessageWriter, i: number) => void>> = {
  interest(writer) {
    writer.interested();
    writer.notInterested();
  },
  choke(writer) {
    writer.unchoke();
    writer.choke();
  },
  have: (writer, i) => writer.have(i % 64),
  bitfield: (writer) => writer.bitfield(new Uint8Array(256)),
  request: (writer, i) => writer.request(i % 64, 0, 16_384),
  "request and cancel"(writer, i) {
    writer.request(i % 64, 0, 16_384);
    writer.cancel(i % 64, 0, 16_384);
  },
  reject: (writer, i) => writer.reject(i % 64, 0, 16_384),
  "allowed fast": (writer, i) => writer.allowedFast(i % 64),
  suggest: (writer, i) => writer.suggest(i % 64),
  handshake: (writer, i) => writer.extended(0, encode({ m: { ut_pex: 1 + i % 2, ut_metadata: 3 }, v: "flood", p: 1 })),
  ut_metadata: (writer) => writer.extended(idOf("ut_metadata"), encode({ msg_type: 0, piece: 0 })),
  ut_pex: (writer) => writer.extended(idOf("ut_pex"), pex),
  ut_holepunch: (writer, i) => writer.extended(idOf("ut_holepunch"), Uint8Array.of(0, 0, 1, 2, 3, i & 255, 0, 80)),
  port: (writer, i) => writer.port(1_024 + i % 60_000),
  "keep-alive": (writer) => writer.keepAlive(),
};

/** The ids that Weft gives its extensions follow their order in the profile. */
function idOf(name: string): number {
  return ["ut_pex", "ut_metadata", "ut_holepunch"].indexOf(name) + 1;
}

const folder = await Deno.makeTempDir({ prefix: "weft-hostile-" });
try {
  const zeros = await makeZeros(folder, 2 ** 31);
  await using seed = await seedZeros(zeros, {
    plugins: ["tcp", "utp", "pex", "metadata", "holepunch", "dht"].map((use) => ({ use })),
    limits: { connections: 200, peers: 100, unchoked: 100, accepts_per_address: 200 },
  });
  await using honest = await takeZeros(zeros, seed.address, RATE);
  const measure = async (): Promise<{ rate: number; stall: number }> => {
    const [from, fromSeed] = [honest.told.length - 1, seed.told.length - 1];
    await sleep(MEASURE);
    return { rate: rateSince(honest.told, from, "downloaded"), stall: worstStall(seed.told, fromSeed) };
  };
  await sleep(SETTLE + 3_000);
  const alone = await measure();
  const mib = (rate: number): string => (rate / 2 ** 20).toFixed(1);
  console.log(`alone: ${mib(alone.rate)} MiB/s, worst stall ${alone.stall} ms`);
  const failed: string[] = [];
  // Whoever comes again with its old id would be taken for its old self.
  let joined = 0;
  for (const kind of Deno.args.length > 0 ? Deno.args : Object.keys(kinds)) {
    const peers: RawPeer[] = [];
    for (let i = 0; i < ATTACKERS; i++) peers.push(await RawPeer.join(seed.address, zeros.infoHash, joined++));
    let over = false;
    const flooding = peers.map(async (peer) => {
      const began = performance.now();
      for (let sent = 0, i = 0; !over && !peer.closed;) {
        if (sent > ATTACK_RATE * (performance.now() - began) / 1_000) {
          await sleep(5);
          continue;
        }
        for (const end = i + 100; i < end; i++) kinds[kind](peer.writer, i);
        sent += peer.writer.length;
        await peer.flush();
      }
    });
    await sleep(SETTLE);
    const { rate, stall } = await measure();
    const open = peers.filter(({ closed }) => !closed).length;
    over = true;
    for (const peer of peers) peer.close();
    await Promise.all(flooding);
    const share = rate / alone.rate;
    const fine = share >= LEAST_SHARE && stall <= WORST_STALL;
    if (!fine) failed.push(kind);
    console.log(
      `${kind}: ${mib(rate)} MiB/s (${(share * 100).toFixed(0)} %), worst stall ${stall} ms, ` +
        `${open} attackers left${fine ? "" : "  <- past its bound"}`,
    );
    await sleep(500);
  }
  if (failed.length > 0) throw new Error(`Past their bounds: ${failed.join(", ")}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
