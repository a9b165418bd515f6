import assert from "node:assert/strict";
import { parseServiceUrl } from "./service_url.ts";

Deno.test("parseServiceUrl() reads what can be asked, whatever its case and the spaces around it", () => {
  const urls = {
    "HTTP://127.0.0.1/a": "http://127.0.0.1/a",
    " https://t.example/announce?passkey=x\n": "https://t.example/announce?passkey=x",
    "UDP://t.example:6969": "udp://t.example:6969",
    "udp://[::1]:80/announce": "udp://[::1]:80/announce",
    "wss://t.example": "wss://t.example/",
  };
  for (const [text, url] of Object.entries(urls)) assert.equal(parseServiceUrl(text).href, url);
});

Deno.test("parseServiceUrl() says what is wrong with the others", () => {
  const wrong = {
    "nonsense": /"nonsense": it is not a URL/,
    "udp://127.0.0.1": /it has no port/,
    "udp://t.example:0/announce": /port 0 can't be connected to/,
    "http://127.0.0.1:0/announce": /port 0 can't be connected to/,
    "http://t.example:00000/": /port 0/,
    "mailto:a@b.example": /it has no host/,
    "udp:///announce": /it has no host/,
  };
  for (const [text, why] of Object.entries(wrong)) assert.throws(() => parseServiceUrl(text), why, text);
  assert.throws(
    () => parseServiceUrl("ftp://a.example", ["http:", "https:"]),
    /must begin with http:\/\/ or https:\/\//,
  );
});
