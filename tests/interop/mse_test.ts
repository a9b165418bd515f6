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

/** Who takes nothing but encryption, or knows nothing of it, and the Wefts that must understand them. */
const pairs: Readonly<Record<string, readonly [other: Client, weft: Client]>> = {
  "libtorrent with forced RC4, both requiring it": [libtorrentForced(2), weftWith("{ policy: require }")],
  "libtorrent with forced RC4, by default": [libtorrentForced(2), weftWith("{}")],
  "libtorrent with forced plaintext": [libtorrentForced(1), weftWith("{ policy: require, ciphers: [plaintext] }")],
  "libtorrent with forced plaintext, by default": [libtorrentForced(1), weftWith("{}")],
  "libtorrent with either forced": [libtorrentForced(3), weftWith("{ policy: require }")],
  "libtorrent as it comes": [libtorrentWith({ in_enc_policy: 1, out_enc_policy: 1 }), weftWith("{}")],
  "libtorrent without encryption": [libtorrentWith({}), weftWith("{}")],
  "aria2 with required RC4": [
    aria2With({ options: ["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"] }),
    weftWith("{ policy: require }"),
  ],
  "aria2 with required plaintext": [
    aria2With({ options: ["--bt-require-crypto=true"] }),
    weftWith("{ ciphers: [plaintext] }"),
  ],
  "aria2 as it comes": [aria2With({}), weftWith("{}")],
  "Transmission with required encryption": [transmissionWith({ encryption: 2 }), weftWith("{ policy: require }")],
  "Transmission as it comes": [transmissionWith({ encryption: 1 }), weftWith("{}")],
};

for (const [name, [other, weft]] of Object.entries(pairs)) {
  await labTest(`encryption with ${name}`, [other], {
    "it downloads from Weft": (lab) => transfer(lab, weft, other),
    "Weft downloads from it": (lab) => transfer(lab, other, weft),
  });
}

/** Moves a torrent: a private one, whose swarm must be found too. */
async function transfer(lab: Lab, seeder: Client, leecher: Client): Promise<void> {
  const published = await lab.publish(secret);
  await lab.seed(seeder, published);
  await lab.download(leecher, published);
}
