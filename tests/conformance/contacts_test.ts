import assert from "node:assert/strict";
import { contacts } from "./contacts.ts";

Deno.test("contacts() finds the names in URLs and in host:port, with their ports", () => {
  const found = contacts({
    url: "https://Peers.example/list?x=1",
    more: ["http://user:pass@a.example:8080/", "router.example:6881", "udp://t.example:1337/announce"],
    none: ["192.0.2.7:6881", "http://[::1]/", "localhost:1", "5m", "a text: with colons", 7, null],
  }, ["extra.example"]);
  assert.deepEqual(found, [
    { name: "extra.example", ports: [80, 443] },
    { name: "peers.example", ports: [80, 443] },
    { name: "a.example", ports: [80, 443, 8080] },
    { name: "router.example", ports: [80, 443, 6881] },
    { name: "t.example", ports: [80, 443, 1337] },
  ]);
});
