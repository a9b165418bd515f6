/** What a transport owes. @module */
import { type ByteStream, parsePeerAddress, peerAddress, type Transport, transports } from "../../core/api/mod.ts";
import { Egress } from "../../core/net/mod.ts";
import type { PluginBench } from "../testing/mod.ts";
import { type Check, expect, type Outcome, show, told, Unmet, watch } from "./check.ts";
import { settle, streamChecks } from "./stream_checks.ts";
import type { Subject } from "./subject.ts";

const PORT = 6881;
const AT = { ip: "0.0.0.0", port: PORT };
// A public address that no host of a simulation has.
const NOBODY = parsePeerAddress("203.0.113.200:6881");
// Where the guard lets nobody without a grant.
const NEIGHBOUR = parsePeerAddress("10.99.0.1:6881");
// Longer than the kernel waits for a dial (ms).
const DIAL_LIMIT = 15_000;
// Who is told to stop has done so by then (ms of simulated time).
const PATIENCE = 1_000;
const READ = "core/api/transport.ts, Transport";

const signal = (): AbortSignal => new AbortController().signal;

/** Two hosts that the plugin runs on, one of which listens. */
interface Ends {
  readonly dialer: PluginBench;
  readonly acceptor: PluginBench;
  readonly accepted: ByteStream[];
  readonly listener: { close(): void };
  dial(signal?: AbortSignal): Promise<ByteStream>;
  /** A stream that is open, from both ends. */
  connect(): Promise<[ByteStream, ByteStream]>;
}

/** Checks of what provides `transports`. */
export const transportChecks: readonly Check[] = [
  ...streamChecks.map(({ name, run }) =>
    transportCheck(`gives streams that ${name}`, async (ends) => {
      await run({ simulation: ends.dialer.simulation, ends: await ends.connect() });
    }, "core/api/host.ts, ByteStream")
  ),
  transportCheck("gives streams that know both ends", async ({ dialer, acceptor, connect }) => {
    const [a, b] = await connect();
    const [from, to] = [dialer.host.ip, acceptor.host.ip];
    for (
      const [what, is, ip, port] of [
        ["dialed.remote", a.remote, to, PORT],
        ["dialed.local", a.local, from, undefined],
        ["accepted.remote", b.remote, from, undefined],
        ["accepted.local", b.local, to, PORT],
      ] as const
    ) {
      expect(
        is?.ip === ip && (port === undefined || is.port === port),
        `has ${show(is?.key)} for ${what}`,
        `${ip}${port === undefined ? "" : `:${port}`}`,
      );
    }
  }),
  transportCheck("listens no more once its listener is closed, and keeps its streams", async (ends) => {
    const { dialer: { simulation }, listener, accepted, dial, connect } = ends;
    const [a, b] = await connect();
    listener.close();
    await simulation.run(PATIENCE);
    const late = new AbortController();
    watch(dial(late.signal));
    await simulation.run(DIAL_LIMIT);
    late.abort(new Error("enough"));
    await simulation.run(PATIENCE);
    expect(accepted.length === 1, "accepted a stream after its listener was closed", "close() to end accepting");
    const carried = await settle(simulation, Promise.all([a.write(Uint8Array.of(1)), b.read(new Uint8Array(1))]));
    expect(carried.state === "resolved", "closed its streams with its listener", "streams to live on");
  }),
  transportCheck("rejects where nobody listens", async ({ dialer, acceptor, transport }) => {
    const abort = new AbortController();
    const dialing = watch(transport.dial(peerAddress(acceptor.host.ip, PORT + 1), abort.signal));
    await dialer.simulation.run(DIAL_LIMIT);
    abort.abort(new Error("enough"));
    await dialer.simulation.run(PATIENCE);
    expectRejection(dialing(), "a dial to where nobody listens");
  }),
  transportCheck("gives up a dial when told to, and leaves nothing of it", async ({ dialer, transport }) => {
    const { simulation } = dialer;
    const reason = new Error("enough");
    for (const wait of [undefined, 0, 5, 2_000]) {
      const open = dialer.open();
      const abort = new AbortController();
      if (wait === undefined) abort.abort(reason);
      const dialing = watch(tried(() => transport.dial(NOBODY, abort.signal)));
      await simulation.run(wait ?? 0);
      abort.abort(reason);
      await simulation.run(PATIENCE);
      const outcome = dialing();
      expectRejection(outcome, `a dial that was aborted after ${wait ?? 0} ms`);
      expect(outcome.error === reason, `rejected with ${show(outcome.error)} when aborted`, "the signal's reason");
      const left = dialer.open();
      expect(left.length === open.length, `left ${left.join(", ")} of an aborted dial`, "nothing of it");
    }
  }),
  transportCheck("dials where its grant lets it", async ({ dialer, transport }) => {
    const grant = new Egress({ allow: [NEIGHBOUR.key] });
    const abort = new AbortController();
    const dialing = watch(tried(() => transport.dial(NEIGHBOUR, abort.signal, grant)));
    await dialer.simulation.run(DIAL_LIMIT);
    abort.abort(new Error("enough"));
    await dialer.simulation.run(PATIENCE);
    const outcome = dialing();
    expect(
      outcome.state !== "rejected" || !/egress\.allow/.test(String(outcome.error)),
      `${told(outcome)}, though a grant for that address came with the dial`,
      "the grant to be handed to net.connect or udp.open",
    );
  }),
  transportCheck("keeps an open stream when the signal of its dial aborts later", async (ends) => {
    const { dialer: { simulation }, accepted, dial } = ends;
    const abort = new AbortController();
    const stream = await simulation.complete(dial(abort.signal));
    await simulation.run(PATIENCE);
    abort.abort(new Error("the dial is long over"));
    await simulation.run(PATIENCE);
    const carried = await settle(
      simulation,
      Promise.all([stream.write(Uint8Array.of(1)), accepted[0]?.read(new Uint8Array(1))]),
    );
    expect(carried.state === "resolved", `${told(carried)} after its dial's signal aborted`, "the stream to live on");
  }),
  transportCheck("lets go of streams that are closed", async ({ dialer, acceptor, connect }) => {
    const { simulation } = dialer;
    const before = [...dialer.open(), ...acceptor.open()];
    for (const stream of await connect()) stream.close();
    await simulation.run(120_000);
    const left = [...dialer.open(), ...acceptor.open()];
    expect(
      left.length <= before.length,
      `has ${left.join(", ")} open after its streams were closed, and had ${before.join(", ") || "nothing"} before`,
      "nothing of closed streams after 2 minutes",
    );
  }),
  {
    name: "refuses to listen where the address is taken, and names it",
    read: READ,
    applies: provides,
    async run(subject) {
      for (const key of subject.keys(transports)) {
        const world = await subject.world();
        await using bench = await world.start();
        await bench.complete(bench.host.net.listen(AT));
        // Over the shared UDP port: the kernel binds that one, and refuses for the transport.
        if ((await settle(world.simulation, bench.host.net.datagrams(AT))).state === "rejected") continue;
        const outcome = await settle(
          world.simulation,
          tried(() => bench.bus.get(transports, key)!.listen(AT, () => {})),
        );
        expect(
          outcome.state === "rejected" && String(outcome.error).includes(String(PORT)),
          `${told(outcome)} when told to listen at a port that is taken`,
          "a rejection that names the address",
        );
      }
    },
  },
];

function provides(subject: Subject): boolean {
  return subject.keys(transports).length > 0;
}

/** A check that runs between two hosts, for every transport that the plugin provides. */
function transportCheck(
  name: string,
  run: (ends: Ends & { readonly transport: Transport }) => Promise<void>,
  read = READ,
): Check {
  return {
    name,
    read,
    applies: provides,
    async run(subject) {
      for (const key of subject.keys(transports)) {
        const world = await subject.world();
        await using dialer = await world.start();
        await using acceptor = await world.start();
        const transport = dialer.bus.get(transports, key)!;
        const accepted: ByteStream[] = [];
        const listening = acceptor.bus.get(transports, key)!.listen(AT, (stream) => void accepted.push(stream));
        const listener = await world.simulation.complete(listening);
        const dial = (at = signal()): Promise<ByteStream> => transport.dial(peerAddress(acceptor.host.ip, PORT), at);
        const connect = async (): Promise<[ByteStream, ByteStream]> => {
          const dialed = await world.simulation.complete(dial());
          await world.simulation.run(PATIENCE);
          if (!accepted[0]) throw new Unmet("handed no stream to accept", "each connection to be handed over");
          return [dialed, accepted[0]];
        };
        await run({ dialer, acceptor, accepted, listener, transport, dial, connect });
      }
    },
  };
}

function expectRejection(
  outcome: Outcome<ByteStream>,
  what: string,
): asserts outcome is { readonly state: "rejected"; readonly error: unknown } {
  expect(outcome.state === "rejected" && outcome.error instanceof Error, `${told(outcome)}: ${what}`, "a rejection");
}

/** A call whose throw is a rejection as well. */
async function tried<T>(call: () => Promise<T>): Promise<T> {
  return await call();
}
