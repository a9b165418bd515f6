/** Peer ids (BEP 20). @module */
import type { Random } from "../api/mod.ts";

// Azureus style: "WF", version 0.1.0.
const PREFIX = "-WF0100-";

/** A new peer id: 20 bytes, ours by its first 8. Each swarm gets its own, so that swarms can't be linked by it. */
export function createPeerId(random: Random): Uint8Array {
  const id = random.bytes(20);
  for (let i = 0; i < PREFIX.length; i++) id[i] = PREFIX.charCodeAt(i);
  return id;
}

const NAMES: Readonly<Record<string, string>> = {
  A2: "aria2",
  AZ: "Vuze",
  BC: "BitComet",
  BI: "BiglyBT",
  DE: "Deluge",
  KT: "KTorrent",
  LT: "libtorrent",
  lt: "rTorrent",
  qB: "qBittorrent",
  TR: "Transmission",
  UT: "uTorrent",
  WF: "Weft",
  WW: "WebTorrent",
  rQ: "rqbit",
};

/** A readable name for the client behind a peer id: `Transmission 3.0.0`, or what can be read of the id. */
export function clientName(peerId: Uint8Array): string {
  const text = String.fromCharCode(...peerId.subarray(0, 8)).replace(/[^\x20-\x7e]/g, "?");
  if (text[0] === "-" && text[7] === "-") {
    const version = [...text.slice(3, 6)].map((digit) => parseInt(digit, 36)).filter((n) => n >= 0).join(".");
    return `${NAMES[text.slice(1, 3)] ?? text.slice(1, 3)} ${version}`;
  }
  return text;
}
