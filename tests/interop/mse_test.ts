import { aria2With } from "../support/clients/aria2.ts";
import type { Client } from "../support/clients/client.ts";
import { libtorrentWith } from "../support/clients/libtorrent.ts";
import { transmissionWith } from "../support/clients/transmission.ts";
import { weftWithProfile } from "../support/clients/weft.ts";
import { type Lab, labTest } from "../support/lab.ts";
import { secret } from "../support/payloads.ts";

/** libtorrent with nothing but encrypted connections, of these levels: 1 is plaintext after the handshake, 2 is RC4. */
const libtorrentForced = (level: 1 | 2 | 3): Client =>
  libtorrentWith({ in_enc_policy: 0, out_enc_policy: 0, allowed_enc_level: level });

/** Weft whose mse has this `with`. */
const weftWith = (mse: string): Client =>
  weftWithProfile(`plugins:\n  - use: tcp\n  - use: tracker_http\n  - use: mse\n    with: ${mse}\n`);

/**
 * Who takes nothing but encryption, or comes as people have it, and the Wefts that must understand them; what libtorrent
 * does with forced RC4, and without encryption, is in connections_test.ts.
 */
const pairs: Readonly<Record<string, Readonly<Record<string, readonly [other: Client, weft: Client]>>>> = {
  libtorrent: {
    "forced RC4, where Weft doesn't require it": [libtorrentForced(2), weftWith("{}")],
    "forced plaintext": [libtorrentForced(1), weftWith("{ policy: require, ciphers: [plaintext] }")],
    "forced plaintext, where Weft doesn't require it": [libtorrentForced(1), weftWith("{}")],
    "either forced": [libtorrentForced(3), weftWith("{ policy: require }")],
    "as it comes": [libtorrentWith({ in_enc_policy: 1, out_enc_policy: 1 }), weftWith("{}")],
  },
  aria2: {
    "required RC4": [
      aria2With({ options: ["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"] }),
      weftWith("{ policy: require }"),
    ],
    "required plaintext": [aria2With({ options: ["--bt-require-crypto=true"] }), weftWith("{ ciphers: [plaintext] }")],
    "as it comes": [aria2With({}), weftWith("{}")],
  },
  Transmission: {
    "required encryption": [transmissionWith({ encryption: 2 }), weftWith("{ policy: require }")],
    "as it comes": [transmissionWith({ encryption: 1 }), weftWith("{}")],
  },
};

for (const [name, variants] of Object.entries(pairs)) {
  const cases: Record<string, (lab: Lab) => Promise<void>> = {};
  for (const [variant, [other, weft]] of Object.entries(variants)) {
    cases[`${variant}: it downloads from Weft`] = (lab) => transfer(lab, weft, other);
    cases[`${variant}: Weft downloads from it`] = (lab) => transfer(lab, other, weft);
  }
  await labTest(`encryption with ${name}`, Object.values(variants).map(([other]) => other), cases);
}

/** Moves a torrent: a private one, whose swarm must be found too. */
async function transfer(lab: Lab, seeder: Client, leecher: Client): Promise<void> {
  const published = await lab.publish(secret);
  await lab.seed(seeder, published);
  await lab.download(leecher, published);
}
