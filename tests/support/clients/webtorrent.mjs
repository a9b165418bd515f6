// One webtorrent peer: webtorrent.mjs FOLDER-WITH-NODE_MODULES OPTIONS-AS-JSON.
// A leecher ends with 0 when it has everything; a seeder runs until SIGTERM.
import { readFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [folder, json] = process.argv.slice(2);
const { role, torrent, folder: path, port, peer, trusted, uploadLimit, client: own } = JSON.parse(json);

// WebRTC is not used here, and its native part is not to be had everywhere: an empty one takes its place.
const noWebRtc =
  "export class RTCPeerConnection {}; export class RTCSessionDescription {}; export class RTCIceCandidate {};";
registerHooks({
  resolve: (name, context, next) =>
    name === "webrtc-polyfill"
      ? { url: `data:text/javascript,${encodeURIComponent(noWebRtc)}`, shortCircuit: true }
      : next(name, context),
});

const entry = createRequire(`${folder}/`).resolve("webtorrent");
const { default: WebTorrent } = await import(pathToFileURL(entry).href);
const client = new WebTorrent({
  dht: false,
  lsd: false,
  natPmp: false,
  natUpnp: false,
  secure: 0,
  torrentPort: port,
  tracker: !peer,
  uploadLimit: uploadLimit ?? -1,
  utp: false,
  utPex: false,
  ...own,
});
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
const added = client.add(torrent.startsWith("magnet:") ? torrent : readFileSync(torrent), {
  path,
  skipVerify: trusted,
});
added.on("warning", (warning) => console.error(warning));
added.on("ready", () => peer && added.addPeer(peer));
if (role === "leech") {
  // Its store writes on after "done": closing it first makes sure that all is on disk.
  added.on("done", () => client.destroy(() => process.exit(0)));
}
process.on("SIGTERM", () => process.exit(0));
