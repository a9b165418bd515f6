import assert from "node:assert/strict";
import { type AnnounceAnswer, type AnnounceRequest, TrackerError, type TrackerStatus } from "../../api/tracker.ts";
import { ManualClock } from "../../bus/manual_clock.ts";
import { SeededRandom } from "../../host/memory/random.ts";
import { InfoHash, type PeerAddress, peerAddress, torrentId } from "../../wire/mod.ts";
import { Announcer, type AnnounceStats } from "./announcer.ts";

const MINUTE = 60_000;
const peers = [peerAddress("203.0.113.5", 6881)];
const id = torrentId({ v1: InfoHash.parse("0123456789abcdef0123456789abcdef01234567") });

type Behaviour = (request: AnnounceRequest, signal: AbortSignal) => Promise<AnnounceAnswer>;
const works: Behaviour = () => Promise.resolve({ peers, interval: 30 * MINUTE, from: "203.0.113.1" });
const fails: Behaviour = () => Promise.reject(new Error("connection refused"));
const hangs: Behaviour = () => new Promise(() => {});

/** An announcer among trackers that behave as `trackers` says, by host name. */
function swarm(tiers: readonly (readonly string[])[], trackers: Record<string, Behaviour>, schemes = ["http"]) {
  const clock = new ManualClock();
  const stats = { uploaded: 100, downloaded: 50, left: 1000, wanted: 500, port: 6881 };
  const asked: { host: string; at: number; request: AnnounceRequest }[] = [];
  const found: [readonly PeerAddress[], string, string | undefined][] = [];
  const external: [string, string | undefined][] = [];
  const statuses: TrackerStatus[] = [];
  const announcer = new Announcer({
    clock,
    random: new SeededRandom(1),
    id,
    tiers,
    client: (scheme) =>
      schemes.includes(scheme)
        ? {
          announce: (request, signal) => {
            asked.push({ host: request.url.hostname, at: clock.now(), request });
            return trackers[request.url.hostname](request, signal);
          },
          scrape: ({ infoHashes }) =>
            Promise.resolve(infoHashes.map(() => ({ seeders: 3, leechers: 4, completed: 5 }))),
        }
        : undefined,
    stats: (): AnnounceStats => ({ ...stats }),
    peerId: new TextEncoder().encode("-WF0010-abcdefghijkl"),
    key: 7,
    onPeers: (peers, { url, from }) => found.push([peers, url, from]),
    onExternalIp: (ip, from) => external.push([ip, from]),
    onStatus: (status) => statuses.push(status),
  });
  const log = (): string[] => asked.map(({ host, at, request }) => `${at / 1000} ${host} ${request.event ?? "-"}`);
  return { announcer, clock, stats, trackers, schemes, asked, found, external, statuses, log };
}

Deno.test("Announcer announces started, then regularly, and hands on the peers with their source", async () => {
  const { announcer, clock, stats, asked, found, log } = swarm([["http://a/announce"]], { a: works });
  announcer.start();
  stats.uploaded = 130;
  await clock.advance(31 * MINUTE);
  assert.deepEqual(log(), ["0 a started", "1800 a -"]);
  assert.deepEqual(found[0], [peers, "http://a/announce", "203.0.113.1"]);
  const { infoHash, port, uploaded, downloaded, left, wanted, key } = asked[1].request;
  assert.deepEqual(infoHash, id.wireIds[0].bytes);
  assert.deepEqual({ port, uploaded, downloaded, left, wanted, key }, {
    port: 6881,
    uploaded: 30,
    downloaded: 0,
    left: 1000,
    wanted: 200,
    key: 7,
  });
});

Deno.test("Announcer tries the next tracker of a tier only when one fails, and keeps to one that works", async () => {
  const tier = ["http://a/announce", "http://b/announce", "http://c/announce"];
  const { announcer, clock, asked, trackers, log } = swarm([tier], { a: fails, b: fails, c: fails });
  announcer.start();
  await clock.advance(1);
  const [first, second, third] = asked.map(({ host }) => host);
  assert.deepEqual([first, second, third].sort(), ["a", "b", "c"]);
  trackers[second] = works;
  await clock.advance(MINUTE);
  const before = asked.length;
  assert.equal(asked[before - 1].host, second);
  assert.equal(announcer.statuses()[0].url, `http://${second}/announce`);
  await clock.advance(91 * MINUTE);
  assert.deepEqual(asked.slice(before).map(({ host }) => host), [second, second, second], log().join("\n"));
  trackers[second] = fails;
  trackers[third] = works;
  await clock.advance(30 * MINUTE);
  assert.equal(asked[asked.length - 1].host, third);
  assert.equal(asked[asked.length - 1].request.event, "started");
});

Deno.test("Announcer shuffles the trackers of a tier", async () => {
  const tier = Array.from({ length: 8 }, (_, i) => `http://t${i}/announce`);
  const { announcer } = swarm([tier], {});
  assert.notDeepEqual(announcer.statuses().map(({ url }) => url), tier);
  assert.deepEqual(announcer.statuses().map(({ url }) => url).sort(), tier);
  await announcer.stop();
});

Deno.test("Announcer announces to every tier, whether or not an earlier one works", async () => {
  const { announcer, clock, log } = swarm([["http://a/announce"], ["http://b/announce"], ["http://a/announce"]], {
    a: works,
    b: works,
  });
  announcer.start();
  await clock.advance(MINUTE);
  assert.deepEqual(log(), ["0 a started", "0 b started"]);
  assert.deepEqual(announcer.statuses().map(({ tier }) => tier), [0, 1]);
});

Deno.test("Announcer backs off from 15 s to 30 min while a tracker fails, and starts over once it answers", async () => {
  const { announcer, clock, asked, trackers } = swarm([["http://a/announce"]], { a: fails });
  announcer.start();
  await clock.advance(300 * MINUTE);
  const gaps = asked.slice(1).map(({ at }, i) => at - asked[i].at);
  for (const [i, gap] of gaps.entries()) {
    const base = Math.min(15_000 * 2 ** i, 30 * MINUTE);
    assert.ok(gap >= base && gap <= Math.min(base * 1.25, 30 * MINUTE), `gap ${i} is ${gap}`);
  }
  assert.ok(gaps.some((gap, i) => gap !== 15_000 * 2 ** i));
  const [status] = announcer.statuses();
  assert.deepEqual([status.state, status.error], ["failed", "connection refused"]);
  trackers.a = works;
  await clock.advance(31 * MINUTE);
  assert.equal(announcer.statuses()[0].state, "working");
  assert.equal(announcer.statuses()[0].error, undefined);
  assert.equal(asked[asked.length - 1].request.event, "started");
});

Deno.test("Announcer keeps intervals between 30 s and a day, whatever the tracker says", async () => {
  for (
    const [interval, kept] of [[1, 30_000], [-5, 30_000], [NaN, 30_000], [1e15, 86_400_000], [undefined, 1_800_000]]
  ) {
    const { announcer, clock, asked } = swarm([["http://a/announce"]], {
      a: () => Promise.resolve({ peers: [], interval }),
    });
    announcer.start();
    await clock.advance(kept!);
    assert.deepEqual(asked.map(({ at }) => at), [0, kept], `interval ${interval}`);
    await announcer.stop();
  }
});

Deno.test("Announcer.announceNow() waits for the tracker's min interval", async () => {
  const { announcer, clock, asked } = swarm([["http://a/announce"]], {
    a: () => Promise.resolve({ peers, interval: 30 * MINUTE, minInterval: 10 * MINUTE }),
  });
  announcer.start();
  await clock.advance(MINUTE);
  announcer.announceNow();
  announcer.announceNow();
  await clock.advance(10 * MINUTE);
  assert.deepEqual(asked.map(({ at }) => at / MINUTE), [0, 10]);
  await clock.advance(15 * MINUTE);
  announcer.announceNow();
  await clock.advance(1);
  assert.deepEqual(asked.map(({ at }) => at / MINUTE), [0, 10, 26]);
});

Deno.test("Announcer waits as long as a refusal says, also on demand, and for ever after never", async () => {
  const { announcer, clock, asked } = swarm([["http://a/announce"], ["http://b/announce"]], {
    a: () => Promise.reject(new TrackerError("busy", { retry: 20 * MINUTE })),
    b: () => Promise.reject(new TrackerError("go away", { retry: "never" })),
  });
  announcer.start();
  await clock.advance(MINUTE);
  announcer.announceNow();
  await clock.advance(21 * MINUTE);
  assert.deepEqual(asked.filter(({ host }) => host === "a").map(({ at }) => at / MINUTE), [0, 20]);
  assert.deepEqual(asked.filter(({ host }) => host === "b").length, 1);
  const [a, b] = announcer.statuses();
  assert.deepEqual([a.state, a.error, b.state, b.error], ["failed", "busy", "disabled", "go away"]);
});

Deno.test("Announcer tells of completion once, to trackers that know of the download", async () => {
  const { announcer, clock, stats, trackers, log } = swarm([["http://a/announce"], ["http://b/announce"]], {
    a: works,
    b: fails,
  });
  announcer.start();
  await clock.advance(MINUTE);
  stats.left = 0;
  trackers.b = works;
  announcer.completed();
  announcer.completed();
  await clock.advance(10 * MINUTE);
  assert.equal(log().filter((line) => line.endsWith("completed")).join(), "60 a completed");
});

Deno.test("Announcer tells of a completion that happens while started is under way, after it", async () => {
  const answers: ((answer: AnnounceAnswer) => void)[] = [];
  const { announcer, clock, stats, log } = swarm([["http://a/announce"]], {
    a: () => new Promise((resolve) => void answers.push(resolve)),
  });
  announcer.start();
  await clock.advance(1000);
  stats.left = 0;
  announcer.completed();
  answers[0]({ peers });
  await clock.advance(1000);
  assert.deepEqual(log(), ["0 a started", "1 a completed"]);
});

Deno.test("Announcer does not tell of completion when the swarm began complete", async () => {
  const { announcer, clock, stats, log } = swarm([["http://a/announce"]], { a: works });
  stats.left = 0;
  announcer.start();
  await clock.advance(1000);
  announcer.completed();
  await clock.advance(1000);
  assert.deepEqual(log(), ["0 a started"]);
});

Deno.test("Announcer.stop() tells the trackers that answered, asks them for no peers, and leaves no timer", async () => {
  const { announcer, clock, asked, log } = swarm([["http://a/announce"], ["http://b/announce"]], {
    a: works,
    b: fails,
  });
  announcer.start();
  await clock.advance(MINUTE);
  const stopping = announcer.stop();
  await clock.advance(0);
  await stopping;
  assert.deepEqual(log().filter((line) => line.endsWith("stopped")), ["60 a stopped"]);
  assert.equal(asked[asked.length - 1].request.wanted, 0);
  assert.equal(clock.pending, 0);
  announcer.start();
  await clock.advance(1000);
  assert.ok(log().includes("60 a started"));
});

Deno.test("Announcer.stop() gives up after 4 s in all, and aborts what is under way", async () => {
  const urls = ["http://a/announce", "http://b/announce", "http://c/announce"];
  const { announcer, clock, trackers, asked, found } = swarm(urls.map((url) => [url]), {
    a: works,
    b: works,
    c: hangs,
  });
  const signals: AbortSignal[] = [];
  trackers.c = (_, signal) => (signals.push(signal), new Promise(() => {}));
  announcer.start();
  await clock.advance(MINUTE);
  trackers.a = trackers.b = trackers.c;
  let stopped = -1;
  const stopping = announcer.stop().then(() => stopped = clock.now());
  await clock.advance(10_000);
  await stopping;
  assert.equal(stopped - MINUTE, 4_000);
  assert.equal(asked.length, 5);
  assert.ok(signals.every((signal) => signal.aborted));
  assert.equal(found.length, 2);
});

Deno.test("Announcer gives a tracker up that never answers, and goes on to the next of its tier", async () => {
  const { announcer, clock, log } = swarm([["http://a/announce", "http://b/announce"]], { a: hangs, b: hangs });
  announcer.start();
  await clock.advance(2 * MINUTE);
  assert.equal(new Set(log().map((line) => line.split(" ")[1])).size, 2);
});

Deno.test("Announcer survives a client that answers nonsense", async () => {
  const { announcer, clock } = swarm([["http://a/x"], ["http://b/x"], ["http://c/x"], ["http://d/x"]], {
    a: () => Promise.resolve(undefined as unknown as AnnounceAnswer),
    b: () => {
      throw new Error("thrown at once");
    },
    c: () => Promise.resolve({ peers: "many", warning: 1 } as unknown as AnnounceAnswer),
    d: () => Promise.resolve({ peers: [], warning: 1, seeders: "x", interval: "y" } as unknown as AnnounceAnswer),
  });
  announcer.start();
  await clock.advance(1000);
  const all = announcer.statuses();
  assert.deepEqual(all.map(({ state }) => state), ["failed", "failed", "failed", "working"]);
  assert.equal(all[3].warning, undefined);
  assert.notEqual(all[3].seeders, "x");
});

Deno.test("Announcer disables trackers that no plugin can ask, says why, and enables them when one can", async () => {
  const { announcer, clock, schemes, log } = swarm(
    [["udp://a:1/announce"], ["nonsense"], ["http://a:0/"]],
    { a: works },
  );
  announcer.start();
  await clock.advance(MINUTE);
  assert.deepEqual(announcer.statuses().map(({ state, error }) => [state, error]), [
    ["disabled", 'no plugin provides trackers of "udp:"'],
    ["disabled", 'Cannot use "nonsense": it is not a URL'],
    ["disabled", 'Cannot use "http://a:0/": port 0 can\'t be connected to'],
  ]);
  schemes.push("udp");
  announcer.clientsChanged();
  await clock.advance(1);
  assert.deepEqual(log(), ["60 a started"]);
  assert.equal(announcer.statuses()[0].state, "working");
});

Deno.test("Announcer.addTracker() announces to a new tracker at once, and to a known one not again", async () => {
  const { announcer, clock, log } = swarm([["http://a/announce"]], { a: works, b: works });
  announcer.start();
  await clock.advance(1000);
  announcer.addTracker("http://b/announce");
  announcer.addTracker("http://a/announce");
  await clock.advance(1000);
  assert.deepEqual(log(), ["0 a started", "1 b started"]);
});

Deno.test("Announcer returns the tracker's id to it, and shows what it said", async () => {
  const { announcer, clock, asked, statuses } = swarm([["http://a/announce"]], {
    a: () =>
      Promise.resolve({ peers, interval: MINUTE, trackerId: "x1", seeders: 3, leechers: 4, warning: "slow down" }),
  });
  announcer.start();
  await clock.advance(MINUTE);
  assert.deepEqual(asked.map(({ request }) => request.trackerId), [undefined, "x1"]);
  assert.deepEqual(statuses.map(({ state }) => state), ["announcing", "working", "announcing", "working"]);
  assert.deepEqual(announcer.statuses(), [{
    url: "http://a/announce",
    tier: 0,
    state: "working",
    lastAnnounce: MINUTE,
    nextAnnounce: 2 * MINUTE,
    seeders: 3,
    leechers: 4,
    peers: 1,
    warning: "slow down",
  }]);
});

Deno.test("Announcer asks at most 100 trackers of a swarm", async () => {
  const many = Array.from({ length: 300 }, (_, i) => [`http://t${i}/announce`]);
  const { announcer } = swarm(many, {});
  assert.equal(announcer.statuses().length, 100);
  await announcer.stop();
});

Deno.test("Announcer scrapes a tracker whose announce brings no figures", async () => {
  const counts: Behaviour = () => Promise.resolve({ peers, interval: 30 * MINUTE, seeders: 8, leechers: 9 });
  const { announcer, clock } = swarm([["http://a/announce"], ["http://b/announce"]], { a: works, b: counts });
  announcer.start();
  await clock.advance(1);
  const figures = announcer.statuses().map(({ seeders, leechers }) => [seeders, leechers]);
  assert.deepEqual(figures, [[3, 4], [8, 9]]);
});

Deno.test("Announcer hands on at which address a tracker sees us, and who says so", async () => {
  const { announcer, clock, external } = swarm([["http://a/announce"], ["http://b/announce"]], {
    a: () => Promise.resolve({ peers: [], externalIp: "99.1.2.3", from: "203.0.113.1" }),
    b: works,
  });
  announcer.start();
  await clock.advance(1);
  assert.deepEqual(external, [["99.1.2.3", "203.0.113.1"]]);
});
