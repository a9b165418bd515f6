import assert from "node:assert/strict";
import { ConfigError } from "../api/errors.ts";
import { parseHostPort, peerAddress } from "../wire/mod.ts";
import { Egress, type EgressSource } from "./egress.ts";

type Case = readonly [target: string, verdict: "allowed" | "refused", from?: EgressSource, allow?: readonly string[]];

const publicTracker: EgressSource = { namedBy: "203.0.113.7" };
const privateTracker: EgressSource = { namedBy: "192.168.1.2" };
const localTracker: EgressSource = { namedBy: "127.0.0.1" };
const user: EgressSource = { trusted: true };

const cases: readonly Case[] = [
  // A stranger's addresses
  ["203.0.113.5", "allowed"],
  ["2606:4700::1111", "allowed"],
  ["127.0.0.1", "refused"],
  ["127.255.0.9", "refused"],
  ["::1", "refused"],
  ["10.1.2.3", "refused"],
  ["172.16.0.1", "refused"],
  ["172.32.0.1", "allowed"],
  ["192.168.0.1", "refused"],
  ["100.64.0.1", "refused"],
  ["fd12::1", "refused"],
  ["169.254.169.254", "refused"],
  ["169.254.1.1", "refused"],
  ["fe80::1", "refused"],
  ["224.0.0.1", "refused"],
  ["ff02::1", "refused"],
  ["0.0.0.0", "refused"],
  ["0.1.2.3", "refused"],
  ["::", "refused"],
  ["255.255.255.255", "refused"],
  ["240.0.0.1", "refused"],
  // The same in disguise
  ["::ffff:127.0.0.1", "refused"],
  ["::ffff:7f00:1", "refused"],
  ["::ffff:10.0.0.1", "refused"],
  ["::ffff:169.254.169.254", "refused"],
  ["::ffff:203.0.113.5", "allowed"],
  ["::127.0.0.1", "refused"],
  ["64:ff9b::7f00:1", "refused"],
  ["64:ff9b::a9fe:a9fe", "refused"],
  ["64:ff9b::cb00:7105", "allowed"],
  ["2002:7f00:1::1", "refused"],
  ["2002:0a00:1::1", "refused"],
  [new URL("http://2130706433/").hostname, "refused"],
  [new URL("http://0x7f.1/").hostname, "refused"],
  [new URL("http://0177.0.0.1/").hostname, "refused"],
  [new URL("http://127.1/").hostname, "refused"],
  [new URL("http://0251.0376.0251.0376/").hostname, "refused"],
  // By who named it
  ["10.1.2.3", "refused", publicTracker],
  ["127.0.0.1", "refused", publicTracker],
  ["10.1.2.3", "allowed", privateTracker],
  ["203.0.113.5", "allowed", privateTracker],
  ["127.0.0.1", "refused", privateTracker],
  ["127.0.0.1", "allowed", localTracker],
  ["10.1.2.3", "allowed", localTracker],
  ["10.1.2.3", "allowed", { namedBy: "fe80::7" }],
  ["127.0.0.1", "refused", { namedBy: "fe80::7" }],
  ["127.0.0.1", "refused", { namedBy: "localhost" }],
  ["127.0.0.1", "refused", { namedBy: "0.0.0.0" }],
  ["127.0.0.1", "allowed", user],
  ["fd12::1", "allowed", user],
  ["169.254.169.254", "refused", localTracker],
  ["fd00:ec2::254", "refused", localTracker],
  ["100.100.100.200", "refused", privateTracker],
  ["224.0.0.1", "refused", localTracker],
  ["0.0.0.0", "refused", user],
  ["fe80::1", "refused", localTracker],
  // By egress.allow; the port is 6881
  ["127.0.0.1", "allowed", {}, ["loopback"]],
  ["::1", "allowed", {}, ["loopback"]],
  ["10.1.2.3", "refused", {}, ["loopback"]],
  ["10.1.2.3", "allowed", {}, ["private"]],
  ["127.0.0.1", "refused", {}, ["private"]],
  ["127.0.0.1", "allowed", {}, ["loopback:6881"]],
  ["127.0.0.1", "refused", {}, ["loopback:80"]],
  ["127.0.0.1", "allowed", {}, ["127.0.0.1"]],
  ["127.0.0.1", "allowed", {}, ["::ffff:127.0.0.1"]],
  ["127.0.0.2", "refused", {}, ["127.0.0.1"]],
  ["127.0.0.1", "allowed", {}, ["127.0.0.1:6881"]],
  ["127.0.0.1", "refused", {}, ["127.0.0.1:80"]],
  ["::1", "allowed", {}, ["::1"]],
  ["::1", "allowed", {}, ["[::1]:6881"]],
  ["::1", "refused", {}, ["[::1]:80"]],
  ["10.1.2.3", "allowed", {}, ["10.0.0.0/8"]],
  ["10.1.2.3", "allowed", {}, ["10.0.0.0/8:6881"]],
  ["10.1.2.3", "refused", {}, ["10.0.0.0/8:80"]],
  ["10.1.2.3", "refused", {}, ["10.1.2.4/31"]],
  ["10.1.2.3", "allowed", {}, ["::ffff:10.0.0.0/104"]],
  ["fd12::1", "allowed", {}, ["fd00::/8"]],
  ["fd12::1", "refused", {}, ["[fd00::/8]:80"]],
  ["169.254.169.254", "refused", {}, ["loopback", "private", "169.254.0.0/16", "0.0.0.0/0"]],
  ["169.254.169.254", "allowed", {}, ["169.254.169.254"]],
  ["fe80::1", "allowed", {}, ["fe80::1"]],
];

Deno.test("Egress.check() decides by the address, who named it and what is listed", () => {
  for (const [target, verdict, from, allow = []] of cases) {
    const ip = target.replace(/^\[|\]$/g, "");
    const refusal = new Egress({ allow }).check(peerAddress(ip, 6881), from);
    const said = `${target} from ${JSON.stringify(from ?? {})} with ${JSON.stringify(allow)}`;
    assert.equal(refusal === undefined ? "allowed" : "refused", verdict, said);
  }
});

Deno.test("Egress.check() names the setting that would allow the address", () => {
  const egress = new Egress({ allow: [] });
  assert.equal(
    egress.check(peerAddress("127.0.0.1", 80)),
    'Cannot connect to 127.0.0.1:80: loopback is not allowed here; list "loopback" or "127.0.0.1" under egress.allow',
  );
  assert.equal(
    egress.check(peerAddress("169.254.169.254", 80), { trusted: true }),
    'Cannot connect to 169.254.169.254:80: a metadata address is not allowed; list "169.254.169.254" under egress.allow',
  );
  assert.equal(
    new Egress({ allow: [], setting: "permissions.net" }).check(peerAddress("::1", 80)),
    'Cannot connect to [::1]:80: loopback is not allowed here; list "[::1]:80" under permissions.net',
  );
});

Deno.test("Egress.grant() allows until every grant of the same address is disposed of", () => {
  const egress = new Egress({ allow: [] });
  const address = peerAddress("127.0.0.1", 80);
  const first = egress.grant("127.0.0.1:80");
  const second = egress.grant(address);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(egress.check(address), undefined);
  assert.ok(egress.check(peerAddress("127.0.0.1", 81)));
  second[Symbol.dispose]();
  assert.ok(egress.check(address));
  const range = egress.grant("127.0.0.0/8");
  assert.equal(egress.check(address), undefined);
  range[Symbol.dispose]();
  assert.ok(egress.check(address));
});

Deno.test("Egress allows what a listed name resolved to, on the listed port, and nothing of other names", () => {
  const egress = new Egress({ allow: ["Tracker.LAN:6969"] });
  egress.resolved("tracker.lan", ["10.0.0.9", "169.254.169.254"]);
  egress.resolved("evil.example", ["10.0.0.10"]);
  assert.equal(egress.check(peerAddress("10.0.0.9", 6969)), undefined);
  assert.ok(egress.check(peerAddress("10.0.0.9", 22)));
  assert.ok(egress.check(peerAddress("10.0.0.10", 6969)));
  assert.ok(egress.check(peerAddress("169.254.169.254", 6969)));
  egress.resolved("tracker.lan", ["10.0.0.11"]);
  assert.ok(egress.check(peerAddress("10.0.0.9", 6969)));
});

Deno.test("Egress() throws on an entry that it can't read, quoting it", () => {
  for (
    const text of [
      "",
      "10.0.0.0/33",
      "10.0.0.0/x",
      "a b",
      "127.0.0.1:0",
      "127.0.0.1:99999",
      "[::1",
      "300.1.1.1",
      "http://x/",
    ]
  ) {
    assert.throws(
      () => new Egress({ allow: [text] }),
      (error) => error instanceof ConfigError && error.message.endsWith(JSON.stringify(text)),
      text,
    );
  }
});

Deno.test("Egress.check() lets 200 ordinary announce URLs pass", () => {
  const egress = new Egress({ allow: [] });
  let passed = 0;
  for (let i = 0; i < 200; i++) {
    const passkey = (i * 2654435761 >>> 0).toString(16).padStart(8, "0").repeat(4);
    // Spread over the public space, next to private ranges too.
    const ip = [
      "9.255.255",
      "11.0.0",
      "172.15.255",
      "172.32.0",
      "192.167.255",
      "192.169.1",
      "100.63.1",
      "100.128.0",
      "126.9.8",
      "128.0.0",
      "169.253.1",
      "169.255.1",
      "198.20.0",
      "223.255.1",
    ][i % 14];
    const host = i % 5 === 4 ? `[2a0${i % 10}:${i.toString(16)}::${(i + 1).toString(16)}]` : `${ip}.${i + 1}`;
    const port = [80, 443, 6969, 2710, 1337, 8080, 451, 34000][i % 8];
    const path = [
      "announce",
      "announce.php",
      `${passkey}/announce`,
      `announce?passkey=${passkey}`,
      `tracker/${i}/announce?uk=${passkey}&x=1`,
    ][i % 5];
    const url = new URL(`${i % 2 ? "http" : "https"}://${host}:${port}/${path}`);
    const target = parseHostPort(`${url.hostname}:${port}`);
    assert.equal(egress.check(peerAddress(target.host, target.port), publicTracker), undefined, url.href);
    passed++;
  }
  assert.equal(passed, 200);
});

Deno.test("Egress.child() allows what its parent does, and what is granted to itself alone", () => {
  const parent = new Egress({ allow: ["10.0.0.1"] });
  const [one, other] = [parent.child(), parent.child()];
  using _ip = one.grant("10.0.0.2:80");
  using _range = one.grant("192.168.0.0/16");
  using _name = one.grant("tracker.lan:80");
  other.resolved("tracker.lan", ["10.0.0.3"]);
  const passes = (guard: Egress): boolean[] =>
    [["10.0.0.1", 1], ["10.0.0.2", 80], ["192.168.3.4", 5], ["10.0.0.3", 80]].map(([ip, port]) =>
      guard.check(peerAddress(ip as string, port as number)) === undefined
    );
  assert.deepEqual(passes(one), [true, true, true, true]);
  assert.deepEqual(passes(other), [true, false, false, false]);
  assert.deepEqual(passes(parent), [true, false, false, false]);
  using _late = parent.grant("10.0.0.2");
  assert.deepEqual(passes(other), [true, true, false, false]);
});

Deno.test("Egress.with() allows what a grant of the kernel's does, and nothing for one that a plugin made up", () => {
  const guard = new Egress({ allow: [] });
  const address = peerAddress("127.0.0.1", 80);
  const grant = guard.child();
  const held = grant.grant(address);
  assert.equal(guard.with(grant).check(address), undefined);
  assert.match(guard.with(undefined).check(address)!, /Cannot connect to 127\.0\.0\.1:80/);
  const forged = { check: () => undefined, egressGrant: true } as const;
  assert.match(guard.with(forged).check(address)!, /Cannot connect/);
  held[Symbol.dispose]();
  assert.match(guard.with(grant).check(address)!, /Cannot connect/, "it ends with what it was given for");
});
