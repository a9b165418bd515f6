import assert from "node:assert/strict";
import { ProtocolError } from "weft";
import { decodeAnnounce, encodeAnnounce, HASHES_PER_ANNOUNCE, MAX_ANNOUNCE } from "./codec.ts";

const single = "d3a707a8b44a3aed6fdc96ec9dea2a265ca4beea";
const other = "0123456789abcdef0123456789abcdef01234567";
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const fixture = (name: string) => Deno.readFileSync(new URL(`../../tests/fixtures/lpd/${name}.bin`, import.meta.url));

Deno.test("decodeAnnounce() reads what libtorrent, aria2 and Transmission send", () => {
  assert.deepEqual(decodeAnnounce(fixture("libtorrent_ipv4")), {
    port: 6881,
    infoHashes: [single],
    cookie: "7e23865e",
  });
  assert.deepEqual(decodeAnnounce(fixture("libtorrent_ipv6")), {
    port: 6881,
    infoHashes: [single],
    cookie: "5f77bf6c",
  });
  assert.deepEqual(decodeAnnounce(fixture("aria2_ipv4")), { port: 6901, infoHashes: [single] });
  assert.deepEqual(decodeAnnounce(fixture("transmission_ipv4")), { port: 6902, infoHashes: [single] });
});

Deno.test("encodeAnnounce() writes byte for byte what libtorrent does", () => {
  for (const [family, name] of [[4, "libtorrent_ipv4"], [6, "libtorrent_ipv6"]] as const) {
    const bytes = fixture(name);
    assert.equal(decode(encodeAnnounce(family, decodeAnnounce(bytes))), decode(bytes));
  }
});

Deno.test("encodeAnnounce() fits as many info-hashes as it promises, and no more than the limit", () => {
  const infoHashes = Array.from({ length: HASHES_PER_ANNOUNCE }, (_, i) => i.toString(16).padStart(40, "0"));
  const announce = { port: 65535, infoHashes, cookie: "0".repeat(16) };
  for (const family of [4, 6] as const) {
    const bytes = encodeAnnounce(family, announce);
    assert.ok(bytes.length <= MAX_ANNOUNCE && bytes.length > MAX_ANNOUNCE - 52, `${bytes.length} bytes`);
    assert.deepEqual(decodeAnnounce(bytes), announce);
    assert.throws(() => encodeAnnounce(family, { ...announce, infoHashes: [...infoHashes, other] }), RangeError);
  }
});

Deno.test("decodeAnnounce() takes headers in any case and order, and skips what it doesn't know", () => {
  const text = "BT-SEARCH * HTTP/1.0\r\ninfohash:" + other.toUpperCase() +
    "\r\nX-Extra: yes\r\nno header at all\r\n" + `${"Y".repeat(500)}: 1\r\n` + "PORT:\t51413 \r\n" +
    `InfoHash: ${single}\r\nInfohash: ${single}\r\n\r\nPort: 1\r\n`;
  assert.deepEqual(decodeAnnounce(encode(text)), { port: 51413, infoHashes: [other, single] });
});

Deno.test("decodeAnnounce() leaves out info-hashes that are none", () => {
  for (const hash of ["", "x".repeat(40), other.slice(1), `${other}0`]) {
    const text = `BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\nInfohash: ${hash}\r\nInfohash: ${other}\r\n\r\n`;
    assert.deepEqual(decodeAnnounce(encode(text)), { port: 6881, infoHashes: [other] });
  }
});

Deno.test("decodeAnnounce() refuses what is no announce", () => {
  const good = `Port: 6881\r\nInfohash: ${other}\r\n`;
  for (
    const text of [
      "",
      "\r\n\r\n",
      `M-SEARCH * HTTP/1.1\r\n${good}`,
      `BT-SEARCH * HTTP/1.1x\r\n${good}`,
      `BT-SEARCH * HTTP/1.1\n${good}`,
      `BT-SEARCH * HTTP/1.1\r\nInfohash: ${other}\r\n`,
      `BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\n`,
      `BT-SEARCH * HTTP/1.1\r\n\r\n${good}`,
      ...["0", "65536", "-1", "6881x", "", "1e3", "٣"].map((port) =>
        `BT-SEARCH * HTTP/1.1\r\nPort: ${port}\r\nInfohash: ${other}\r\n`
      ),
      `BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n${good}`,
    ]
  ) assert.throws(() => decodeAnnounce(encode(text)), ProtocolError, JSON.stringify(text));
});

Deno.test("decodeAnnounce() answers mutated announces with a value or a ProtocolError", () => {
  const bytes = fixture("libtorrent_ipv4");
  for (let i = 0; i < bytes.length; i++) {
    for (const value of [0, 10, 13, 48, 58, 255, bytes[i] ^ 1]) {
      for (const mutant of [bytes.with(i, value), bytes.subarray(0, i)]) {
        try {
          const { port, infoHashes } = decodeAnnounce(mutant);
          assert.ok(port > 0 && port < 65536 && infoHashes.every((hex) => /^[0-9a-f]{40}$/.test(hex)));
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }
    }
  }
});
