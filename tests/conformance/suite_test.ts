import assert from "node:assert/strict";
import {
  type ByteStream,
  parsePeerAddress,
  peerAddress,
  type Plugin,
  type Schema,
  swarmAdded,
  TrackerError,
} from "weft";
import { checkPlugin, CHECKS } from "./mod.ts";
import type { ConformanceOptions } from "./subject.ts";
import {
  answer,
  bare,
  encryption,
  extension,
  filter,
  greet,
  roster,
  streams,
  tracker,
  transport,
  type Wrap,
} from "./samples.ts";

const serve = { "peers.example": () => Response.json(["192.0.2.7:6881"]) };

/** A bad plugin, the one check that it fails, and what is said of it. */
interface Case {
  readonly bad: Plugin;
  readonly fails: string;
  readonly said: RegExp;
  readonly options?: ConformanceOptions;
}

/** A schema that takes whatever `decode` makes of a `with`. */
function schema(decode: (value: Record<string, unknown>) => unknown, strict = true): Schema<never> {
  return {
    expects: "a mapping",
    decode(node) {
      const value = node.value as Record<string, unknown>;
      for (const key of strict ? Object.keys(value ?? {}) : []) node.problem(`unknown key "${key}" in ${node.path}`);
      return decode(value) as never;
    },
  };
}

const forever = new Promise<never>(() => {});
let running = 0;

const lives: Case[] = [
  {
    bad: bare(() => {}, { example: { speed: 9 } }),
    fails: "starts from its documented example",
    said:
      /^"sample" refuses its own example \{"speed":9\}: unknown key "speed".*; expected .*; see core\/api\/plugin\.ts/,
  },
  {
    bad: bare(() => {}, { provides: ["transports:udp"] }),
    fails: "provides what it says that it provides",
    said: /says that it provides "transports:udp", but registered nothing/,
  },
  {
    bad: bare(() => {}, { config: schema(() => ({}), false) }),
    fails: "refuses an unknown key, and says where it stands",
    said: /took the unknown key "no_such_key"/,
  },
  {
    bad: bare(() => {}, {
      config: schema((value) => {
        if (value === null) throw new TypeError("null is not an object");
        return {};
      }),
    }),
    fails: "takes a default or says what is missing, whatever stands in its configuration",
    said: /threw TypeError: null is not an object from its schema for null/,
  },
  {
    bad: bare((scope) => {
      const timer = setTimeout(() => {}, 60_000);
      scope.defer(() => clearTimeout(timer));
    }),
    fails: "reaches the world through its scope alone",
    said: /used setTimeout; expected plugin\.clock\.after/,
  },
  {
    bad: bare((scope) =>
      void scope.on(swarmAdded, ({ name }) => {
        throw new Error(`don't know ${name}`);
      })
    ),
    fails: "handles the events that it listens to",
    said: /failed: Plugin "sample" failed in swarm\.added: don't know sample/,
  },
  {
    bad: bare((scope) => scope.defer(() => forever)),
    fails: "leaves nothing behind when it stops",
    said: /failed to clean up: error: Cannot clean up: it did not end within 5 s/,
  },
  {
    bad: bare(async (scope) => {
      for (let found = false; !found;) {
        found = await scope.net.resolve("localhost").then(() => true, () => false);
        await scope.clock.turn();
      }
    }),
    fails: "survives being stopped in the middle of its setup",
    said: /was stopped \d ms into its setup, which never ended/,
  },
];

const reloads: Case[] = [
  {
    bad: bare(() => {}, { config: schema(() => ({ id: running++ })) }),
    fails: "is not touched by a reload with the same settings",
    said: /changed at the first reload with the same settings: .*sample/,
  },
  {
    bad: bare((scope) => void scope.hold()),
    fails: "makes way for its next generation",
    said: /still ran 60 s after it was replaced; expected every plugin\.hold\(\) to be disposed of/,
  },
];

const sources: Case[] = [
  {
    bad: roster(() =>
      async function* () {
        yield await Promise.resolve({ address: { ip: "192.0.2.7", port: 0 } as never });
      }
    ),
    fails: "names peers that can be dialed, or none",
    said: /yielded \{"address":\{"ip":"192\.0\.2\.7","port":0\}\}/,
  },
  {
    bad: roster(() =>
      async function* ({ wanted }) {
        if (wanted === 1) throw new RangeError("page size must be at least 2");
        yield await Promise.resolve({ address: parsePeerAddress("192.0.2.7:1") });
      }
    ),
    fails: "answers a round without failing",
    said: /failed when asked for \{"wanted":1,"port":0\}: .*page size/,
    options: { serve },
  },
  {
    bad: roster(() =>
      async function* () {
        yield await Promise.resolve({ address: parsePeerAddress("192.0.2.7:1") });
        return { again: 60 };
      }
    ),
    fails: "asks to be asked again at a time that makes sense",
    said: /returned \{ again: 60 \}; expected milliseconds from 5000/,
  },
  {
    bad: roster(({ net, config }) =>
      async function* () {
        const answer = await net.fetch(config.url);
        for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
      }
    ),
    fails: "ends a round when it is told to",
    said: /still waited 5 s after its signal aborted; expected that the signal is passed on/,
  },
  {
    bad: bare((scope) =>
      void scope.on(swarmAdded, async ({ id }) => {
        await scope.net.fetch(`http://20.0.0.1/?info_hash=${id.hex}`).catch(() => {});
      }), { wants: ["private"] }),
    fails: "says nothing of private torrents",
    said: /sent the info-hash of a private torrent: "http:\/\/20\.0\.0\.1/,
  },
];

/** What goes wrong with filters of peers. */
const badFilters: readonly Case[] = [
  {
    bad: filter(({ id, addresses }) => addresses.map(() => id!.hex !== "")),
    fails: "answers with one flag an address, or nothing, at every stage",
    said: /failed when asked about 4 addresses at "arrival": .*expected addresses\.map/,
  },
  {
    bad: filter(({ addresses }) => addresses.map(({ port }) => port >= 1024).toReversed()),
    fails: "says of an address the same whichever others it is asked with",
    said: /said false of \[2001:db8::1\]:6881 among others, and true of it alone; expected the flags in the order/,
  },
];

/** What goes wrong with streams, whoever gives them. */
const badStreams: readonly (readonly [name: string, change: (stream: ByteStream) => void, said: RegExp])[] = [
  ["carry what is written, whole and in order, both ways at once", (stream) => {
    const write = stream.write.bind(stream);
    let total = 0;
    stream.write = async (bytes) => {
      total += bytes.length;
      // One byte is wrong, once: nothing that writes less than half a megabyte of random bytes would notice.
      await write(total > 500_000 && bytes[0] !== 0 ? bytes.map((byte, i) => i === 5 ? byte ^ 1 : byte) : bytes);
    };
  }, /gave 1048576 of 1048576 bytes, the first wrong one at \d+/],
  ["end one direction and go on in the other", (stream) => {
    const read = stream.read.bind(stream);
    const closeWrite = stream.closeWrite.bind(stream);
    let half = false;
    stream.closeWrite = () => {
      half = true;
      return closeWrite();
    };
    stream.read = (into) => half ? Promise.resolve(0) : read(into);
  }, /carried nothing back after the other direction ended/],
  ["close with a reason, once, and tell the other end", (stream) => {
    const close = stream.close.bind(stream);
    stream.close = () => close();
  }, /closed, and the pending read rejected with NetError/],
  ["give back what was unread, first and as a copy", (stream) => {
    const read = stream.read.bind(stream);
    const held: Uint8Array[] = [];
    stream.unread = (bytes) => void held.unshift(bytes);
    stream.read = async (into) => {
      const first = held.shift();
      if (!first) return await read(into);
      into.set(first);
      return first.length;
    };
  }, /gave 99,99,99,99,5,6 after 3, 4 and then 1, 2 were unread/],
  ["hold their writer back while nobody reads", (stream) => {
    const write = stream.write.bind(stream);
    const closeWrite = stream.closeWrite.bind(stream);
    const close = stream.close.bind(stream);
    let queue = Promise.resolve();
    let closed: Error | undefined;
    stream.write = (bytes) => {
      if (closed) return Promise.reject(closed);
      const copy = bytes.slice();
      queue = queue.then(() => write(copy)).catch(() => {});
      return Promise.resolve();
    };
    stream.closeWrite = async () => {
      await queue;
      await closeWrite();
    };
    stream.close = (reason) => {
      closed ??= reason ?? new Error("closed");
      close(reason);
    };
  }, /took \d+ bytes that nobody read/],
];

const transportCases: Case[] = [
  ...badStreams.map(([name, change, said]) => ({ bad: streams(change), fails: `gives streams that ${name}`, said })),
  {
    bad: streams((stream) => Object.defineProperty(stream, "remote", { value: peerAddress("192.0.2.1", 1) })),
    fails: "gives streams that know both ends",
    said: /has "192\.0\.2\.1:1" for dialed\.remote/,
  },
  {
    bad: transport((tcp) => ({
      async listen(at, accept) {
        const accepted: ByteStream[] = [];
        const listener = await tcp.listen(at, (stream) => {
          accepted.push(stream);
          accept(stream);
        });
        return {
          address: listener.address,
          close() {
            listener.close();
            for (const stream of accepted) stream.close();
          },
        };
      },
    })),
    fails: "listens no more once its listener is closed, and keeps its streams",
    said: /closed its streams with its listener/,
  },
  {
    bad: transport((tcp) => ({
      // It trusts that somebody is there, and gives a stream before it knows.
      dial: (address, signal, grant) =>
        tcp.dial(address, signal, grant).catch((error) => signal.aborted ? Promise.reject(error) : ({} as ByteStream)),
    })),
    fails: "rejects where nobody listens",
    said: /resolved to .*: a dial to where nobody listens; expected a rejection/,
  },
  {
    bad: transport((tcp) => ({
      dial: (address, signal, grant) =>
        tcp.dial(address, AbortSignal.any([signal]), grant).catch(() => Promise.reject(new Error("no"))),
    })),
    fails: "gives up a dial when told to, and leaves nothing of it",
    said: /rejected with Error: no when aborted; expected the signal's reason/,
  },
  {
    bad: transport((tcp) => ({ dial: (address, signal) => tcp.dial(address, signal) })),
    fails: "dials where its grant lets it",
    said: /a private address is not allowed .* though a grant for that address came with the dial/,
  },
  {
    bad: transport((tcp) => ({
      async dial(address, signal, grant) {
        const stream = await tcp.dial(address, signal, grant);
        signal.addEventListener("abort", () => stream.close());
        return stream;
      },
    })),
    fails: "keeps an open stream when the signal of its dial aborts later",
    said: /after its dial's signal aborted; expected the stream to live on/,
  },
  {
    bad: transport((tcp, scope) => ({
      async dial(address, signal, grant) {
        const stream = await tcp.dial(address, signal, grant);
        const keepAlive = (): void => void scope.clock.after(10_000, keepAlive);
        keepAlive();
        return stream;
      },
    })),
    fails: "lets go of streams that are closed",
    said: /has .*a timer of 10000 ms.* open after its streams were closed/,
  },
  {
    bad: transport((tcp) => ({
      listen: (at, accept) => tcp.listen(at, accept).catch(() => tcp.listen({ ...at, port: 0 }, accept)),
    })),
    fails: "refuses to listen where the address is taken, and names it",
    said: /resolved to .* when told to listen at a port that is taken/,
  },
];

const worse = (wrap: Wrap, change: (stream: ByteStream) => void): Wrap => async (stream) => {
  const opened = await wrap(stream);
  change(opened.stream);
  return opened;
};

const encryptions: Case[] = [
  {
    bad: encryption({ accept: async (stream) => ({ ...await answer(stream), encryption: "plaintext" }) }),
    fails: "meets itself at the other end, and says how the stream is encrypted",
    said: /says "rc4" at one end and "plaintext" at the other/,
  },
  ...badStreams.map(([name, change, said]) => ({
    bad: encryption({ dial: worse(greet, change), accept: worse(answer, change) }),
    fails: `makes streams that ${name}`,
    said,
  })),
  {
    bad: encryption({
      async accept(stream) {
        const first = new Uint8Array(1);
        const got = await stream.read(first);
        if (first[0] === 19) return { stream, encryption: "none" };
        stream.unread(first.subarray(0, got));
        return await answer(stream);
      },
    }),
    fails: "passes plain peers through untouched, or refuses them",
    said: /got a plain handshake, and opened a stream with other bytes/,
  },
  {
    bad: encryption({
      async accept(stream) {
        const opened = await answer(stream);
        if (opened.encryption === "rc4") return opened;
        const first = new Uint8Array(10);
        const got = await stream.read(first);
        if (first.some((byte) => byte > 127)) throw new Error("bad magic");
        stream.unread(first.subarray(0, got));
        return opened;
      },
    }),
    fails: "takes garbage for the peer's fault",
    said: /got garbage, and failed: .*bad magic; expected a ProtocolError/,
  },
  {
    bad: encryption({
      async dial(stream) {
        const waiting = greet(stream);
        const opened = await waiting.catch(async (error) => {
          if (await stream.read(new Uint8Array(1)) === 0) throw new RangeError("out of bounds");
          throw error;
        });
        return opened;
      },
    }),
    fails: "takes a peer that leaves in the middle for the peer's fault",
    said: /got 0 bytes and the end for an answer, and failed: .*out of bounds/,
  },
];

const extensions: Case[] = [
  {
    bad: extension(() => ({}), { declines: false }),
    fails: "names no peers on private torrents",
    said: /takes part in sessions of private torrents as "ut_pex"/,
  },
  {
    bad: extension(() => ({ message: (payload) => void payload[0].toFixed() })),
    fails: "closes at most the peer, whatever it sends",
    said: /threw TypeError: .* at a message of 0 bytes/,
  },
  {
    bad: extension(() => {
      let over = false;
      return {
        closed() {
          if (over) throw new Error("closed twice");
          over = true;
        },
        message() {},
      };
    }),
    fails: "ends with its session, and is quiet afterwards",
    said: /threw Error: closed twice at a second closed\(\)/,
  },
  {
    bad: extension((_, scope) => {
      const tick = (): void => void scope.clock.after(60_000, tick);
      tick();
      return {};
    }),
    fails: "lets go of what it held for a session",
    said: /still has a timer of 60000 ms after the session/,
  },
  {
    bad: extension(() => {
      let ready = false;
      return {
        peerHandshake(offered) {
          if (ready && !offered) throw new Error("it was offered");
          ready = offered;
        },
      };
    }),
    fails: "bears with peers that offer it late, or no more",
    said: /threw Error: it was offered at peerHandshake\(false\)/,
  },
];

const trackers: Case[] = [
  {
    bad: tracker((client) => ({
      announce: async (request, signal) => {
        const answer = await client.announce(request, signal);
        return { ...answer, ...(answer.interval && { interval: answer.interval / 1000 }) };
      },
    })),
    fails: "announces, and understands the answer",
    said: /read the interval 1800; expected 1800000 milliseconds/,
  },
  {
    bad: tracker((client) => ({
      announce: async (request, signal) =>
        await client.announce(request, signal).catch((error) => {
          throw error.message.includes("unregistered") ? new TrackerError("the tracker refused") : error;
        }),
    })),
    fails: "passes on a tracker's refusal",
    said: /rejected with TrackerError: the tracker refused when the tracker refused with "unregistered torrent"/,
  },
  {
    bad: tracker((client) => ({
      announce: async (request, signal) =>
        await client.announce(request, signal).catch((error) => {
          throw error.message.includes("Cannot read") ? new SyntaxError("unexpected byte") : error;
        }),
    })),
    fails: "takes nonsense for the tracker's fault",
    said: /rejected with SyntaxError: unexpected byte when the tracker answered ""/,
  },
  {
    bad: tracker((client) => ({
      scrape: async (request, signal) => (await client.scrape!(request, signal)).filter((each) => each),
    })),
    fails: "scrapes in the order of asking",
    said: /to a scrape of one swarm that the tracker does not know/,
  },
  {
    bad: tracker((client) => ({ announce: (request) => client.announce(request, new AbortController().signal) })),
    fails: "gives up an announce when told to, and leaves nothing of it",
    said: /did not settle 5 s after its signal aborted/,
  },
];

const cases = [
  ...lives,
  ...reloads,
  ...sources,
  ...badFilters,
  ...transportCases,
  ...encryptions,
  ...extensions,
  ...trackers,
];

for (
  const [what, good, options] of [
    ["a discovery source", roster(), undefined],
    ["a discovery source with its server", roster(), { serve }],
    ["a filter", filter(), undefined],
    ["a transport", transport(), undefined],
    ["encryption", encryption(), undefined],
    ["a wire extension", extension(), undefined],
    ["a tracker client", tracker(), undefined],
  ] as const
) {
  Deno.test(`${what} that keeps to the contract passes`, async () => {
    const { results } = await checkPlugin(good, options);
    assert.deepEqual(results.filter(({ problem }) => problem !== undefined), []);
  });
}

for (const { bad, fails, said, options } of cases) {
  Deno.test(`of all checks, a bad plugin fails only "${fails}"`, async () => {
    const { passed, results } = await checkPlugin(bad, options);
    const failed = results.filter(({ problem }) => problem !== undefined);
    assert.deepEqual(failed.map(({ name }) => name), [fails], failed.map(({ problem }) => problem).join("\n"));
    assert.match(failed[0].problem!, said);
    assert.equal(passed, false);
  });
}

Deno.test("a promise that nobody awaits is found when the plugin stops, also in the middle of its setup", async () => {
  const { results } = await checkPlugin(bare(async (scope) => {
    const listener = await scope.net.listen({ ip: "0.0.0.0", port: 7000 });
    void listener.accept().then((stream) => stream.close());
  }));
  const problems = results.flatMap(({ problem }) => problem ?? []);
  assert.equal(problems.length, 2);
  for (const problem of problems) assert.match(problem, /nobody handles.*: Cannot accept on 0\.0\.0\.0:7000/);
});

Deno.test("every check is failed by some bad plugin", () => {
  const failed = new Set(cases.map(({ fails }) => fails));
  assert.deepEqual(CHECKS.map(({ name }) => name).filter((name) => !failed.has(name)), []);
});
