import assert from "node:assert/strict";
import { ConfigError } from "./errors.ts";
import { boolean, type Decoded, decodeValue, integer, number, oneOf, type Schema, string } from "./schema.ts";
import { list, object, optional, record, withDefault } from "./schema_shape.ts";
import { bindAddress, duration, hostPort, path, peer, rate, size, url } from "./schema_text.ts";

function problems(schema: Schema<unknown>, value: unknown, path = "x"): readonly string[] {
  try {
    decodeValue(schema, value, path);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const roster = object({
  url: url({ schemes: ["https:"] }),
  every: duration({ default: "5m", min: "30s" }),
  down: optional(rate()),
  tags: list(string({ minLength: 1 }), { default: [] }),
  policy: withDefault(oneOf("prefer", "require"), "prefer"),
});

Deno.test("object() decodes its keys, fills in defaults and leaves out what is absent", () => {
  assert.deepEqual(decodeValue(roster, { url: "https://peers.example/list" }), {
    url: "https://peers.example/list",
    every: 300_000,
    tags: [],
    policy: "prefer",
  });
});

Deno.test("object() infers what it decodes to", () => {
  const config: {
    readonly url: string;
    readonly every: number;
    readonly down: number | undefined;
    readonly tags: readonly string[];
    readonly policy: "prefer" | "require";
  } = decodeValue(roster, { url: "https://peers.example" });
  // @ts-expect-error a duration is a number
  const every: string = config.every;
  // @ts-expect-error there is no such policy
  const policy: Decoded<typeof roster>["policy"] = "off";
  void [every, policy];
});

Deno.test("object() reports every mistake at once", () => {
  assert.deepEqual(problems(roster, { evry: "10m", tags: ["", 1], policy: "requir", down: 5 }, "plugins[9].with"), [
    'unknown key "evry" in plugins[9].with, did you mean "every"?',
    'missing key "url" in plugins[9].with; it expects a URL that begins with https://',
    "plugins[9].with.down must be a rate such as 10 MB/s, 500 KiB/s or unlimited, current value is 5",
    'plugins[9].with.tags[0] must not be empty, current value is ""',
    "plugins[9].with.tags[1] must be a text, current value is 1",
    'plugins[9].with.policy must be "prefer" or "require", current value is "requir", did you mean "require"?',
  ]);
});

Deno.test("object() may be absent only when each of its keys may", () => {
  const limits = object({ peers: integer({ default: 60 }) });
  assert.deepEqual(decodeValue(object({ limits }), {}), { limits: { peers: 60 } });
  assert.deepEqual(decodeValue(limits, null), { peers: 60 });
  assert.deepEqual(problems(object({ roster }), {}), ['missing key "roster" in x; it expects a mapping']);
});

Deno.test("object() reads own keys only, whatever they are called", () => {
  assert.deepEqual(problems(object({ toString: optional(string()) }), {}), []);
  assert.deepEqual(problems(object({}), JSON.parse('{ "__proto__": 1 }')), [
    'unknown key "__proto__" in x; it knows no keys',
  ]);
  const decoded = decodeValue(record(number()), JSON.parse('{ "__proto__": 1 }'));
  assert.deepEqual(Object.keys(decoded), ["__proto__"]);
});

Deno.test("list() and record() bound and decode what they hold", () => {
  assert.deepEqual(decodeValue(record(size()), { a: "1 KiB", b: 5 }), { a: 1024, b: 5 });
  assert.deepEqual(problems(list(number(), { maxItems: 1 }), [1, 2]), [
    "x must have at most 1 items, current value has 2",
  ]);
  assert.deepEqual(problems(list(number(), { minItems: 1 }), []), [
    "x must have at least 1 items, current value has 0",
  ]);
  assert.deepEqual(problems(list(number()), { 0: 1 }), ["x must be a list, current value is a mapping"]);
  assert.deepEqual(problems(list(number()), [null]), ["x[0] must be a number, current value is empty"]);
  assert.deepEqual(problems(record(number()), []), ["x must be a mapping, current value is a list"]);
});

Deno.test("scalars refuse other kinds and values out of bounds, in the units of the author", () => {
  const cases: [Schema<unknown>, unknown, string][] = [
    [string(), 5, "x must be a text, current value is 5"],
    [string({ pattern: /^a/ }), "b", 'x must match /^a/, current value is "b"'],
    [number({ max: 1 }), 2, "x must be at most 1, current value is 2"],
    [number(), NaN, "x must be a number, current value is NaN"],
    [integer(), 1.5, "x must be a whole number, current value is 1.5"],
    [boolean(), "yes", 'x must be true or false, current value is "yes"'],
    [duration({ min: "30s" }), "5s", 'x must be at least 30s, current value is "5s"'],
    [duration(), 5, "x must be a duration such as 30s, 5m or 1h30m, current value is 5"],
    [size({ max: "1 GiB" }), "2 GiB", 'x must be at most 1 GiB, current value is "2 GiB"'],
    [rate({ max: "1 MB/s" }), "unlimited", 'x must be at most 1 MB/s, current value is "unlimited"'],
    [url(), "example.org", 'x must be a URL, current value is "example.org"'],
    [hostPort(), "example.org", 'x must be a host and port such as example.org:6881, current value is "example.org"'],
    [path(), "", 'x must be a path, current value is ""'],
  ];
  for (const [schema, value, problem] of cases) assert.deepEqual(problems(schema, value), [problem]);
});

Deno.test("addresses decode to their parts", () => {
  assert.deepEqual(decodeValue(hostPort(), "Router.Example:6881"), { host: "router.example", port: 6881 });
  assert.equal(decodeValue(peer(), "[2001:db8::1]:1").key, "[2001:db8::1]:1");
  for (
    const [text, ip, port] of [["[::]:6881", "::", 6881], ["0.0.0.0:0", "0.0.0.0", 0], [6881, "::", 6881]] as const
  ) {
    assert.deepEqual(decodeValue(bindAddress(), text), { ip, port });
  }
  for (const text of ["::", ":::1", "[0.0.0.0]:1", "0.0.0.0", "example.org:1", "[::]:65536", 70_000, -1, ""]) {
    assert.equal(problems(bindAddress(), text).length, 1, String(text));
  }
});

Deno.test("a schema whose default does not fit throws where it is written", () => {
  assert.throws(() => duration({ default: "5 minutes" }), RangeError);
});

Deno.test("decodeValue() speaks of the configuration where there is no path", () => {
  assert.deepEqual(problems(roster, 1, ""), ["the configuration must be a mapping, current value is 1"]);
});

Deno.test("object() lists its keys, each with its default as the user would write it", () => {
  const { keys } = withDefault(
    object({ every: duration({ default: "5m" }), word: optional(string()), port: integer() }),
    {
      every: 1,
      word: undefined,
      port: 2,
    },
  );
  assert.deepEqual(
    Object.entries(keys!).map(([key, { expects, fallback }]) => [key, expects, fallback]),
    [
      ["every", "a duration such as 30s, 5m or 1h30m", { value: 300_000, written: "5m" }],
      ["word", "a text", { value: undefined }],
      ["port", "a whole number", undefined],
    ],
  );
});
