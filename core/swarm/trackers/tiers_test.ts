import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededRandom } from "../../host/memory/random.ts";
import { type Announce, FIRST_RETRY, MIN_INTERVAL, TrackerTiers } from "./tiers.ts";

const known = (): undefined => undefined;

Deno.test("TrackerTiers lists each tracker once, in the tier that it stands in first", () => {
  const tiers = new TrackerTiers(
    [["http://a", "http://a"], ["http://a"], ["http://b", "http://a"]],
    new SeededRandom(1),
  );
  assert.deepEqual(tiers.all.map(({ text, tier }) => [text, tier]), [["http://a", 0], ["http://b", 1]]);
  assert.deepEqual(tiers.add(["http://b"]), []);
  assert.deepEqual(tiers.add(["http://c"]).map(({ tier }) => tier), [2]);
});

Deno.test("TrackerTiers has nothing to wait for when every tracker is disabled", () => {
  const tiers = new TrackerTiers([["http://a"], ["nonsense"]], new SeededRandom(1));
  assert.deepEqual(tiers.due(0, () => "no plugin"), []);
  assert.equal(tiers.nextTime(0), undefined);
  assert.equal(tiers.due(0, known).length, 1);
});

Deno.test("TrackerTiers.leave() names the trackers that know of us, and begins anew", () => {
  const tiers = new TrackerTiers([["http://a"], ["http://b"]], new SeededRandom(1));
  const [a, b] = tiers.due(0, known);
  tiers.answered(a, 0, { peers: [] });
  tiers.failed(b, 0, "refused");
  assert.deepEqual(tiers.leave(), [a.tracker]);
  assert.deepEqual(tiers.leave(), []);
  assert.deepEqual(tiers.due(1, known).map(({ event }) => event), ["started", "started"]);
});

type Step = {
  readonly wait: number;
  readonly outcome: "answer" | "fail" | "refuse" | "retry" | "never";
  readonly figure: number;
  readonly demand: boolean;
};

const step: fc.Arbitrary<Step> = fc.record({
  wait: fc.integer({ min: 0, max: 3_600_000 }),
  outcome: fc.constantFrom("answer", "answer", "fail", "fail", "refuse", "retry", "never"),
  figure: fc.oneof(fc.integer({ min: -1000, max: 1e9 }), fc.constant(NaN), fc.constant(Infinity)),
  demand: fc.boolean(),
});

Deno.test("TrackerTiers asks one tracker of a tier at a time, never sooner than allowed, and never stalls", () => {
  const layout = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
  fc.assert(fc.property(layout, fc.array(step, { maxLength: 60 }), fc.integer(), (sizes, steps, seed) => {
    const tiers = new TrackerTiers(
      sizes.map((size, tier) => Array.from({ length: size }, (_, i) => `http://t${tier}-${i}`)),
      new SeededRandom(seed),
    );
    let now = 0;
    const asked = new Map<string, number>();
    const waiting: Announce[] = [];
    for (const { wait, outcome, figure, demand } of steps) {
      now += wait;
      if (demand) tiers.hurry(now);
      for (const announce of tiers.due(now, known)) {
        const { tracker } = announce;
        const gap = now - (asked.get(tracker.text) ?? -Infinity);
        assert.ok(gap >= (tracker.failures > 0 ? FIRST_RETRY : MIN_INTERVAL), `asked again after ${gap} ms`);
        assert.ok(!tracker.barred);
        assert.ok(!waiting.some((other) => other.tracker.tier === tracker.tier), "two of a tier at once");
        asked.set(tracker.text, now);
        waiting.push(announce);
      }
      const announce = waiting.shift();
      if (announce && outcome === "answer") {
        tiers.answered(announce, now, { peers: [], interval: figure, minInterval: figure });
      } else if (announce) {
        const retry = outcome === "never" ? outcome : outcome === "retry" ? figure : undefined;
        const answer = outcome === "refuse" ? { peers: [], interval: figure, minInterval: figure } : undefined;
        tiers.failed(announce, now, "failed", { retry, answer });
      }
      const next = tiers.nextTime(now);
      const usable = tiers.all.some(({ state }) => state !== "disabled");
      if (usable && waiting.length === 0) {
        assert.ok(next !== undefined && next - now <= 86_400_000 && !Number.isNaN(next));
      }
      assert.ok(tiers.all.every(({ nextAt }) => Number.isFinite(nextAt)));
    }
  }));
});

Deno.test("TrackerTiers keeps to the intervals beside a refusal, within the bounds of all", () => {
  const wait = (interval?: number, minInterval?: number): number => {
    const tiers = new TrackerTiers([["http://a"]], new SeededRandom(1));
    const [announce] = tiers.due(0, known);
    tiers.failed(announce, 0, "busy", { answer: { peers: [], interval, minInterval, warning: "w" } });
    assert.equal(announce.tracker.warning, "w");
    return tiers.nextTime(0)!;
  };
  assert.equal(wait(3_600_000, 3_600_000), 3_600_000);
  assert.equal(wait(undefined, 3_600_000), 3_600_000);
  assert.equal(wait(1e12), 86_400_000);
  assert.equal(wait(1), 30_000);
  assert.ok(wait() < 19_000);
});
