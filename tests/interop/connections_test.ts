import assert from "node:assert/strict";
import type { PeerSnapshot } from "weft";
import { libtorrent, libtorrentStats, libtorrentWith } from "../support/clients/libtorrent.ts";
import { weftControl, weftWithProfile } from "../support/clients/weft.ts";
import { type Lab, labTest, type Payload } from "../support/lab.ts";
import { eventually } from "../support/neighbourhood.ts";

/** How both clients call a kind of connection. */
type Kind = Pick<PeerSnapshot, "transport" | "encryption">;

/** libtorrent over one transport alone, and the order in which Weft, which has both, tries them. */
const transports = {
  tcp: { settings: {}, weft: ["tcp", "utp"] },
  utp: {
    settings: {
      enable_incoming_utp: true,
      enable_outgoing_utp: true,
      enable_incoming_tcp: false,
      enable_outgoing_tcp: false,
    },
    weft: ["utp", "tcp"],
  },
};

/** libtorrent without encryption, for which Weft does without; and with nothing but RC4 (level 2), as Weft is then. */
const encryptions = {
  none: { settings: {}, weft: "prefer" },
  rc4: { settings: { in_enc_policy: 0, out_enc_policy: 0, allowed_enc_level: 2 }, weft: "require" },
};

const payload: Payload = {
  name: "held",
  files: [{ path: "one.bin", size: 5_000_003 }, { path: "two/three.bin", size: 3_000_000 }],
  pieceLength: 64 * 1024,
};
/** Bytes a second that Weft moves until both sides showed their connection, which ends when the transfer does. */
const held = 100_000;
/** How long that may take, in milliseconds: less than the payload takes at that rate. */
const patience = 60_000;
/** Bytes a second that Weft may move then: more than it can. */
const released = 1e12;

/** How much of each client's log a failed case shows, in characters. */
const logTail = 2000;

/** One case of the matrix. */
interface Case {
  readonly transport: keyof typeof transports;
  readonly encryption: keyof typeof encryptions;
  readonly weft: "leeches" | "seeds";
  readonly by: "magnet" | ".torrent";
}

for (const transport of ["tcp", "utp"] as const) {
  for (const encryption of ["none", "rc4"] as const) {
    const cases: Record<string, (lab: Lab) => Promise<void>> = {};
    for (const weft of ["leeches", "seeds"] as const) {
      for (const by of ["magnet", ".torrent"] as const) {
        cases[`Weft ${weft}, by ${by}`] = (lab) => transfer(lab, { transport, encryption, weft, by });
      }
    }
    await labTest(`libtorrent over ${transport}, encryption ${encryption}`, [libtorrent], cases);
  }
}

/** Moves a torrent, and has both sides say which kind of connection carried it. */
async function transfer(lab: Lab, { transport, encryption, weft, by }: Case): Promise<void> {
  const uses = [...transports[transport].weft, "tracker_http", "metadata"].map((use) => ({ use }));
  const mse = { use: "mse", with: { policy: encryptions[encryption].weft } };
  const [ours, theirs] = [
    { client: weftWithProfile(JSON.stringify({ plugins: [...uses, mse] })), scratch: await lab.folder("weft") },
    {
      client: libtorrentWith({ ...transports[transport].settings, ...encryptions[encryption].settings }),
      scratch: await lab.folder("libtorrent"),
    },
  ];
  const [seeder, leecher] = weft === "seeds" ? [ours, theirs] : [theirs, ours];
  const published = await lab.publish(payload);
  const out = await lab.folder("out");
  const seeding = await lab.seed(seeder.client, published, {
    scratch: seeder.scratch,
    ...(seeder === ours && { uploadLimit: held }),
  });
  const leeching = await lab.leech(leecher.client, published, {
    scratch: leecher.scratch,
    out,
    ...(by === "magnet" && { torrent: lab.magnet(published) }),
    ...(leecher === ours && { downloadLimit: held }),
  });

  const control = await weftControl(ours.scratch);
  const oursShows = async (): Promise<Kind[]> => {
    const { peers } = await control.swarm(published.infoHash);
    const carrying = peers.filter(({ downloaded, uploaded }) => downloaded + uploaded > 0);
    return carrying.map(({ transport, encryption }) => ({ transport, encryption }));
  };
  const theirsShows = async (): Promise<readonly Kind[]> => (await libtorrentStats(theirs.scratch)).connections;
  const starting = (): [] => []; // who still starts can't be asked
  const shown = await eventually(
    "a connection that both sides show",
    () => Promise.all([oursShows().catch(starting), theirsShows().catch(starting)]),
    (kinds) => kinds.every(({ length }) => length > 0),
    patience,
  ).catch((cause) => {
    throw new Error([seeding, leeching].map((client) => client.log().slice(-logTail)).join("\n---\n"), { cause });
  });
  assert.deepEqual(shown, [[{ transport, encryption }], [{ transport, encryption }]]);

  await control.update(published.infoHash, { limits: { down: released, up: released } });
  await lab.completes(leeching);
  await lab.verify(leecher.client, published, out);
  assert.deepEqual(await theirsShows(), [{ transport, encryption }], "no other connection carried any of it");
}
