import assert from "node:assert/strict";
import { type ByteStream, dialPeer, type EgressGrant, NetError, type Transport, transports } from "../../api/mod.ts";
import { HookTable, registerHandler, registerValue, type Registration } from "../../bus/mod.ts";
import { testOwner } from "../../bus/test_owner.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../../host/memory/mod.ts";
import { InfoHash, peerAddress, ProtocolError, torrentId } from "../../wire/mod.ts";
import { acceptAndShake, type ShakenPeer } from "./handshake.ts";
import { dialAndShake, DialError, type DialTarget } from "./dial.ts";
import { RACE_DELAY } from "./dial_race.ts";
import type { Kernel } from "../kernel.ts";
import { testKernel } from "../test_kernel.ts";

const infoHash = InfoHash.parse("ab".repeat(20));
const id = torrentId({ v1: infoHash });
const peerId = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(20, "-"));
const own = { infoHash, peerId: peerId("us"), dht: false };

/** What a transport of the bench does with a dial. */
type Dial = (
  host: MemoryHost,
  to: DialTarget["address"],
  signal: AbortSignal,
  grant: EgressGrant | undefined,
) => Promise<ByteStream>;

const connects: Dial = (host, to, signal) => host.net.connect(to, { signal });
const hangs: Dial = () => new Promise(() => {});
const fails = (message: string): Dial => () => Promise.reject(new NetError("unreachable", message));

/** Two hosts; the one that is dialed shakes hands with everybody. */
class Bench implements Disposable {
  readonly simulation: Simulation = createSimulation({ seed: 1 });
  readonly us: MemoryHost = this.simulation.host("us");
  readonly them: MemoryHost = this.simulation.host("them");
  /** `transport at time`, for every dial. */
  readonly dials: string[] = [];
  /** What became of each stream that reached them: its first bytes, or that it was closed. */
  readonly met: string[] = [];
  readonly kernel: Kernel;
  readonly registrations: Registration[];

  constructor(by: Readonly<Record<string, Dial>>, wraps: readonly Registration[] = []) {
    this.registrations = [
      ...Object.entries(by).map(([name, dial]) => this.#transport(name, dial)),
      ...wraps,
    ];
    this.kernel = testKernel(this.us, { registrations: this.registrations });
  }

  async listen(): Promise<this> {
    const listener = await this.simulation.complete(this.them.net.listen({ ip: "0.0.0.0", port: 6881 }));
    const accept = async (): Promise<void> => {
      const lookup = { own: () => ({ infoHash, peerId: peerId("them"), dht: false }), secretOf: () => undefined };
      for (;;) {
        const stream = await listener.accept();
        acceptAndShake(testKernel(this.them), "tcp", stream, lookup, new AbortController().signal)
          .then(() => this.met.push("handshake"), (error) => this.met.push(error.message));
      }
    };
    void accept();
    return this;
  }

  dial(to: Partial<DialTarget> = {}, signal: AbortSignal = new AbortController().signal): Promise<ShakenPeer> {
    return dialAndShake(this.kernel, id, own, { address: peerAddress(this.them.ip, 6881), ...to }, signal);
  }

  complete<T>(work: Promise<T>): Promise<T> {
    return this.simulation.complete(work);
  }

  [Symbol.dispose](): void {
    this.simulation[Symbol.dispose]();
  }

  #transport(name: string, dial: Dial): Registration {
    const value: Transport = {
      dial: (address, signal, grant) => {
        this.dials.push(`${name} at ${this.simulation.now}`);
        return dial(this.us, address, signal, grant);
      },
      listen: () => Promise.reject(new Error("not here")),
    };
    return registerValue(testOwner(name), transports, name, value);
  }
}

const bench = (by: Readonly<Record<string, Dial>>, wraps?: readonly Registration[]): Promise<Bench> =>
  new Bench(by, wraps).listen();

/** A dial that connects after so many milliseconds, also when it was told to stop. */
const deaf = (milliseconds: number): Dial => async (host, to) => {
  await new Promise<void>((resolve) => void host.clock.after(milliseconds, resolve));
  return await host.net.connect(to);
};

Deno.test("a transport that hangs costs the next one a moment, and nothing else", async () => {
  using world = await bench({ utp: hangs, tcp: connects });
  const began = world.simulation.now;
  const { transport } = await world.complete(world.dial());
  assert.equal(transport, "tcp");
  assert.deepEqual(world.dials, [`utp at ${began}`, `tcp at ${began + RACE_DELAY}`]);
  assert.ok(world.simulation.now - began < RACE_DELAY + 20);
  assert.equal(world.simulation.pendingTimers, 0);
});

Deno.test("a transport that answers in time is dialed alone", async () => {
  using world = await bench({ utp: connects, tcp: connects });
  assert.equal((await world.complete(world.dial())).transport, "utp");
  assert.equal(world.dials.length, 1);
});

Deno.test("what worked before is preferred to the profile's order", async () => {
  using world = await bench({ utp: connects, tcp: connects });
  assert.equal((await world.complete(world.dial({ transport: "tcp" }))).transport, "tcp");
  assert.equal((await world.complete(world.dial({ transport: "no more" }))).transport, "utp");
  assert.equal((await world.complete(world.dial({ only: "tcp" }))).transport, "tcp");
});

Deno.test("a failure starts the next transport at once, and all reasons are told in the end", async () => {
  using world = await bench({ utp: fails("no route"), tcp: fails("refused"), pigeon: hangs });
  const error = await world.complete(world.dial().catch((error) => error));
  assert.ok(error instanceof DialError);
  assert.equal(error.message, "utp: no route; tcp: refused; pigeon: no answer within 10 s");
  assert.equal(error.reached, false);
  assert.deepEqual(error.faults.map(({ transport }) => transport), ["utp", "tcp", "pigeon"]);
  const [first] = world.dials.map((line) => line.split(" ")[2]);
  assert.ok(world.dials.every((line) => line.endsWith(` ${first}`)));
});

Deno.test("a transport that opens nonsense is one that failed", async () => {
  const opens = (nonsense: unknown): Dial => () => Promise.resolve(nonsense as ByteStream);
  using world = await bench({ empty: opens({}), nothing: opens(undefined), tcp: connects });
  assert.equal((await world.complete(world.dial())).transport, "tcp");
});

Deno.test("a loser that connects late is closed, and hears no handshake", async () => {
  using world = await bench({ utp: deaf(RACE_DELAY + 1), tcp: connects });
  assert.equal((await world.complete(world.dial())).transport, "tcp");
  await world.simulation.run(5_000);
  assert.deepEqual(world.met.sort(), ["Cannot shake hands: the peer closed after 0 bytes", "handshake"]);
});

Deno.test("encryption runs on the winner alone, and may dial it once more", async () => {
  const seen: string[] = [];
  const wrap = registerHandler(testOwner("mse"), dialPeer, async (request, next) => {
    const { stream } = await next(request);
    seen.push(`encrypts ${request.transport}, last time ${request.lastEncryption}`);
    stream.close();
    return await next(request);
  });
  using world = await bench({ utp: deaf(RACE_DELAY + 1), tcp: connects }, [wrap]);
  const { transport } = await world.complete(world.dial({ encryption: "rc4" }));
  assert.equal(transport, "tcp");
  await world.simulation.run(5_000);
  assert.deepEqual(seen, ["encrypts tcp, last time rc4"]);
  assert.deepEqual(world.dials.map((line) => line.split(" ")[0]), ["utp", "tcp", "tcp"]);
});

Deno.test("a wrap that hangs on a loser holds up nobody", async () => {
  const wrap = registerHandler(
    testOwner("mse"),
    dialPeer,
    (request, next) => request.transport === "utp" ? new Promise(() => {}) : next(request),
  );
  using world = await bench({ utp: connects, tcp: connects }, [wrap]);
  const began = world.simulation.now;
  assert.equal((await world.complete(world.dial())).transport, "tcp");
  assert.ok(world.simulation.now - began < RACE_DELAY + 20);
});

Deno.test("when the winner breaks in the handshake, the transports that it stopped have another go", async () => {
  let opened = 0;
  const breaks: Dial = async (host, to, signal) => {
    const stream = await host.net.connect(to, { signal });
    if (opened++ === 0) stream.write = () => Promise.reject(new NetError("reset", "reset"));
    return stream;
  };
  using world = await bench({ utp: hangs, tcp: breaks, pigeon: connects });
  assert.equal((await world.complete(world.dial())).transport, "pigeon");
  assert.deepEqual(world.dials.map((line) => line.split(" ")[0]), ["utp", "tcp", "utp", "pigeon"]);
});

Deno.test("a peer that answers nonsense is not asked over other transports", async () => {
  const wrap = registerHandler(testOwner("mse"), dialPeer, async (request, next) => {
    await next(request);
    throw new ProtocolError("Cannot encrypt: the peer knows nothing of it");
  });
  using world = await bench({ utp: fails("no route"), tcp: connects, pigeon: connects }, [wrap]);
  const error = await world.complete(world.dial().catch((error) => error));
  assert.ok(error instanceof DialError && error.reached);
  assert.equal(error.message, "utp: no route; tcp: Cannot encrypt: the peer knows nothing of it");
});

Deno.test("a transport that is left out in the middle of a race is passed over", async () => {
  using world = await bench({ utp: hangs, tcp: connects, pigeon: connects });
  const dialing = world.dial();
  const left = world.registrations.filter((each) => !("key" in each) || each.key !== "tcp");
  world.kernel.bus.swap(HookTable.build(left, 2));
  assert.equal((await world.complete(dialing)).transport, "pigeon");
  assert.deepEqual(world.dials.map((line) => line.split(" ")[0]), ["utp", "pigeon"]);
});

Deno.test("the guard lets the transports that dial pass to the address, nobody else, and no longer than the race", async () => {
  const grants: (EgressGrant | undefined)[] = [];
  const keeps: Dial = (_, __, ___, grant) => {
    grants.push(grant);
    return new Promise(() => {});
  };
  using world = await bench({ utp: keeps, tcp: keeps });
  const address = peerAddress("10.0.0.7", 6881);
  const { egress } = world.kernel;
  const dialing = world.dial({ address }).catch((error) => error);
  await world.simulation.run(RACE_DELAY + 9_000);
  assert.equal(grants.length, 2);
  for (const grant of grants) assert.equal(egress.with(grant).check(address), undefined);
  assert.match(egress.check(address)!, /private address is not allowed/);
  await world.complete(dialing);
  for (const grant of grants) assert.match(egress.with(grant).check(address)!, /private address is not allowed/);
});

Deno.test("an abort ends the race and every dial in it", async () => {
  const aborted: string[] = [];
  const tells = (name: string): Dial => (_, __, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(aborted.push(name))));
  using world = await bench({ utp: tells("utp"), tcp: tells("tcp") });
  const abort = new AbortController();
  const dialing = world.dial({}, abort.signal);
  world.simulation.clock.after(1_000, () => abort.abort(new Error("paused")));
  await assert.rejects(world.complete(dialing), /^Error: paused$/);
  assert.deepEqual(aborted, ["utp", "tcp"]);
  assert.equal(world.simulation.pendingTimers, 0);
  await assert.rejects(world.dial({}, abort.signal), /paused/);
});

Deno.test("without a transport the remedy is told", async () => {
  using world = await bench({});
  await assert.rejects(world.dial(), /add "- use: tcp" to plugins/);
  await assert.rejects(world.dial({ only: "utp" }), /add "- use: utp" to plugins/);
});
