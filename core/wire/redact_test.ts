import assert from "node:assert/strict";
import { redactUrls } from "./redact.ts";

Deno.test("redactUrls() leaves of a URL what everybody may know", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["https://t.example:443/abcdef/announce?passkey=1", "https://t.example:443/…"],
    ["udp://t.example:1337/announce", "udp://t.example:1337/…"],
    ["http://user:secret@t.example/", "http://t.example/"],
    ["http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/…"],
    ["http://t.example?key=1", "http://t.example/…"],
    ["http://t.example", "http://t.example"],
    ['Cannot reach "http://t.example/k": no answer', 'Cannot reach "http://t.example/…": no answer'],
    ["from https://a.example/k to udp://b.example/k", "from https://a.example/… to udp://b.example/…"],
    ["magnet:?xt=urn:btih:00&tr=http://t.example/k", "magnet:?…"],
    ["file:///plugins/mine.ts:5:2: x is not defined", "file:///plugins/mine.ts:5:2: x is not defined"],
    ["20.0.0.1:6881 said: no", "20.0.0.1:6881 said: no"],
  ];
  for (const [text, shown] of cases) assert.equal(redactUrls(text), shown);
});
