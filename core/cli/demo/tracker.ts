/** A tracker that fits in memory, for the demo alone (BEP 3, compact peers of BEP 23). @module */
import { Hono } from "hono";
import type { HttpHandler } from "../../api/mod.ts";
import { encode, encodePeers4, type PeerAddress, peerAddress } from "../../wire/mod.ts";

/** Milliseconds between two announces of a peer; short, since a demo is. The kernel clamps it to its own bounds. */
const INTERVAL_SECONDS = 30;

/** Answers announces from peers at `ip`: each learns of all the others of its swarm. */
export function demoTracker(ip: string): HttpHandler {
  const swarms = new Map<string, Map<string, PeerAddress>>();
  const app = new Hono();
  app.get("/announce", (c) => {
    // The hash is binary, so the text of the query names the swarm; every client of the demo writes it alike.
    const hash = /[?&]info_hash=([^&]*)/.exec(c.req.url)?.[1];
    const port = Number(c.req.query("port"));
    if (!hash || !Number.isInteger(port) || port < 1 || port > 65535) {
      return body(encode({ "failure reason": "expected info_hash and port" }));
    }
    const peers = swarms.get(hash) ?? new Map<string, PeerAddress>();
    swarms.set(hash, peers);
    const self = peerAddress(ip, port);
    if (c.req.query("event") === "stopped") peers.delete(self.key);
    else peers.set(self.key, self);
    const others = [...peers.values()].filter(({ key }) => key !== self.key);
    return body(encode({ interval: INTERVAL_SECONDS, peers: encodePeers4(others) }));
  });
  return (request) => app.fetch(request);
}

function body(bytes: Uint8Array): Response {
  return new Response(bytes.slice(), { headers: { "content-type": "text/plain" } });
}
