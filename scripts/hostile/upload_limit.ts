/**
 * Ten peers that ask for a torrent's metadata again and again, of a seed that may upload 200 KB/s: all that it sends must
 * keep to that, within a tenth.
 *
 * `deno task hostile upload_limit`
 *
 * @module
 */
import { encode } from "../../core/wire/mod.ts";
import { sleep } from "../bench/swarm.ts";
import { makeZeros, RawPeer, seedZeros } from "./victim.ts";

const ATTACKERS = 10;
const LIMIT = 200_000;
const MEASURE = 8_000;
// Weft's id of the only extension that it runs here.
const UT_METADATA = 1;

const folder = await Deno.makeTempDir({ prefix: "weft-hostile-" });
try {
  const zeros = await makeZeros(folder, 2 ** 31);
  await using seed = await seedZeros(zeros, {
    plugins: ["tcp", "metadata"].map((use) => ({ use })),
    limits: { up: `${LIMIT / 1_000} KB/s`, accepts_per_address: 50 },
  });
  const peers: RawPeer[] = [];
  for (let i = 0; i < ATTACKERS; i++) {
    const peer = await RawPeer.join(seed.address, zeros.infoHash, i);
    peer.writer.extended(0, encode({ m: { ut_metadata: 3 } }));
    await peer.flush();
    peers.push(peer);
  }
  let over = false;
  const asking = peers.map(async (peer) => {
    for (let i = 0; !over && !peer.closed; i++) {
      for (let piece = 0; piece < 3; piece++) {
        peer.writer.extended(UT_METADATA, encode({ msg_type: 0, piece }));
      }
      await peer.flush();
      await sleep(10);
    }
  });
  await sleep(1_000);
  const heard = (): number => peers.reduce((sum, peer) => sum + peer.heard, 0);
  const [before, began] = [heard(), performance.now()];
  await sleep(MEASURE);
  const rate = (heard() - before) / (performance.now() - began) * 1_000;
  over = true;
  for (const peer of peers) peer.close();
  await Promise.all(asking);
  console.log(`${(rate / 1_000).toFixed(0)} KB/s were sent at a limit of ${LIMIT / 1_000}`);
  if (rate > LIMIT * 1.1) throw new Error("That is past the limit");
} finally {
  await Deno.remove(folder, { recursive: true });
}
