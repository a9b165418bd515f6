import assert from "node:assert/strict";
import { parseMagnet } from "../wire/mod.ts";
import { addRequest } from "./add_request.ts";
import type { TorrentSource } from "./source.ts";

const link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
const magnet: TorrentSource = { kind: "magnet", source: link, key: "", magnet: parseMagnet(link) };

Deno.test("addRequest() says only what the options say", () => {
  assert.deepEqual(addRequest(magnet, {}), { source: link, origin: "user", existing: "resume" });
  assert.deepEqual(addRequest(magnet, { select: "2", sequential: true, allowLocal: true }, "/d"), {
    source: link,
    origin: "user",
    existing: "resume",
    path: "/d",
    select: [1],
    sequential: true,
    allowLocal: true,
  });
});

Deno.test("addRequest() takes a limit of 0 as it is: nothing goes that way", () => {
  assert.deepEqual(addRequest(magnet, { up: 0 }).limits, { up: 0 });
  assert.deepEqual(addRequest(magnet, { down: 1000, up: undefined }).limits, { down: 1000 });
});
